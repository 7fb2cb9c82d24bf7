"""The agreement of two predictions for the same images."""

import numpy as np
import pytest

from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.records import Annotations
from pseudolabel.predictions.stability import classes_agreement, maps_agreement, objects_agreement
from tests.builders import predictions

ONE = (1, 1, (0, 0, 20, 20), 0.8)
CASES = [
    ("the same box", [ONE], [ONE], 1.0),
    ("half the score", [ONE], [(1, 1, (0, 0, 20, 20), 0.4)], 0.5),
    ("half the area", [ONE], [(1, 1, (0, 0, 20, 10), 0.8)], 0.5),
    ("another class", [ONE], [(1, 2, (0, 0, 20, 20), 0.8)], 0.0),
    ("another image", [ONE], [(2, 1, (0, 0, 20, 20), 0.8)], 0.0),
    ("nothing in the other", [ONE], [], 0.0),
    ("nothing in the first", [], [ONE], 0.0),
    ("low scores hardly count", [ONE, (1, 1, (50, 0, 60, 9), 0.1)], [ONE], 0.64 / 0.65),
]


@pytest.mark.parametrize(
    ("one", "other", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_objects_agree_by_iou_and_score(one, other, expected):
    parts = [predictions(rows) if rows else Annotations.empty() for rows in (one, other)]
    assert objects_agreement(*parts, np.array([1])) == pytest.approx([expected])


def test_classes_agree_less_if_their_probabilities_differ_more():
    ids = np.arange(3)
    one = Probabilities(ids, np.array([[0.9, 0.1]] * 3, np.float32))
    other = Probabilities(ids, np.array([[0.9, 0.1], [0.6, 0.4], [0.0, 1.0]], np.float32))
    same, close, far = classes_agreement(one, other)
    divergence = 0.9 * np.log(0.9 / 0.6) + 0.1 * np.log(0.1 / 0.4)
    assert same == pytest.approx(1)
    assert close == pytest.approx(np.exp(-divergence), abs=1e-4)
    assert far < 1e-4


def test_maps_agree_by_their_mean_iou():
    labels, changed = np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 1, 1, 1]], np.uint8)
    ids = np.array([1, 2])
    one, other = LabelMaps(ids, [labels, labels], []), LabelMaps(ids, [labels, changed], [])
    # The IoU of class 0 is 1/2, the IoU of class 1 is 2/3.
    assert maps_agreement(one, other) == pytest.approx([1.0, (1 / 2 + 2 / 3) / 2])
