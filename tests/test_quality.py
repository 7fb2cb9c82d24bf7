from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from pseudolabel import masks
from pseudolabel.quality import image_trials, object_trials, pixel_trials, quality
from pseudolabel.records import Annotations, Dataset, Probabilities, object_array
from tests.builders import CATEGORIES, gold, images, predictions

TRUTH = Dataset(
    images(2),
    gold([(1, 1, (0, 0, 20, 20)), (1, 1, (40, 0, 60, 20)), (2, 2, (0, 0, 20, 20))]),
    CATEGORIES,
)
FOUND = [
    ("its place and class", (1, 1, (1, 0, 21, 20), 0.9), True),
    ("the same object again", (1, 1, (0, 1, 20, 21), 0.8), False),
    ("another class", (2, 1, (0, 0, 20, 20), 0.7), False),
    ("half of it", (1, 1, (40, 0, 60, 10), 0.6), True),
    ("a bit less than half", (1, 1, (40, 0, 60, 9), 0.6), False),
    ("another image", (2, 1, (40, 0, 60, 20), 0.5), False),
]


@pytest.mark.parametrize(("row", "hit"), [it[1:] for it in FOUND], ids=[it[0] for it in FOUND])
def test_what_an_object_must_be_to_be_right(row, hit):
    best = (1, 1, (0, 0, 20, 20), 0.95)
    trials = object_trials(predictions([best, row] if row[3] == 0.8 else [row]), TRUTH)
    assert trials.hits[-1] == hit
    assert trials.truths.tolist() == [2, 1, 0]


def test_what_lies_on_a_crowd_is_neither_right_nor_wrong():
    crowd = replace(TRUTH.annotations, crowds=np.array([True, False, False]))
    truth = replace(TRUTH, annotations=crowd)
    trials = object_trials(predictions([FOUND[0][1], (1, 1, (40, 0, 60, 20), 0.7)]), truth)
    assert trials.hits.tolist() == [True]
    assert trials.truths.tolist() == [1, 1, 0]


def with_masks(rows, shapes):
    grids = np.zeros((len(rows), 80, 100), bool)
    for grid, (x1, y1, x2, y2) in zip(grids, shapes, strict=True):
        grid[y1:y2, x1:x2] = True
    return replace(rows, masks=object_array(masks.encode(grids)))


def test_masks_are_compared_where_the_truth_has_them():
    # Boxes as large as each other; the second mask fills a quarter of its box.
    truth = with_masks(TRUTH.annotations, [(0, 0, 20, 20), (40, 0, 60, 20), (0, 0, 20, 20)])
    found = predictions([(1, 1, (0, 0, 20, 20), 0.9), (1, 1, (40, 0, 60, 20), 0.8)])
    found = with_masks(found, [(0, 0, 20, 18), (40, 0, 50, 10)])
    trials = object_trials(found, replace(TRUTH, annotations=truth))
    assert trials.hits.tolist() == [True, False]


def test_nothing_found_and_nothing_to_find():
    nothing = object_trials(Annotations.empty(), TRUTH)
    assert len(nothing.hits) == 0
    assert nothing.truths.sum() == 3
    empty = Dataset(images(2), Annotations.empty(), CATEGORIES)
    assert not object_trials(predictions([FOUND[0][1]]), empty).hits.any()


def test_classes_are_scored_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    true, values = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), 50).astype(np.float32)
    ids = np.arange(1, 51)
    rows = Annotations.of_classes(ids, (true + 1).astype(np.int32), np.ones(50), np.ones(50), 0)
    order = rng.permutation(50)
    trials = image_trials(
        Probabilities(ids[order], values[order]), Dataset(images(50), rows, CATEGORIES)
    )
    assert trials.scores == pytest.approx(values[order].max(axis=1))
    counts = [np.bincount(trials.classes[it], minlength=3) for it in (trials.hits, slice(None))]
    ours = quality(*(it.astype(float) for it in counts), trials.truths)
    theirs = precision_recall_fscore_support(true, values.argmax(axis=1))
    for one, other in zip(ours, theirs, strict=False):
        assert one == pytest.approx(other)


def test_pixels_count_by_class_and_confidence():
    labels = np.array([[0, 0], [1, 2]], np.uint8)
    sure = np.array([[255, 51], [51, 51]], np.uint8)
    true = np.array([[0, 1], [1, 255]], np.uint8)
    trials = pixel_trials([(labels, sure, true)] * 3, 3)
    rows = zip(trials.classes, trials.scores, trials.hits, trials.amounts, strict=True)
    found = sorted((int(c), round(float(s), 1), bool(h), float(a)) for c, s, h, a in rows)
    assert found == [(0, 0.2, False, 3), (0, 1.0, True, 3), (1, 0.2, True, 3)]
    assert trials.truths.tolist() == [3, 6, 0]
