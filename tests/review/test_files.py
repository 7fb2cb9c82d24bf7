"""Review by files: images go out with predictions, a corrected COCO file comes back as gold."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pseudolabel.__main__ import main
from pseudolabel.core import masks
from pseudolabel.core.project import PREPARED, REVIEWED_GOLD, RoundFolder
from pseudolabel.formats.map_shards import MapShards
from pseudolabel.formats.shards import read_shard, shard_path, shard_paths, write_shard
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.review.batch import Batch
from pseudolabel.review.candidates import last_round, read_candidates
from pseudolabel.splits.prepare import prepare
from tests.builders import pseudolabel as run_command
from tests.builders import splitting
from tests.review.conftest import names_in

EVERY_TASK = pytest.mark.parametrize(
    "any_task",
    ["detection", "instance", "semantic", "classification"],
    indirect=True,
)
ONE_TASK = pytest.mark.parametrize("any_task", ["detection"], indirect=True)


def review(*arguments):
    """Run a review command in this folder; return its output."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["pseudolabel", "review", *map(str, arguments)])
        assert main() == 0


def corrected(change=None):
    """Write the corrected file of batch 1: the predictions, changed."""
    content = json.loads(Batch.read(1).folder.joinpath("to_review.json").read_text())
    if change:
        change(content)
    path = Batch.read(1).folder / "corrected.json"
    path.write_text(json.dumps(content))
    return path


def prepare_again(project):
    """Prepare the project's data with what was reviewed."""
    again = PREPARED.with_name("again")
    prepare(project.data.root, again, project.task, splitting(0.2), 0, REVIEWED_GOLD)


@EVERY_TASK
def test_corrections_become_gold(any_task, project, capsys):
    before = {split: names_in(split) for split in ("gold", "val", "test", "pool")}
    review("send", "--to", "coco", "--count", 4, "--by", "doubt")
    batch = Batch.read(1)
    sent = {image.file_name for image in batch.images}
    assert len(sent) == 4
    assert sent <= before["pool"]
    assert all((batch.folder / "images" / name).is_file() for name in sent)
    # A person empties one image and leaves out another one.
    left_out, emptied = sorted(sent)[:2]

    def change(content):
        ids = {row["file_name"]: row["id"] for row in content["images"]}
        gone = ids[left_out], ids[emptied]
        content["images"] = [row for row in content["images"] if row["id"] != gone[0]]
        kept = [row for row in content["annotations"] if row["image_id"] not in gone]
        content["annotations"] = kept

    path = corrected(change)
    review("fetch", "--file", path)
    assert "3 of 4 images submitted" in capsys.readouterr().out
    reviewed = REVIEWED_GOLD / "reviewed.json"
    written = reviewed.read_bytes()
    review("fetch", 1, "--file", path)
    assert reviewed.read_bytes() == written

    prepare_again(project)
    gold = SplitFolder(PREPARED.with_name("again") / "gold")
    names = set(gold.read().images.file_names.tolist())
    # An image without labels is a negative for objects, and is left out for pixels and classes.
    empty = {emptied} if any_task.task in ("detection", "instance") else set()
    assert names == before["gold"] | (sent - {left_out, emptied}) | empty
    assert not names & (before["val"] | before["test"])
    sources = {row["source"] for row in json.loads(gold.coco_file.read_text())["annotations"]}
    assert sources == {"gold", "review"}
    assert gold.reviewed_images == len(names) - len(before["gold"])


