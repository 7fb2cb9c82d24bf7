"""The manifest: what is read again, what is not, and that the result is that of reading all."""

import os
import subprocess
import sys

import numpy as np
import pytest

from pseudolabel.core.files import hash_file, read_json
from pseudolabel.manifest import file_states, manifest, read_files
from pseudolabel.manifest.manifest import Changes, read_manifest, write_manifest
from pseudolabel.raw.kept_hashes import kept_perceptual_hashes
from pseudolabel.raw.layout import read_raw
from pseudolabel.raw.perceptual_hashes import perceptual_hashes
from tests.builders import raw_root, write_image
from tests.raw.test_layout import BOXES

OLD = 1_600_000_000


def make_old(root, monkeypatch):
    """Let no file of a root count as recent: `changed` cannot be set, so the clock is put on."""
    monkeypatch.setattr(read_files, "_RECENT", -(10**18))
    for path in root.rglob("*"):
        os.utime(path, (OLD, OLD))


@pytest.fixture
def root(tmp_path, monkeypatch):
    made = raw_root(tmp_path / "raw", gold_count=3, pool_count=3, val=1)
    (made / "images" / "not_an_image.png").write_text("text")
    (made / "notes.txt").write_text("notes")
    make_old(made, monkeypatch)
    return made


@pytest.fixture
def opened(monkeypatch):
    """The names of the files that were read."""
    names, read_file = [], read_files._read_file

    def record(path):
        names.append(path.name)
        return read_file(path)

    monkeypatch.setattr(read_files, "_read_file", record)
    return names


def test_all_files_are_read_once(root, tmp_path, opened):
    kept = tmp_path / "kept.parquet"
    first = read_manifest(root, kept)
    assert first.changes == Changes(new=11, changed=0, removed=0)
    assert first.summary["files"] == 11
    assert first.summary["images"] == 8
    assert first.summary["bytes"] == sum(p.stat().st_size for p in root.rglob("*") if p.is_file())
    assert len(opened) == 11
    again = read_manifest(root, kept)
    assert len(opened) == 11
    assert again.changes == Changes(new=0, changed=0, removed=0)
    assert again.summary == first.summary
    for name in first.images:
        assert again.facts(name) == first.facts(name)


def test_only_new_and_changed_files_are_read(root, tmp_path, opened):
    kept = tmp_path / "kept.parquet"
    before = read_manifest(root, kept)
    opened.clear()
    write_image(root / "images" / "pool" / "9.png", 9)
    write_image(root / "images" / "gold" / "0.png", 99)
    (root / "images" / "pool" / "1.png").unlink()
    os.utime(root / "images" / "pool" / "2.png", (OLD + 1, OLD + 1))
    found = read_manifest(root, kept)
    assert sorted(opened) == ["0.png", "2.png", "9.png"]
    # The content of 2.png is the same.
    assert found.changes == Changes(new=1, changed=1, removed=1)
    assert found.summary["digest"] != before.summary["digest"]
    fresh = read_manifest(root)
    assert found.summary == fresh.summary
    assert found.images == fresh.images
    assert [found.facts(name) for name in found.images] == [
        fresh.facts(name) for name in fresh.images
    ]


def test_files_that_swap_their_names_are_read_again(root, tmp_path):
    # They have the same size, and keep the time of their content.
    one, other = (root / "images" / "pool" / f"{number}.png" for number in (0, 1))
    one.write_bytes(other.read_bytes()[:-1] + b"x")
    for path in (one, other):
        os.utime(path, (OLD, OLD))
    kept = tmp_path / "kept.parquet"
    read_manifest(root, kept)
    one.rename(root / "aside")
    other.rename(one)
    (root / "aside").rename(other)
    assert read_manifest(root, kept).changes == Changes(new=0, changed=2, removed=0)
    assert read_manifest(root, kept).facts("pool/0.png").digest == hash_file(one)


def test_a_file_that_has_just_changed_is_read_again(root, tmp_path, monkeypatch):
    monkeypatch.undo()
    kept = tmp_path / "kept.parquet"
    path = root / "images" / "pool" / "0.png"
    read_manifest(root, kept)
    status = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_manifest(root, kept).facts("pool/0.png").digest == hash_file(path)


def test_what_a_link_leads_to_is_read_each_time(root, tmp_path):
    target = root / "images" / "pool" / "0.png"
    (root / "images" / "link.png").symlink_to(target)
    kept = tmp_path / "kept.parquet"
    assert "link.png" in read_manifest(root, kept).images
    assert read_manifest(root, kept).facts("link.png") is None


def test_a_kept_manifest_is_of_one_root(root, tmp_path):
    kept = tmp_path / "kept.parquet"
    read_manifest(root, kept)
    other = raw_root(tmp_path / "other", gold_count=2)
    assert read_manifest(other, kept).changes == Changes(new=6, changed=0, removed=0)


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more", None], ids=["empty", "cut", "half"])
def test_a_damaged_kept_manifest_is_made_again(root, tmp_path, damage):
    kept = tmp_path / "kept.parquet"
    first = read_manifest(root, kept)
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2] if damage is None else damage)
    assert read_manifest(root, kept).summary == first.summary
    assert read_manifest(root, kept).changes == Changes(new=0, changed=0, removed=0)


