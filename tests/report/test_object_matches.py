"""Confusions, the best threshold, and predictions of one image compared with gold."""

import numpy as np
import pytest

from pseudolabel.core.records import Dataset
from pseudolabel.report.confusion_table import confusion_table
from pseudolabel.report.object_matches import best_threshold, confusions, match_images
from pseudolabel.report.tide import KINDS, RIGHT, Judged
from tests import builders

GOLD = [(1, 1, (0, 0, 20, 20)), (1, 2, (40, 40, 60, 60)), (2, 3, (10, 10, 30, 30))]
FOUND = [
    (1, 1, (0, 0, 20, 21), 0.9),
    (1, 1, (1, 0, 20, 20), 0.8),
    (1, 3, (40, 40, 60, 61), 0.7),
    (2, 3, (70, 50, 90, 70), 0.6),
    (2, 3, (10, 10, 30, 31), 0.2),
]


@pytest.fixture
def matches():
    truth = Dataset(builders.images(3), builders.gold(GOLD), builders.CATEGORIES)
    return list(match_images(truth, builders.predictions(FOUND), 100, by_mask=False))


def test_every_image_is_compared_with_its_own_gold(matches):
    kinds = [[KINDS[kind] if kind >= 0 else kind for kind in one.judged.kinds] for one in matches]
    assert kinds == [[RIGHT, "duplicate", "classification"], ["background", RIGHT], []]
    assert [len(one.gold) for one in matches] == [2, 1, 0]


def test_only_the_best_predictions_of_a_class_count():
    truth = Dataset(builders.images(3), builders.gold(GOLD), builders.CATEGORIES)
    one, two, _ = match_images(truth, builders.predictions(FOUND), 1, by_mask=False)
    assert one.found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert two.found.scores.tolist() == pytest.approx([0.6])


def test_confusions_count_gold_and_predictions_once(matches):
    total = sum(confusions(one, 0.5, 3) for one in matches)
    # Gold in rows: disc, rod, star, nothing. Predictions in columns: the same, then not found.
    assert total.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 1, 0]]


def test_the_threshold_is_the_one_with_the_best_f1(matches):
    judged = Judged.concatenate([one.judged for one in matches])
    # F1 is 2 / 4 from 0.9 on and 4 / 8 from 0.2 on: of equal ones, the higher score counts.
    assert best_threshold(judged) == pytest.approx(0.9)
    assert best_threshold(Judged.concatenate([])) == 0.0


def test_a_large_table_shows_the_classes_that_are_confused_most():
    counts = np.diag(np.full(40, 100))
    counts[7, 8] = 5
    names = [f"class {index}" for index in range(40)]
    table, text = confusion_table(counts, names, names)
    assert '<th scope="row">class 7</th>' in table
    assert table.count("<tr>") == 26
    assert "15 further classes" in text
