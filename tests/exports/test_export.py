"""Predictions in shards, told as COCO's results and as a CSV."""

import csv
import json

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from pseudolabel import masks
from pseudolabel.errors import ParamsError
from pseudolabel.exports.export import refuse_unknown_fields, write_exports
from pseudolabel.exports.images import CLASSES
from pseudolabel.exports.objects import BOXES, MASKS, starts_and_lengths
from pseudolabel.exports.pixels import PIXELS
from pseudolabel.formats import tables
from pseudolabel.formats.prediction_maps import write_prediction_maps
from pseudolabel.params.export import Export
from pseudolabel.records import LabelMaps, Probabilities, category_ids_of
from tests.builders import CATEGORIES, images, predictions

POOL = images(3)
"""0001.png to 0003.png, 100 x 80, two a shard."""


def section(columns, **changes):
    values = {"models": "champion", "split": "test", "images": None, "map_size": None}
    values |= {"max_weights_mb": None, "onnx": False, "columns": columns}
    return Export.model_validate(values | changes)


def told(folder, export, columns, **changes):
    """The rows of the CSV, and COCO's results."""
    wanted = section(columns, **changes)
    write_exports(folder, POOL, 2, CATEGORIES, export, wanted, folder)
    with (folder / "submission.csv").open() as stream:
        rows = list(csv.reader(stream))
    return rows, json.loads((folder / "results.json").read_text())


@pytest.fixture
def boxes(tmp_path):
    """Two boxes in the first image, the better one last; none in the second; one in the third."""
    first = predictions([(1, 1, (1, 2, 11, 22), 0.25), (1, 3, (10, 20, 30.5, 40), 0.5)])
    last = predictions([(3, 2, (0, 0, 5, 6), 0.75)])
    tables.write_shard(tables.shard_path(tmp_path, 0), first)
    tables.write_shard(tables.shard_path(tmp_path, 1), last)
    return tmp_path


def test_objects_have_a_row_each_best_first(boxes):
    columns = {"image_id": "stem", "label": "class", "id": "class_id", "index": "class_index"}
    columns |= {"conf": "score", "xmin": "x1", "ymin": "y1", "xmax": "x2", "ymax": "y2"}
    rows, results = told(boxes, BOXES, columns | {"w": "width", "h": "height"})
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


def test_images_have_a_row_each_where_no_column_is_of_objects(boxes):
    rows, _ = told(boxes, BOXES, {"image_id": "file", "PredictionString": "boxes"})
    assert rows == [
        ["image_id", "PredictionString"],
        ["0001.png", "2 0.5 10.0 20.0 30.5 40.0 0 0.25 1.0 2.0 11.0 22.0"],
        ["0002.png", ""],
        ["0003.png", "1 0.75 0.0 0.0 5.0 6.0"],
    ]


def test_masks_are_told_in_both_codes(tmp_path):
    grid = np.zeros((1, 80, 100), bool)
    grid[0, 10:13, 4:6] = True
    (counts,) = masks.encode(grid)
    rows = predictions([(1, 1, (4, 10, 6, 13), 0.5)])
    rows.masks[0], rows.areas[0] = counts, 6
    tables.write_shard(tables.shard_path(tmp_path, 0), rows)
    tables.write_shard(tables.shard_path(tmp_path, 1), rows[:0])
    columns = {"rle": "rle", "pixels": "starts_and_lengths", "area": "area"}
    lines, (result,) = told(tmp_path, MASKS, columns)
    # Column 4 of 80 pixels a column, from the eleventh pixel on; then column 5.
    assert lines[1] == [counts.decode(), "331 3 411 3", "6"]
    assert np.array_equal(coco_masks.decode(result["segmentation"]), grid[0])


def test_a_mask_that_begins_at_the_first_pixel_starts_at_one():
    (counts,) = masks.encode(np.ones((1, 2, 3), bool))
    assert starts_and_lengths(counts) == "1 6"


@pytest.fixture
def maps(tmp_path):
    grids = [np.zeros((80, 100), np.uint8), np.full((80, 100), 2, np.uint8)]
    grids[0][:40] = 1
    found = LabelMaps(np.array([1, 3]), grids, [np.full((80, 100), 200, np.uint8)] * 2)
    ids = category_ids_of(CATEGORIES)
    rows = write_prediction_maps(tmp_path, found, ids, 1)
    tables.write_shard(tables.shard_path(tmp_path, 0), rows[rows.image_ids == 1], ["0002.png"])
    tables.write_shard(tables.shard_path(tmp_path, 1), rows[rows.image_ids == 3])
    return tmp_path


def test_label_maps_are_told_as_numbers_at_the_size_asked_for(maps):
    columns = {"image_id": "file", "PredictionString": "class_map"}
    rows, results = told(maps, PIXELS, columns, map_size=(5, 4))
    assert rows == [
        ["image_id", "PredictionString"],
        ["0001.png", " ".join(["1"] * 10 + ["0"] * 10)],
        ["0003.png", " ".join(["2"] * 20)],
    ]
    assert [(it["image_id"], it["category_id"]) for it in results] == [(1, 1), (1, 2), (3, 3)]
    assert coco_masks.decode(results[1]["segmentation"])[:40].all()
    whole, _ = told(maps, PIXELS, columns)
    assert len(whole[1][1].split()) == 80 * 100


def test_classes_are_told_with_their_probability(tmp_path):
    values = np.array([[0.2, 0.7, 0.1]], np.float32)
    first = Probabilities(np.array([1]), values)
    tables.write_probabilities(tables.shard_path(tmp_path, 0), first, ["0002.png"])
    tables.write_probabilities(
        tables.shard_path(tmp_path, 1), Probabilities(np.array([3]), values[:, ::-1])
    )
    columns = {"img": "file", "label": "class", "id": "class_id", "p": "probabilities"}
    rows, results = told(tmp_path, CLASSES, columns)
    assert rows[1:] == [
        ["0001.png", "rod", "2", "0.2000 0.7000 0.1000"],
        ["0003.png", "rod", "2", "0.1000 0.7000 0.2000"],
    ]
    assert results[0] == {"image_id": 1, "category_id": 2, "score": 0.7}


def test_columns_of_fields_that_a_task_has_not_are_refused():
    with pytest.raises(ParamsError) as error:
        refuse_unknown_fields(section({"a": "file", "b": "rle", "c": "nothing"}), BOXES)
    assert "found b: 'rle'; c: 'nothing'" in str(error.value)
    assert "expected any of file, stem, image_id, boxes, class, " in str(error.value)
