"""Images that change after prepare: no stage trains, labels or scores on them."""

import os
import re
import shutil
from dataclasses import replace

import pytest

from pseudolabel.core.files import hash_file
from pseudolabel.evaluation.evaluate import score_model
from pseudolabel.formats.image_files import ChangedImageError, read_unchanged
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.training.train import train
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
