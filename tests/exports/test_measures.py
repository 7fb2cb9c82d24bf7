"""Shape measures against shapes whose measures are known."""

import csv
import math

import cv2
import numpy as np
import pytest

from pseudolabel import masks
from pseudolabel.errors import DataError
from pseudolabel.exports.export import Wanted
from pseudolabel.exports.measures import NAMES, measures_of, ranks_of, write_measures
from pseudolabel.formats import tables
from pseudolabel.records import Images
from tests.builders import CATEGORIES, predictions


def drawn(draw):
    grid = np.zeros((200, 240), np.uint8)
    draw(grid)
    return grid.astype(bool)


DISC = drawn(lambda grid: cv2.circle(grid, (100, 100), 60, 1, -1))
BAR = drawn(lambda grid: cv2.rectangle(grid, (20, 50), (139, 79), 1, -1))
ELLIPSE = drawn(lambda grid: cv2.ellipse(grid, (120, 100), (90, 30), 0, 0, 360, 1, -1))
CROSS = drawn(lambda grid: grid.__setitem__((slice(90, 110), slice(40, 200)), 1))
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
    # The hull of a cross cuts its four corners off in triangles.
    ("cross", CROSS, "solidity", 6000 / (160**2 - 4 * 70 * 70 / 2), 0.02),
]


@pytest.mark.parametrize(
    ("mask", "name", "value", "off"),
    [it[1:] for it in KNOWN],
    ids=[f"{i[0]} {i[2]}" for i in KNOWN],
)
def test_measures_are_those_of_the_shape(mask, name, value, off):
    assert measures_of(mask)[name] == pytest.approx(value, rel=off)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 9), (2, 2)])
def test_masks_of_few_pixels_have_what_can_be_told(size):
    grid = np.zeros((20, 20), bool)
    grid[: size[0], : size[1]] = True
    found = measures_of(grid)
    assert found["area_px"] == size[0] * size[1]
    assert all(value is None or math.isfinite(value) for value in found.values())


def test_a_row_an_object_and_a_row_an_image_in_order(tmp_path):
    names = ["t_10.png", "t_2.png"]
    pool = Images.build([1, 2], names, [240, 240], [200, 200])
    rows = predictions([(1, 1, (0, 0, 1, 1), 0.5), (1, 2, (0, 0, 1, 1), 0.75)])
    rows.masks[:] = masks.encode(np.stack([DISC, BAR]))
    tables.write_shard(tables.shard_path(tmp_path, 0), rows)
    write_measures(tmp_path, pool, 2, Wanted(CATEGORIES, None), ranks_of(pool, None), tmp_path)
    with (tmp_path / "measures.csv").open() as stream:
        objects = list(csv.DictReader(stream))
    assert [(it["file"], it["object"], it["class"]) for it in objects] == [
        ("t_10.png", "0", "rod"),
        ("t_10.png", "1", "disc"),
    ]
    assert {name: float(objects[1][name]) for name in NAMES} == measures_of(DISC)
    with (tmp_path / "measures_by_image.csv").open() as stream:
        by_image = list(csv.DictReader(stream))
    assert [(it["order"], it["file"], it["objects"]) for it in by_image] == [
        ("0", "t_2.png", "0"),
        ("1", "t_10.png", "2"),
    ]
    middle = (measures_of(DISC)["area_px"] + 3600) / 2
    assert float(by_image[1]["area_px_median"]) == middle
    assert by_image[0]["area_px_median"] == ""
    page = (tmp_path / "measures.html").read_text()
    assert page.count("<svg") == len(NAMES) + 1
    # Of each measure, the image without objects leaves a gap.
    assert page.count("<title>t_2.png") == 1
    assert page.count("<title>t_10.png") == len(NAMES) + 1


def test_a_csv_may_order_the_images(tmp_path):
    pool = Images.build([1, 2], ["a.png", "b.png"], [9, 9], [9, 9])
    order = tmp_path / "order.csv"
    order.write_text("file,order\nb.png,1.5\na.png,20\n")
    assert ranks_of(pool, order) == {"a.png": 20, "b.png": 1.5}
    order.write_text("file,order\nb.png,noon\n")
    with pytest.raises(DataError) as error:
        ranks_of(pool, order)
    assert "order.csv: a.png: expected an order, a number, found none" in str(error.value)
    assert "order.csv: b.png: expected an order, a number, found 'noon'" in str(error.value)
