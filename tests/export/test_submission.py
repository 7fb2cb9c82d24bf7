"""Predictions in shards, written as COCO results and as CSV."""

import csv
import json

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from pseudolabel.core import masks
from pseudolabel.core.errors import ParamsError
from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.export import FIELDS
from pseudolabel.export.objects import _starts_and_lengths
from pseudolabel.export.submission import ExportOptions, check_columns, write_submission
from pseudolabel.formats.prediction_store import shard_writer
from pseudolabel.formats.shards import list_shards, shard_path, write_probabilities, write_shard
from tests.builders import CATEGORIES, images, predictions

POOL = images(3)
"""0001.png to 0003.png, 100 x 80 pixels, two images per shard."""


def submission(folder, task, columns, map_size=None):
    """The rows of the CSV, and the COCO results."""
    options = ExportOptions(CATEGORIES, columns, map_size)
    write_submission(list_shards(folder, POOL, 2), FIELDS[task], options, folder)
    with (folder / "submission.csv").open() as stream:
        rows = list(csv.reader(stream))
    return rows, json.loads((folder / "results.json").read_text())


@pytest.fixture
def boxes(tmp_path):
    """Two boxes in the first image, the lower score first; none in the second, one in the third."""
    first = predictions([(1, 1, (1, 2, 11, 22), 0.25), (1, 3, (10, 20, 30.5, 40), 0.5)])
    last = predictions([(3, 2, (0, 0, 5, 6), 0.75)])
    write_shard(shard_path(tmp_path, 0), first)
    write_shard(shard_path(tmp_path, 1), last)
    return tmp_path


def test_each_object_has_a_row_best_first(boxes):
    columns = {"image_id": "stem", "label": "class", "id": "class_id", "index": "class_index"}
    columns |= {"conf": "score", "xmin": "x1", "ymin": "y1", "xmax": "x2", "ymax": "y2"}
    rows, results = submission(boxes, "detection", columns | {"w": "width", "h": "height"})
    assert rows == [
        [*columns, "w", "h"],
        ["0001", "star", "3", "2", "0.5", "10.0", "20.0", "30.5", "40.0", "20.5", "20.0"],
        ["0001", "disc", "1", "0", "0.25", "1.0", "2.0", "11.0", "22.0", "10.0", "20.0"],
        ["0003", "rod", "2", "1", "0.75", "0.0", "0.0", "5.0", "6.0", "5.0", "6.0"],
    ]
    assert results == [
        {"image_id": 1, "category_id": 3, "bbox": [10.0, 20.0, 20.5, 20.0], "score": 0.5},
        {"image_id": 1, "category_id": 1, "bbox": [1.0, 2.0, 10.0, 20.0], "score": 0.25},
        {"image_id": 3, "category_id": 2, "bbox": [0.0, 0.0, 5.0, 6.0], "score": 0.75},
    ]


def test_each_image_has_a_row_if_no_column_is_a_field_of_objects(boxes):
    rows, _ = submission(boxes, "detection", {"image_id": "file", "PredictionString": "boxes"})
    assert rows == [
        ["image_id", "PredictionString"],
        ["0001.png", "2 0.5 10.0 20.0 30.5 40.0 0 0.25 1.0 2.0 11.0 22.0"],
        ["0002.png", ""],
        ["0003.png", "1 0.75 0.0 0.0 5.0 6.0"],
    ]


def test_masks_are_written_in_both_encodings(tmp_path):
    grid = np.zeros((1, 80, 100), bool)
    grid[0, 10:13, 4:6] = True
    (counts,) = masks.encode(grid)
    rows = predictions([(1, 1, (4, 10, 6, 13), 0.5)])
    rows.masks[0], rows.areas[0] = counts, 6
    write_shard(shard_path(tmp_path, 0), rows)
    write_shard(shard_path(tmp_path, 1), rows[:0])
    columns = {"rle": "rle", "pixels": "starts_and_lengths", "area": "area"}
    lines, (result,) = submission(tmp_path, "instance", columns)
    # 80 pixels per column: in column 4 from the eleventh pixel on, then in column 5.
    assert lines[1] == [counts.decode(), "331 3 411 3", "6"]
    assert np.array_equal(coco_masks.decode(result["segmentation"]), grid[0])


def test_a_mask_that_begins_at_the_first_pixel_starts_at_one():
    (counts,) = masks.encode(np.ones((1, 2, 3), bool))
    assert _starts_and_lengths(counts) == "1 6"


@pytest.fixture
def maps(tmp_path):
    grids = [np.zeros((80, 100), np.uint8), np.full((80, 100), 2, np.uint8)]
    grids[0][:40] = 1
    confidences = [np.full((80, 100), 200, np.uint8)]
    writer = shard_writer("pixels", tmp_path, len(CATEGORIES))
    writer.add(LabelMaps(np.array([1]), grids[:1], confidences))
    writer.close(shard_path(tmp_path, 0), ["0002.png"])
    writer.add(LabelMaps(np.array([3]), grids[1:], confidences))
    writer.close(shard_path(tmp_path, 1), [])
    return tmp_path


def test_label_maps_are_written_as_class_indices_at_the_map_size(maps):
    columns = {"image_id": "file", "PredictionString": "class_map"}
    rows, results = submission(maps, "semantic", columns, map_size=(5, 4))
    assert rows == [
        ["image_id", "PredictionString"],
        ["0001.png", " ".join(["1"] * 10 + ["0"] * 10)],
        ["0003.png", " ".join(["2"] * 20)],
    ]
    assert [(result["image_id"], result["category_id"]) for result in results] == [
        (1, 1),
        (1, 2),
        (3, 3),
    ]
    assert coco_masks.decode(results[1]["segmentation"])[:40].all()
    whole, _ = submission(maps, "semantic", columns)
    assert len(whole[1][1].split()) == 80 * 100


def test_classes_are_written_with_their_probabilities(tmp_path):
    values = np.array([[0.2, 0.7, 0.1]], np.float32)
    first = Probabilities(np.array([1]), values)
    write_probabilities(shard_path(tmp_path, 0), first, ["0002.png"])
    write_probabilities(shard_path(tmp_path, 1), Probabilities(np.array([3]), values[:, ::-1]))
    columns = {"img": "file", "label": "class", "id": "class_id", "p": "probabilities"}
    rows, results = submission(tmp_path, "classification", columns)
    assert rows[1:] == [
        ["0001.png", "rod", "2", "0.2000 0.7000 0.1000"],
        ["0003.png", "rod", "2", "0.1000 0.7000 0.2000"],
    ]
    assert results[0] == {"image_id": 1, "category_id": 2, "score": 0.7}


def test_columns_with_unknown_fields_are_refused():
    with pytest.raises(ParamsError) as error:
        check_columns({"a": "file", "b": "rle", "c": "nothing"}, FIELDS["detection"])
    assert "found b: 'rle'; c: 'nothing'" in str(error.value)
    assert "expected any of file, stem, image_id, boxes, class, " in str(error.value)
