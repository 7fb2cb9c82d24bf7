"""Shape measures of shapes with known values."""

import csv
import math

import cv2
import numpy as np
import pytest

from pseudolabel.core import masks
from pseudolabel.core.errors import DataError
from pseudolabel.core.records import Images
from pseudolabel.export.mask_shapes import (
    _MEASURE_NAMES,
    _mask_measures,
    image_ranks,
    write_measures,
)
from pseudolabel.export.submission import ExportOptions
from pseudolabel.formats.shards import list_shards, shard_path, write_shard
from tests.builders import CATEGORIES, predictions


def shape(draw):
    grid = np.zeros((200, 240), np.uint8)
    draw(grid)
    return grid.astype(bool)


DISC = shape(lambda grid: cv2.circle(grid, (100, 100), 60, 1, -1))
BAR = shape(lambda grid: cv2.rectangle(grid, (20, 50), (139, 79), 1, -1))
ELLIPSE = shape(lambda grid: cv2.ellipse(grid, (120, 100), (90, 30), 0, 0, 360, 1, -1))
CROSS = shape(lambda grid: grid.__setitem__((slice(90, 110), slice(40, 200)), 1))
CROSS[20:180, 110:130] = True

KNOWN = [
    ("disc", DISC, "area_px", math.pi * 60**2, 0.02),
    ("disc", DISC, "equivalent_diameter_px", 120, 0.01),
    ("disc", DISC, "perimeter_px", math.pi * 120, 0.03),
    ("disc", DISC, "circularity", 1, 0.04),
    ("disc", DISC, "aspect_ratio", 1, 0.01),
    ("disc", DISC, "solidity", 1, 0.02),
    ("disc", DISC, "feret_diameter_px", 121, 0.01),
    ("bar", BAR, "area_px", 120 * 30, 0),
    ("bar", BAR, "aspect_ratio", 4, 0.01),
    ("bar", BAR, "feret_diameter_px", math.hypot(120, 30), 0.01),
    ("ellipse", ELLIPSE, "aspect_ratio", 3, 0.02),
    ("ellipse", ELLIPSE, "area_px", math.pi * 90 * 30, 0.03),
    ("cross", CROSS, "area_px", 160 * 20 * 2 - 20 * 20, 0),
    # The convex hull of a cross is its square without four triangles.
    ("cross", CROSS, "solidity", 6000 / (160**2 - 4 * 70 * 70 / 2), 0.02),
]


@pytest.mark.parametrize(
    ("mask", "name", "value", "tolerance"),
    [case[1:] for case in KNOWN],
    ids=[f"{case[0]} {case[2]}" for case in KNOWN],
)
def test_measures_have_the_known_values(mask, name, value, tolerance):
    assert _mask_measures(mask)[name] == pytest.approx(value, rel=tolerance)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 9), (2, 2)])
def test_masks_of_few_pixels_have_finite_measures_or_none(size):
    grid = np.zeros((20, 20), bool)
    grid[: size[0], : size[1]] = True
    measures = _mask_measures(grid)
    assert measures["area_px"] == size[0] * size[1]
    assert all(value is None or math.isfinite(value) for value in measures.values())


def test_there_is_one_row_per_object_and_one_per_image_in_order(tmp_path):
    names = ["t_10.png", "t_2.png"]
    pool = Images.build([1, 2], names, [240, 240], [200, 200])
    rows = predictions([(1, 1, (0, 0, 1, 1), 0.5), (1, 2, (0, 0, 1, 1), 0.75)])
    rows.masks[:] = masks.encode(np.stack([DISC, BAR]))
    write_shard(shard_path(tmp_path, 0), rows)
    shards, options = list_shards(tmp_path, pool, 2), ExportOptions(CATEGORIES, {}, None)
    write_measures(shards, options, image_ranks(pool, None), tmp_path)
    with (tmp_path / "measures.csv").open() as stream:
        objects = list(csv.DictReader(stream))
    assert [(row["file"], row["object"], row["class"]) for row in objects] == [
        ("t_10.png", "0", "rod"),
        ("t_10.png", "1", "disc"),
    ]
    assert {name: float(objects[1][name]) for name in _MEASURE_NAMES} == _mask_measures(DISC)
    with (tmp_path / "measures_by_image.csv").open() as stream:
        by_image = list(csv.DictReader(stream))
    assert [(row["order"], row["file"], row["objects"]) for row in by_image] == [
        ("0", "t_2.png", "0"),
        ("1", "t_10.png", "2"),
    ]
    median = (_mask_measures(DISC)["area_px"] + 3600) / 2
    assert float(by_image[1]["area_px_median"]) == median
    assert by_image[0]["area_px_median"] == ""


def test_a_csv_can_order_the_images(tmp_path):
    pool = Images.build([1, 2], ["a.png", "b.png"], [9, 9], [9, 9])
    order = tmp_path / "order.csv"
    order.write_text("file,order\nb.png,1.5\na.png,20\n")
    assert image_ranks(pool, order) == {"a.png": 20, "b.png": 1.5}
    order.write_text("file,order\nb.png,noon\n")
    with pytest.raises(DataError) as error:
        image_ranks(pool, order)
    assert "order.csv: a.png: expected an order, a number, found none" in str(error.value)
    assert "order.csv: b.png: expected an order, a number, found 'noon'" in str(error.value)
