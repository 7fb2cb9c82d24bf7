import numpy as np
import pytest

from pseudolabel.records import Annotations, LabelMaps, Probabilities
from pseudolabel.stability import classes_agreement, maps_agreement, objects_agreement
from tests.builders import predictions

ONE = (1, 1, (0, 0, 20, 20), 0.8)
CASES = [
    ("the same again", [ONE], [ONE], 1.0),
    ("at half the score", [ONE], [(1, 1, (0, 0, 20, 20), 0.4)], 0.5),
    ("half beside", [ONE], [(1, 1, (0, 0, 20, 10), 0.8)], 0.5),
    ("another class", [ONE], [(1, 2, (0, 0, 20, 20), 0.8)], 0.0),
    ("another image", [ONE], [(2, 1, (0, 0, 20, 20), 0.8)], 0.0),
    ("gone", [ONE], [], 0.0),
    ("nothing found", [], [ONE], 0.0),
    ("doubt hardly counts", [ONE, (1, 1, (50, 0, 60, 9), 0.1)], [ONE], 0.64 / 0.65),
]


@pytest.mark.parametrize(
    ("found", "other", "expected"), [it[1:] for it in CASES], ids=[it[0] for it in CASES]
)
def test_objects_are_found_again(found, other, expected):
    rows = [predictions(it) if it else Annotations.empty() for it in (found, other)]
    assert objects_agreement(*rows, np.array([1])) == pytest.approx([expected])


def test_classes_agree_less_the_further_they_are():
    ids = np.arange(3)
    found = Probabilities(ids, np.array([[0.9, 0.1]] * 3, np.float32))
    other = Probabilities(ids, np.array([[0.9, 0.1], [0.6, 0.4], [0.0, 1.0]], np.float32))
    same, near, far = classes_agreement(found, other)
    divergence = 0.9 * np.log(0.9 / 0.6) + 0.1 * np.log(0.1 / 0.4)
    assert same == pytest.approx(1)
    assert near == pytest.approx(np.exp(-divergence), abs=1e-4)
    assert far < 1e-4


def test_maps_agree_by_their_mean_iou():
    one, other = np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 1, 1, 1]], np.uint8)
    ids = np.array([1, 2])
    found, again = LabelMaps(ids, [one, one], []), LabelMaps(ids, [one, other], [])
    # Of class 0 one pixel of two, of class 1 two of three.
    assert maps_agreement(found, again) == pytest.approx([1.0, (1 / 2 + 2 / 3) / 2])
