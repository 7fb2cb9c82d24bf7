from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from pseudolabel.core import masks
from pseudolabel.core.columns import object_array
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.silver.matching import (
    match_classes,
    match_objects,
    match_pixels,
    precision_recall_f1,
)
from tests.builders import CATEGORIES, gold, images, predictions

TRUTH = Dataset(
    images(2),
    gold([(1, 1, (0, 0, 20, 20)), (1, 1, (40, 0, 60, 20)), (2, 2, (0, 0, 20, 20))]),
    CATEGORIES,
)
CASES = [
    ("same place and class", (1, 1, (1, 0, 21, 20), 0.9), True),
    ("an object that a better prediction has taken", (1, 1, (0, 1, 20, 21), 0.8), False),
    ("a different class", (2, 1, (0, 0, 20, 20), 0.7), False),
    ("an IoU of one half", (1, 1, (40, 0, 60, 10), 0.6), True),
    ("an IoU below one half", (1, 1, (40, 0, 60, 9), 0.6), False),
    ("an object of a different image", (2, 1, (40, 0, 60, 20), 0.5), False),
]


@pytest.mark.parametrize(
    ("row", "hit"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_an_object_is_right_if_it_matches_a_free_gold_object(row, hit):
    better = (1, 1, (0, 0, 20, 20), 0.95)
    labels = match_objects(predictions([better, row] if row[3] == 0.8 else [row]), TRUTH)
    assert labels.hits[-1] == hit
    assert labels.totals.tolist() == [2, 1, 0]


def test_a_prediction_on_a_crowd_is_left_out():
    crowd = replace(TRUTH.annotations, crowds=np.array([True, False, False]))
    truth = replace(TRUTH, annotations=crowd)
    labels = match_objects(predictions([CASES[0][1], (1, 1, (40, 0, 60, 20), 0.7)]), truth)
    assert labels.hits.tolist() == [True]
    assert labels.totals.tolist() == [1, 1, 0]


def test_a_small_object_inside_a_large_crowd_is_left_out():
    large = [(1, 1, (0, 0, 80, 80)), (1, 1, (85, 10, 95, 20))]
    rows = replace(gold(large), crowds=np.array([True, False]))
    truth = Dataset(images(1), rows, CATEGORIES)
    small = [
        (1, 1, (10, 10, 20, 20), 0.9),  # inside the crowd
        (1, 2, (10, 10, 20, 20), 0.8),  # a different class
        (1, 1, (85, 10, 95, 20), 0.7),  # an object beside the crowd
        (1, 1, (75, 40, 85, 50), 0.6),  # half inside
        (1, 1, (76, 40, 86, 50), 0.5),  # less than half inside
    ]
    labels = match_objects(predictions(small), truth)
    assert labels.scores.round(1).tolist() == pytest.approx([0.8, 0.7, 0.5])
    assert labels.hits.tolist() == [False, True, False]


def test_predictions_for_images_outside_the_split_are_left_out():
    outside = (3, 1, (0, 0, 20, 20), 0.9)
    labels = match_objects(predictions([outside, CASES[0][1]]), TRUTH)
    assert labels.hits.tolist() == [True]


def test_the_order_of_the_images_does_not_matter():
    rows = predictions([CASES[0][1], (2, 2, (0, 0, 20, 20), 0.3), (2, 1, (40, 0, 60, 20), 0.5)])
    reverse = replace(TRUTH, images=TRUTH.images[::-1])
    for truth in (TRUTH, reverse):
        labels = match_objects(rows, truth)
        assert labels.hits.tolist() == [True, False, True]
        assert labels.scores.tolist() == pytest.approx([0.9, 0.5, 0.3])


def with_masks(rows, shapes):
    grids = np.zeros((len(rows), 80, 100), bool)
    for grid, (x1, y1, x2, y2) in zip(grids, shapes, strict=True):
        grid[y1:y2, x1:x2] = True
    return replace(rows, masks=object_array(masks.encode(grids)))


def test_masks_are_compared_if_gold_has_masks():
    # The boxes are equal, but the second mask fills only a quarter of its box.
    truth = with_masks(TRUTH.annotations, [(0, 0, 20, 20), (40, 0, 60, 20), (0, 0, 20, 20)])
    predicted = predictions([(1, 1, (0, 0, 20, 20), 0.9), (1, 1, (40, 0, 60, 20), 0.8)])
    predicted = with_masks(predicted, [(0, 0, 20, 18), (40, 0, 50, 10)])
    labels = match_objects(predicted, replace(TRUTH, annotations=truth))
    assert labels.hits.tolist() == [True, False]


def test_no_predictions_and_no_gold():
    no_predictions = match_objects(Annotations.empty(), TRUTH)
    assert len(no_predictions.hits) == 0
    assert no_predictions.totals.sum() == 3
    no_gold = Dataset(images(2), Annotations.empty(), CATEGORIES)
    assert not match_objects(predictions([CASES[0][1]]), no_gold).hits.any()


def test_classes_are_scored_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    true, values = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), 50).astype(np.float32)
    ids = np.arange(1, 51)
    rows = Annotations.of_classes(ids, (true + 1).astype(np.int32), np.ones(50), np.ones(50), 0)
    order = rng.permutation(50)
    labels = match_classes(
        Probabilities(ids[order], values[order]), Dataset(images(50), rows, CATEGORIES)
    )
    assert labels.scores == pytest.approx(values[order].max(axis=1))
    hits = np.bincount(labels.classes[labels.hits], minlength=3).astype(float)
    given = np.bincount(labels.classes, minlength=3).astype(float)
    expected = precision_recall_fscore_support(true, values.argmax(axis=1))
    for column, other in zip(
        precision_recall_f1(hits, given, labels.totals), expected, strict=False
    ):
        assert column == pytest.approx(other)


def test_pixels_count_by_class_and_confidence():
    predicted = np.array([[0, 0], [1, 2]], np.uint8)
    confidences = np.array([[255, 51], [51, 51]], np.uint8)
    true = np.array([[0, 1], [1, 255]], np.uint8)
    labels = match_pixels([(predicted, confidences, true)] * 3, 3)
    scores = labels.scores.round(1).tolist()
    columns = labels.classes.tolist(), scores, labels.hits.tolist(), labels.amounts.tolist()
    rows = sorted(zip(*columns, strict=True))
    expected = [(0, 0.2, False, 3), (0, 1.0, True, 3), (1, 0.2, True, 3)]
    assert rows == [pytest.approx(row) for row in expected]
    assert labels.totals.tolist() == [3, 6, 0]