def test_a_kill_loses_only_the_last_files(root, tmp_path, opened, monkeypatch):
    monkeypatch.setattr(manifest, "_KEEP_EVERY", 4)
    kept = tmp_path / "kept.parquet"
    read_file, stops = read_files._read_file, iter([False] * 9 + [True])

    def read_or_stop(path):
        if next(stops, False):
            raise KeyboardInterrupt
        return read_file(path)

    monkeypatch.setattr(read_files, "_read_file", read_or_stop)
    with pytest.raises(KeyboardInterrupt):
        read_manifest(root, kept)
    opened.clear()
    found = read_manifest(root, kept)
    assert len(opened) == 11 - 8
    assert found.summary == read_manifest(root).summary


def test_many_files_are_listed_by_several_processes(root, monkeypatch):
    alone = file_states.read_file_states(root)
    monkeypatch.setattr(file_states, "_CHUNK", 2)
    monkeypatch.setattr(file_states, "_FEW_CHUNKS", 1)
    together = file_states.read_file_states(root)
    assert together.names == alone.names
    assert np.array_equal(together.states, alone.states)
    assert together.signature == alone.signature


def test_names_that_are_no_utf_8_are_listed(root):
    (root / "images" / "pool" / "0.png").rename(root / "images" / os.fsdecode(b"\xff.png"))
    found = read_manifest(root)
    assert os.fsdecode(b"\xff.png") in found.images


def test_the_manifest_has_no_times_and_no_order(root, tmp_path):
    write_manifest(root, tmp_path / "one.json", tmp_path / "kept", 0)
    copy = tmp_path / "copy"
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_file():
            (copy / path.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(root)).write_bytes(path.read_bytes())
    write_manifest(copy, tmp_path / "other.json", tmp_path / "other_kept", 0)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    assert read_json(tmp_path / "one.json")["files"] == 11


def test_what_changed_is_told(root, tmp_path):
    def tell():
        return write_manifest(root, tmp_path / "one.json", tmp_path / "kept", 0)

    counts = "11 files, 8 images"
    assert tell() == f"{root}: {counts}: 11 new, 0 changed, 0 removed"
    assert tell() == f"{root}: {counts}: none changed"
    (root / "notes.txt").write_text("other notes")
    assert tell() == f"{root}: {counts}: 0 new, 1 changed, 0 removed"


def test_raw_data_are_the_same_with_what_was_kept(root, tmp_path):
    def read(kept):
        return read_raw(root, BOXES, hashes=True, kept=kept)

    alone, first = read(None), read(tmp_path / "kept")
    write_image(root / "images" / "pool" / "7.png", 77)
    second, fresh = read(tmp_path / "kept"), read(None)
    for one, other in ((alone, first), (fresh, second)):
        assert one.pool.file_names.tolist() == other.pool.file_names.tolist()
        assert one.pool.hashes.tolist() == other.pool.hashes.tolist()
        assert one.gold.images.hashes.tolist() == other.gold.images.hashes.tolist()
        assert one.perceptual_hashes == other.perceptual_hashes
        assert one.unreadable == other.unreadable == ["not_an_image.png"]


def test_one_more_image_costs_one_more_image(root, tmp_path, monkeypatch):
    folder, kept = root / "images" / "pool", tmp_path / "hashes.parquet"
    digests = {path.name: hash_file(path) for path in sorted(folder.iterdir())}
    decoded = []

    def record(folder, names, known):
        decoded.extend(names)
        return perceptual_hashes(folder, names, known)

    monkeypatch.setattr("pseudolabel.raw.kept_hashes.perceptual_hashes", record)
    first, _ = kept_perceptual_hashes(folder, digests, kept)
    assert decoded == ["0.png", "1.png", "2.png"]
    write_image(folder / "3.png", 3)
    (folder / "4.png").write_text("no image")
    digests |= {name: hash_file(folder / name) for name in ("3.png", "4.png")}
    decoded.clear()
    second, damaged = kept_perceptual_hashes(folder, digests, kept)
    assert decoded == ["3.png", "4.png"]
    assert list(damaged) == ["4.png"]
    assert list(second) == ["0.png", "1.png", "2.png", "3.png"]
    assert {name: second[name] for name in first} == first
    assert second == perceptual_hashes(folder, list(second))[0]


def test_the_command_index_prints_what_is_new(tmp_path):
    root = raw_root(tmp_path / "raw")
    commands = ["-m", "pseudolabel"]
    run = [sys.executable, *commands]
    made = [*run, "init", "project", "--task", "detection", "--data", str(root)]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    shown = subprocess.run(
        [*run, "index"], cwd=tmp_path / "project", check=True, capture_output=True, text=True
    )
    assert shown.stdout == "../raw: 8 files, 7 images: 8 new, 0 changed, 0 removed\n"
    assert read_json(tmp_path / "project" / "data" / "manifest.json")["images"] == 7
