import json

import cv2
import numpy as np
import pytest

from pseudolabel.core.columns import positions
from pseudolabel.core.errors import DataError
from pseudolabel.core.files import hash_folder
from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.formats.prediction_store import shard_writer
from pseudolabel.formats.shards import shard_path, write_probabilities
from pseudolabel.formats.silver_folder import DECISIONS, SOFT_LABELS, write_decisions
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.filter import Filter, ObjectFilter, SemanticFilter
from pseudolabel.silver.classes import ClassFilter
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.merge import merge, merge_everything
from pseudolabel.silver.objects import BoxFilter
from pseudolabel.silver.pixels import PixelFilter
from tests import builders
from tests.silver.pool import (
    SHARD_IDS,
    random_predictions,
    write_predictions,
    write_prepared,
    write_teacher,
)


@pytest.fixture
def prepared(tmp_path):
    return write_prepared(tmp_path / "prepared")


def make_silver(tmp_path, prepared, score=0.5, hide_score=None):
    write_predictions(tmp_path / "predictions", random_predictions())
    section = builders.open_filter(
        ObjectFilter, score=score, hide_score=hide_score, nms_iou=0.9, min_boxes=1
    )
    silver = tmp_path / "silver"
    write_silver(prepared, tmp_path / "predictions", None, silver, section, BoxFilter)
    return silver


def merged_rows(tmp_path, prepared):
    """Merge, and return the content of the COCO files of gold and silver."""
    merge(prepared, tmp_path / "silver", tmp_path / "merged")
    files = (tmp_path / "merged" / name / "coco.json" for name in ("gold", "silver"))
    return [json.loads(file.read_bytes()) for file in files]


def test_merged_annotations_have_their_source(tmp_path, prepared):
    make_silver(tmp_path, prepared)
    gold, silver = merged_rows(tmp_path, prepared)
    assert hash_folder(tmp_path / "merged" / "gold") == hash_folder(prepared / "gold")
    rows = silver["annotations"]
    sources = {(row["source"], row["round"], row["teacher"]) for row in rows}
    assert sources == {("silver", 1, "feed")}
    assert all(0.5 <= row["score"] <= 1 for row in rows)
    assert [row["id"] for row in rows] == list(range(5, 5 + len(rows)))
    assert {row["source"] for row in gold["annotations"]} == {"gold"}
    pool = set(SplitFolder(prepared / "pool").read().images.ids.tolist())
    assert {image["id"] for image in silver["images"]} <= pool


def test_merging_again_gives_the_same_bytes(tmp_path, prepared):
    silver = make_silver(tmp_path, prepared)
    for name in ("first", "second"):
        merge(prepared, silver, tmp_path / name)
    assert hash_folder(tmp_path / "first") == hash_folder(tmp_path / "second")


def test_silver_on_gold_images_is_an_error(tmp_path, prepared):
    silver = make_silver(tmp_path, prepared)
    write_decisions(silver / DECISIONS, np.array([2, 11]), np.ones(2, int), np.ones(2), ["", ""])
    with pytest.raises(DataError, match="silver: image id 2: expected an image of the pool"):
        merge(prepared, silver, tmp_path / "merged")


def test_silver_on_a_dropped_image_is_an_error(tmp_path, prepared):
    silver = make_silver(tmp_path, prepared)
    write_decisions(silver / DECISIONS, np.array([11]), np.ones(1, int), np.ones(1), [""])
    with pytest.raises(DataError, match="expected an image that was kept"):
        merge(prepared, silver, tmp_path / "merged")


def test_hidden_objects_are_merged_as_crowds(tmp_path, prepared):
    make_silver(tmp_path, prepared, score=0.7, hide_score=0.3)
    _, silver = merged_rows(tmp_path, prepared)
    scores = {0: [], 1: []}
    for row in silver["annotations"]:
        scores[row["iscrowd"]].append(row["score"])
    assert min(scores[0]) >= 0.7 > max(scores[1])
    assert min(scores[1]) >= 0.3


def test_probabilities_are_merged_in_the_order_of_the_images(tmp_path, prepared):
    pool = SplitFolder(prepared / "pool").read().images
    values = np.random.default_rng(0).dirichlet(np.ones(3), len(pool)).astype(np.float32)
    for number, ids in enumerate(SHARD_IDS):
        shard = shard_path(tmp_path / "predictions", number)
        write_probabilities(shard, Probabilities(ids, values[positions(ids, pool.ids)]))
    write_teacher(tmp_path / "predictions")
    section = builders.open_filter(Filter, score=0.5, top_share=0.7)
    silver = tmp_path / "silver"
    write_silver(prepared, tmp_path / "predictions", None, silver, section, ClassFilter)
    merge(prepared, silver, tmp_path / "merged")
    merged = SplitFolder(tmp_path / "merged" / "silver")
    dataset, soft_labels = merged.read(), np.load(merged.path / SOFT_LABELS)
    rows = positions(dataset.images.ids, pool.ids)
    assert 0 < len(rows) < len(pool)
    assert np.array_equal(soft_labels, values[rows])
    assert soft_labels.max(axis=1) == pytest.approx(dataset.annotations.scores, abs=1e-4)