@pytest.mark.parametrize("any_task", ["detection", "instance"], indirect=True)
@pytest.mark.usefixtures("project")
def test_objects_without_an_area_are_not_sent(any_task):
    path = shard_path(RoundFolder(1).predictions, 0)
    rows = read_shard(path)
    # Per image: a box without a width, then one that is seen, then an empty mask if there are any.
    boxes, found = rows.boxes_xyxy.copy(), rows.masks.copy()
    boxes[0::3, 2] = boxes[0::3, 0]
    empty = any_task.task == "instance"
    if empty:
        found[2::3] = masks.encode(np.zeros((1, 80, 96), bool))[0]
    sure = np.ones_like(rows.scores)
    rows = replace(rows, boxes_xyxy=boxes, masks=found, scores=sure)
    path.unlink()
    write_shard(path, rows)
    review("send", "--to", "coco", "--count", 4, "--by", "random")
    counts = {len(image.labels) for image in Batch.read(1).images}
    assert counts == {1 if empty else 2}


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_pixels_come_back_as_label_maps(project):
    review("send", "--to", "coco", "--count", 2)
    path = corrected()
    review("fetch", "--file", path)
    images = Batch.read(1).images
    prepare_again(project)
    gold = SplitFolder(PREPARED.with_name("again") / "gold")
    found = gold.read().images
    ids = dict(zip(found.file_names, found.ids.tolist(), strict=True))
    pool = SplitFolder(PREPARED / "pool").read().images
    predicted = MapShards(shard_paths(RoundFolder(1).predictions))
    for image in images:
        (row,) = np.flatnonzero(pool.file_names == image.file_name)
        assert np.array_equal(predicted.labels(pool.ids[row]), gold.label_map(ids[image.file_name]))


@ONE_TASK
@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("by", ["doubt", "diversity", "both", "random"])
def test_no_image_is_sent_twice(by):
    pool = names_in("pool")
    for _ in range(3):
        review("send", "--to", "coco", "--count", 4, "--by", by)
    batches = [Batch.read(number) for number in (1, 2, 3)]
    names = [image.file_name for batch in batches for image in batch.images]
    assert len(names) == len(set(names)) == len(pool)
    with pytest.raises(SystemExit, match="an image that was not sent yet"):
        review("send", "--to", "coco")


@ONE_TASK
@pytest.mark.usefixtures("project")
def test_images_of_test_are_never_sent(any_task):
    PREPARED.unlink()
    prepare(any_task.root, PREPARED, "detection", splitting(0.2, transductive=True), 0)
    assert names_in("test") <= names_in("pool")
    offered = set(read_candidates(last_round()).images.file_names.tolist())
    assert not offered & (names_in("test") | names_in("val") | names_in("tuning"))


def add_class(content):
    content["categories"].append({"id": 99, "name": "unknown"})


def other_image(content):
    content["images"][0]["file_name"] = "elsewhere.png"


def other_size(content):
    content["images"][0]["width"] += 1


@ONE_TASK
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_class, "expected one of the classes disc, rod, star, found 'unknown'"),
        (other_image, "expected an image of batch 1"),
        (other_size, "expected the image's width and height"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_written(change, message):
    review("send", "--to", "cvat", "--count", 2)
    path = corrected(change)
    with pytest.raises(SystemExit, match=message):
        review("fetch", "--file", path)
    assert not (REVIEWED_GOLD / "reviewed.json").exists()


@ONE_TASK
@pytest.mark.usefixtures("project")
def test_files_need_a_file_and_batches_a_number():
    with pytest.raises(SystemExit, match="review/0/sent.json: expected one of the batches"):
        review("fetch")
    review("send", "--to", "coco", "--count", 1)
    with pytest.raises(SystemExit, match="batch 1 was sent as files: give --file"):
        review("fetch")
    with pytest.raises(SystemExit, match="review/7/sent.json: expected one of .* were sent: 1"):
        review("fetch", 7)


@ONE_TASK
@pytest.mark.usefixtures("project")
def test_names_are_found_by_their_ending():
    review("send", "--to", "coco", "--count", 2)

    def move(content):
        for row in content["images"]:
            row["file_name"] = "upload/7/" + row["file_name"]

    review("fetch", "--file", corrected(move))
    content = json.loads((REVIEWED_GOLD / "reviewed.json").read_text())
    names = {row["file_name"] for row in content["images"]}
    assert names == {image.file_name for image in Batch.read(1).images}


def test_help_says_what_can_be_done():
    status, output, _ = run_command("review", "--help")
    assert status == 0
    assert all(action in output for action in ("start", "send", "fetch"))
