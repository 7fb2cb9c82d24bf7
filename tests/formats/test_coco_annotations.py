import numpy as np
import pytest

from pseudolabel.core import masks
from pseudolabel.formats.coco_annotations import _parse_segmentation

SIZE = (10, 8)  # width and height
SQUARE = np.zeros((8, 10), bool)
SQUARE[2:5, 3:7] = True
(COMPRESSED,) = masks.encode(SQUARE[None])
RUNS = list(masks.decode_run_lengths(COMPRESSED))

VALID = [
    ("compressed", {"size": [8, 10], "counts": COMPRESSED.decode()}),
    ("plain runs", {"size": [8, 10], "counts": RUNS}),
    ("a polygon", [[3, 2, 7, 2, 7, 5, 3, 5]]),
    ("a polygon and a small overlapping one", [[3, 2, 7, 2, 7, 5, 3, 5], [3.0, 2, 4, 2, 4, 3]]),
]


@pytest.mark.parametrize("value", [case[1] for case in VALID], ids=[case[0] for case in VALID])
def test_polygons_and_run_lengths_become_the_same_mask(value):
    counts, wrong = _parse_segmentation(value, SIZE)
    assert wrong is None
    assert np.array_equal(masks.decode([counts], 8, 10)[0], SQUARE)


FAULTS = [
    ("nothing", None, "a `segmentation`", "None"),
    ("no polygon", [], "a `segmentation`", "[]"),
    ("two points", [[1, 1, 2, 2]], "3 points or more", "[1, 1, 2, 2]"),
    ("an odd number", [[1, 1, 2, 2, 3, 3, 4]], "3 points or more", "[1, 1"),
    ("a text in a polygon", [[1, 1, 2, 2, 3, "x"]], "3 points or more", "'x'"),
    ("infinite", [[1, 1, 2, 2, 3, float("inf")]], "3 points or more", "inf"),
    ("far outside", [[1, 1, 30, 1, 30, 5]], "a polygon inside the image (10x8)", "x 1 to 30"),
    ("no pixel", [[1, 1, 1, 1, 1, 1]], "a mask with an area", "no pixel"),
    (
        "another size",
        {"size": [10, 8], "counts": COMPRESSED.decode()},
        "a mask of its image's `size`, [8, 10]",
        "[10, 8]",
    ),
    ("no size", {"counts": RUNS}, "a mask of its image's `size`", "None"),
    ("too short", {"size": [8, 10], "counts": [10, 5]}, "add up to 80 pixels", "2 runs of 15"),
    ("too long", {"size": [8, 10], "counts": [0, 5000]}, "add up to 80 pixels", "2 runs of 5000"),
    ("negative", {"size": [8, 10], "counts": [90, -10]}, "add up to 80", "2 runs of 80"),
    ("fractions", {"size": [8, 10], "counts": [40.0, 40]}, "add up to 80", "2 runs of 40"),
    (
        "truncated",
        {"size": [8, 10], "counts": COMPRESSED.decode() + "o"},
        "COCO's code",
        "a truncated run",
    ),
    ("another code", {"size": [8, 10], "counts": "é!"}, "COCO's code", "the character"),
    ("a number", {"size": [8, 10], "counts": 7}, "`counts` of run lengths", "7"),
]


@pytest.mark.parametrize(
    ("value", "expected", "found"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_each_fault_has_an_expected_and_a_found_value(value, expected, found):
    _, wrong = _parse_segmentation(value, SIZE)
    assert expected in wrong[0]
    assert found in wrong[1]