@pytest.fixture
def pixels(tmp_path, prepared):
    """Predicted maps of the pool by image id; the labels of the first image are not confident."""
    rng = np.random.default_rng(0)
    predicted = {image_id: rng.integers(0, 3, (8, 10), np.uint8) for image_id in range(11, 21)}
    writer = shard_writer("pixels", tmp_path / "predictions", 3)
    for number, ids in enumerate(SHARD_IDS):
        confidences = [np.full((8, 10), 60 + 9 * (image_id - 11), np.uint8) for image_id in ids]
        writer.add(LabelMaps(ids, [predicted[image_id] for image_id in ids], confidences))
        writer.close(shard_path(tmp_path / "predictions", number), [])
    write_teacher(tmp_path / "predictions")
    section = builders.open_filter(SemanticFilter, score=0.3, top_share=0.5)
    silver = tmp_path / "silver"
    write_silver(prepared, tmp_path / "predictions", None, silver, section, PixelFilter)
    merge(prepared, silver, tmp_path / "merged")
    return predicted


def test_merged_silver_has_the_label_maps_of_its_images(tmp_path, pixels):
    merged = SplitFolder(tmp_path / "merged" / "silver")
    images, rows = merged.read().images, merged.read().annotations
    # The surest half of the pool.
    assert images.ids.tolist() == [16, 17, 18, 19, 20]
    assert merged.map_shards.image_ids.tolist() == images.ids.tolist()
    for image_id in images.ids.tolist():
        assert np.array_equal(merged.label_map(image_id), pixels[image_id])
    assert rows.areas.sum() == 5 * 8 * 10
    with pytest.raises(DataError, match="image id 11: expected a label map in a shard, found none"):
        merged.label_map(11)


@pytest.mark.usefixtures("pixels")
def test_a_round_of_pixels_has_four_files_per_shard(tmp_path):
    files = [
        path.relative_to(tmp_path).as_posix()
        for folder in ("predictions", "silver", "merged/silver")
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    ]
    shards = [file for file in files if file.endswith(".parquet") and "shard-" in file]
    assert len(shards) == 4 * len(SHARD_IDS)
    others = {"predictions/teacher.json", "silver/teacher.json", "silver/images.parquet"}
    assert set(files) - set(shards) == others | {"silver/report.json", "merged/silver/coco.json"}


@pytest.mark.usefixtures("pixels")
def test_label_maps_of_silver_are_written_as_png_files(tmp_path):
    merged, output = tmp_path / "merged" / "silver", tmp_path / "png"
    status, printed, _ = builders.pseudolabel("masks", merged, output)
    assert (status, printed) == (0, f"5 label maps in {output}\n")
    split = SplitFolder(merged)
    assert sorted(path.name for path in output.iterdir()) == split.read().images.file_names.tolist()
    for image_id in split.map_shards.image_ids.tolist():
        # The ids of the classes are their indices plus one.
        values = cv2.imread(str(output / f"{image_id:04d}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(values, split.label_map(image_id) + 1)
    for arguments, text in (((merged, output), "a new folder"), ((output, merged), "a split with")):
        status, _, message = builders.pseudolabel("masks", *arguments)
        assert status == 1
        assert f"expected {text}" in message


def test_all_labels_but_those_of_test_are_merged(tmp_path):
    for number, split in enumerate(("gold", "val", "tuning")):
        first_id = 20 - 5 * number
        folder = SplitFolder(tmp_path / "prepared" / split)
        folder.write(builders.dataset(3, first_id))
        for image_id in range(first_id, first_id + 3):
            folder.write_label_map(image_id, np.full((2, 2), image_id, np.uint8))
    merge_everything(tmp_path / "prepared", tmp_path / "prepared", tmp_path / "everything")
    gold = SplitFolder(tmp_path / "everything" / "gold")
    dataset = gold.read()
    expected = [10, 11, 12, 15, 16, 17, 20, 21, 22]
    assert dataset.images.ids.tolist() == expected
    assert dataset.annotations.image_ids.tolist() == expected
    assert len(set(dataset.annotations.ids.tolist())) == 9
    assert all((gold.label_map(image_id) == image_id).all() for image_id in expected)
    assert not (tmp_path / "everything" / "silver").exists()
