"""Roots under `dvc add`, whose files are links into the cache of DVC."""

import subprocess
import sys
from pathlib import Path

import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.core.files import path_inside
from pseudolabel.raw.repair import repair
from pseudolabel.splits.prepare import prepare, read_and_split
from tests.builders import coco, raw_root, splitting, write_image, write_json


def run(folder, *command):
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def dvc(folder, *arguments):
    run(folder, sys.executable, "-m", "dvc", *arguments)


def repository(folder, *settings):
    """A git and DVC repository with a raw root under `dvc add`, and the root."""
    root = raw_root(folder / "data" / "raw", gold_count=4, val=1)
    run(folder, "git", "init", "--quiet")
    dvc(folder, "init", "--quiet")
    for name, value in settings:
        dvc(folder, "config", "--quiet", name, value)
    dvc(folder, "add", "--quiet", "data/raw")
    return root


@pytest.mark.parametrize(
    "settings",
    [
        [("cache.type", "symlink")],
        [("cache.type", "hardlink")],
        [("cache.type", "symlink"), ("cache.dir", "../shared cache")],
    ],
    ids=["symlink", "hardlink", "a cache outside the repository"],
)
def test_data_under_dvc_is_checked_and_prepared(tmp_path, settings):
    (tmp_path / "project").mkdir()
    root = repository(tmp_path / "project", *settings)
    image = root / "images" / "gold" / "0.png"
    assert image.is_symlink() == (("cache.type", "symlink") in settings)
    prepared = read_and_split(root, "detection", splitting(), 0)
    assert len(prepared.splits["gold"].images) == 4
    assert len(prepared.splits["pool"].images) == 3
    prepare(root, tmp_path / "out", "detection", splitting(duplicate_distance=4), 0)
    assert (tmp_path / "out" / "gold" / "coco.json").exists()


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    """A root of links into the cache of its repository."""
    return repository(tmp_path_factory.mktemp("linked"), ("cache.type", "symlink"))


def test_a_root_elsewhere_may_link_to_the_cache_of_the_working_folder(
    linked, tmp_path, monkeypatch
):
    cached = (linked / "images" / "gold" / "0.png").resolve()
    (tmp_path / "0.png").symlink_to(cached)
    assert path_inside(tmp_path, "0.png") is None
    monkeypatch.chdir(linked.parent)
    assert path_inside(tmp_path, "0.png") == tmp_path / "0.png"


def test_a_repaired_root_needs_no_cache(linked, tmp_path):
    cached = (linked / "gold.json").resolve()
    before = cached.read_bytes()
    assert repair(linked, tmp_path / "new", "detection") == []
    assert not any(path.is_symlink() for path in (tmp_path / "new").rglob("*"))
    read_and_split(tmp_path / "new", "detection", splitting(), 0)
    assert cached.read_bytes() == before


def test_a_linked_coco_file_is_repaired_in_the_copy_alone(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{index}.png" for index in range(4)])
    content["images"][0]["width"] = 40.0
    write_json(tmp_path / "labels.json", content)
    before = (tmp_path / "labels.json").read_bytes()
    (root / "gold.json").unlink()
    (root / "gold.json").symlink_to("../labels.json")
    assert len(repair(root, tmp_path / "elsewhere" / "new", "detection")) == 1
    read_and_split(tmp_path / "elsewhere" / "new", "detection", splitting(), 0)
    assert (tmp_path / "labels.json").read_bytes() == before


def outside(folder, target):
    link = folder / "link.png"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    return path_inside(folder, "link.png") is None


def test_only_files_of_the_cache_are_inside(linked, tmp_path):
    folder = linked / "images" / "gold"
    cached = (folder / "0.png").resolve()
    project, cache = linked.parents[1], cached.parents[3]
    assert cache == project / ".dvc" / "cache"
    assert not outside(folder, cached)
    assert outside(folder, "/etc/passwd")
    assert outside(folder, cache / ".." / ".." / ".." / ".." / ".." / "etc" / "passwd")
    assert outside(folder, cached.parent / ".." / ".." / ".." / ".." / "config")
    write_image(cache / "secret.png", 1)
    assert outside(folder, cache / "secret.png")
    secret = tmp_path / "secret.png"
    write_image(secret, 1)
    planted = cached.with_name("0" * 30)
    planted.symlink_to(secret)
    assert outside(folder, planted)
    (folder / "link.png").unlink()
    planted.unlink()


def test_a_name_that_leads_into_the_cache_without_a_link_is_outside(linked):
    cached = (linked / "images" / "gold" / "0.png").resolve()
    name = f"../../../{cached.relative_to(linked.parents[1]).as_posix()}"
    assert (linked / "images" / name).exists()
    assert path_inside(linked / "images", name) is None


@pytest.mark.parametrize("config", ["[cache]\n    dir = /\n", "[cache\n", "\0\xff"])
def test_a_config_in_the_data_opens_no_other_folder(tmp_path, config):
    root = raw_root(tmp_path / "raw", gold_count=4)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(config)
    assert outside(root / "images" / "gold", "/etc/passwd")


def test_links_that_lead_out_are_named_with_their_target(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    for name in ("gold/1.png", "pool/link.png"):
        (root / "images" / name).unlink(missing_ok=True)
        write_image(tmp_path / Path(name).name, 7)
        (root / "images" / name).symlink_to(f"../../../{Path(name).name}")
    (tmp_path / "photos").mkdir()
    (root / "images" / "more").symlink_to("../../photos")
    with pytest.raises(DataError) as caught:
        read_and_split(root, "detection", splitting(), 0)
    linked = "images: expected links to files inside images/, found the link"
    inside = "gold.json: image id 2 (gold/1.png): expected a path inside images/, found the link"
    assert sorted(map(str, caught.value.faults)) == [
        f"{inside} 'gold/1.png' to '../../../1.png'",
        f"{linked} 'more' to '../../photos'",
        f"{linked} 'pool/link.png' to '../../../link.png'",
    ]


PROGRAM = """
import sys
from pathlib import Path
from tqdm import tqdm
from pseudolabel.core.files import path_inside

lock = tqdm.get_lock()
images = Path("data/raw/images")
link = next(path for path in sorted(images.rglob("*")) if path.is_symlink())
assert path_inside(images, link.relative_to(images).as_posix()) is not None
assert "dvc.progress" in sys.modules
assert tqdm.get_lock() is lock
"""


def test_the_lock_of_progress_bars_stays_the_same(tmp_path):
    repository(tmp_path, ("cache.type", "symlink"))
    run(tmp_path, sys.executable, "-c", PROGRAM)
