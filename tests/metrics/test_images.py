import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score, top_k_accuracy_score

from pseudolabel.metrics.images import ImageScorer, calibration_error
from pseudolabel.records import Annotations, Category, Dataset, Probabilities
from tests.builders import images


def truth_of(classes, count):
    """A dataset of images 1 to n with these classes, whose ids are 10, 20, ... in order."""
    ids = np.arange(1, len(classes) + 1)
    rows = Annotations.of_classes(
        ids, (10 * (classes + 1)).astype(np.int32), np.ones(len(ids)), np.ones(len(ids)), 0
    )
    categories = tuple(Category(10 * (it + 1), f"class {it}") for it in range(count))
    return Dataset(images(len(ids)), rows, categories)


def scored(truth, values):
    scorer = ImageScorer(truth)
    ids, half = truth.images.ids, len(values) // 2
    for part in (slice(0, half), slice(half, None)):
        scorer.add(Probabilities(ids[part], values[part].astype(np.float32)))
    return scorer.result()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.integers(2, 12), st.integers(2, 80))
def test_the_numbers_are_those_of_scikit_learn(seed, count, size):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, count, size)
    values = rng.dirichlet(np.ones(count), size).astype(np.float32)
    guesses = values.argmax(axis=1)
    overall, by_class = scored(truth_of(classes, count), values)
    assert overall["top1"] == pytest.approx(accuracy_score(classes, guesses), abs=1e-6)
    assert overall["macro_f1"] == pytest.approx(
        f1_score(classes, guesses, average="macro"), abs=1e-6
    )
    if count > 5:
        expected = top_k_accuracy_score(classes, values, k=5, labels=np.arange(count))
        assert overall["top5"] == pytest.approx(expected, abs=1e-6)
    else:
        assert overall["top5"] == 1
    recalls = recall_score(
        classes, guesses, labels=np.arange(count), average=None, zero_division=np.nan
    )
    for it, recall in enumerate(recalls):
        expected = None if np.isnan(recall) else pytest.approx(recall, abs=1e-6)
        assert by_class["recall"][f"class {it}"] == expected


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    sure = np.array([0.95, 0.95, 0.95, 0.95, 0.35, 0.35], np.float32)
    right = np.array([True, True, True, False, False, True])
    # Two bins: 4 images at 0.95 with 0.75 right, 2 at 0.35 with 0.5 right.
    expected = (4 * abs(0.95 - 0.75) + 2 * abs(0.35 - 0.5)) / 6
    assert calibration_error(sure, right) == pytest.approx(expected, abs=1e-6)
    assert calibration_error(np.ones(3, np.float32), np.ones(3, bool)) == 0


def test_a_class_that_val_lacks_has_no_recall():
    values = np.eye(3)[[0, 1, 0]]
    overall, by_class = scored(truth_of(np.array([0, 1, 0]), 3), values)
    assert overall["top1"] == overall["macro_f1"] == 1
    assert by_class["recall"] == {"class 0": 1, "class 1": 1, "class 2": None}
