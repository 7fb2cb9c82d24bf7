"""Images that change after prepare: no stage trains, labels or scores on them."""

import errno
import os
import re
import shutil
from dataclasses import replace

import pytest

from pseudolabel.audit.report import write_audit
from pseudolabel.cli.augmentations_page import write_augmentations_page
from pseudolabel.core.errors import plain_errors
from pseudolabel.core.files import hash_file, read_json
from pseudolabel.evaluation.score import score_model
from pseudolabel.formats.image_files import ChangedImageError, read_unchanged
from pseudolabel.formats.shards import shard_path, write_shard
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models import transforms
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.splits.report import write_report
from pseudolabel.training.train import train
from tests.builders import predictions
from tests.processes import start_stage, write_project

TASKS = ["detection", "instance", "semantic", "classification"]


def overwritten(task, folder, split):
    """A copy of a task, with the first image of a split overwritten by a test image."""
    copied = replace(task, root=folder / "changed")
    shutil.copytree(task.root, copied.root)
    names = [
        str(SplitFolder(task.prepared / name).read().images.file_names[0])
        for name in (split, "test")
    ]
    image, other = (copied.root / "images" / name for name in names)
    times = image.stat()
    shutil.copyfile(other, image)
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    return copied, f"{image}: expected the image that `prepare` read, content hash "


def test_the_message_has_both_hashes_and_says_what_to_do(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"now")
    before = "0" * 32
    with pytest.raises(ChangedImageError) as caught:
        read_unchanged(path, before)
    assert str(caught.value) == (
        f"{path}: expected the image that `prepare` read, content hash {before}, found another "
        f"one, {hash_file(path)}: restore the file, or run `dvc repro` to prepare again"
    )
    assert read_unchanged(path, hash_file(path)) == read_unchanged(path, "") == b"now"


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_training_stops_at_an_image_of_gold_that_became_a_test_image(any_task, tmp_path):
    changed, message = overwritten(any_task, tmp_path, "gold")
    with pytest.raises(ChangedImageError, match=re.escape(message)):
        train(any_task.prepared, any_task.prepared, tmp_path / "model", changed.params())
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_labelling_stops_at_an_image_of_the_pool_that_became_a_test_image(any_task, tmp_path):
    changed, message = overwritten(any_task, tmp_path, "pool")
    with pytest.raises(ChangedImageError, match=re.escape(message)):
        label_pool(any_task.prepared, any_task.model, tmp_path / "out", 1, changed.params())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_no_score_is_measured_on_a_changed_image(any_task, tmp_path):
    changed, message = overwritten(any_task, tmp_path, "val")
    with pytest.raises(ChangedImageError, match=re.escape(message)):
        score_model(any_task.model, any_task.prepared, changed.params())


@pytest.mark.parametrize("any_task", ["detection"], indirect=True)
def test_no_page_shows_a_changed_image(any_task, tmp_path):
    changed, message = overwritten(any_task, tmp_path, "gold")
    gold = SplitFolder(any_task.prepared / "gold").read()
    report = read_json(any_task.prepared / "report.json")
    (tmp_path / "report").mkdir()
    with pytest.raises(ChangedImageError, match=re.escape(message)):
        write_report(tmp_path / "report", changed.root / "images", {"gold": gold}, report)
    with pytest.raises(ChangedImageError, match=re.escape(message)):
        write_augmentations_page(
            any_task.prepared, tmp_path / "page.html", changed.params(), len(gold.images), 1
        )
    # A confident prediction in a corner without a label: the first image is a suspect.
    rows = predictions([(int(gold.images.ids[0]), gold.categories[0].id, (0, 0, 3, 3), 0.99)])
    SplitFolder(tmp_path / "cross_fit" / "gold").write(gold)
    write_shard(shard_path(tmp_path / "cross_fit", 0), rows)
    with pytest.raises(ChangedImageError, match=re.escape(message)):
        write_audit(
            tmp_path / "cross_fit", changed.root / "images", tmp_path / "audit", "detection"
        )


def without_an_image(task, folder):
    """A copy of a task without the first image of gold, and what is said of it."""
    copied = replace(task, root=folder / "changed")
    shutil.copytree(task.root, copied.root)
    name = str(SplitFolder(task.prepared / "gold").read().images.file_names[0])
    image = copied.root / "images" / name
    image.unlink()
    return copied, (
        f"{image}: expected the image that `prepare` read, found No such file or directory: "
        "restore the file, or run `dvc repro` to prepare again"
    )


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_training_stops_with_a_plain_line_at_an_image_that_is_gone(any_task, tmp_path, workers):
    changed, message = without_an_image(any_task, tmp_path)
    params = changed.params(data={"root": str(changed.root), "workers": workers})
    with pytest.raises(SystemExit) as caught, plain_errors():
        train(any_task.prepared, any_task.prepared, tmp_path / "model", params)
    assert caught.value.code == f"error: {message}"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_a_broken_disk_is_no_unreadable_image(any_task, tmp_path, monkeypatch, workers):
    def fail(path, _):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(transforms, "read_unchanged", fail)
    params = any_task.params(data={"root": str(any_task.root), "workers": workers})
    for work in (
        lambda: label_pool(any_task.prepared, any_task.model, tmp_path / "out", 1, params),
        lambda: train(any_task.prepared, any_task.prepared, tmp_path / "model", params),
    ):
        with pytest.raises(SystemExit) as caught, plain_errors():
            work()
        assert re.fullmatch(
            r"error: \S+\.png: Input/output error: check the disk [^\n]*", caught.value.code
        )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("stage", "number", "split"), [("train", 0, "gold"), ("pseudo_label", 1, "pool")]
)
@pytest.mark.parametrize("any_task", ["detection"], indirect=True)
def test_a_stage_ends_with_one_plain_line(any_task, tmp_path, workers, stage, number, split):
    changed, message = overwritten(any_task, tmp_path, split)
    write_project(
        changed.root,
        any_task.prepared,
        tmp_path,
        data={"root": str(changed.root), "workers": workers},
    )
    (tmp_path / "rounds/0").mkdir(parents=True)
    (tmp_path / "rounds/0/champion").symlink_to(any_task.model)
    process = start_stage(tmp_path, stage, number)
    lines = process.communicate()[1].decode().strip().splitlines()
    assert process.returncode == 1
    assert lines[-1].startswith(f"error: {message}")
    assert not [line for line in lines if "Traceback" in line]
