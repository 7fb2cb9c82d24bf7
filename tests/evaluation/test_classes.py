import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score, top_k_accuracy_score

from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Annotations, Category, Dataset
from pseudolabel.evaluation.classes import ClassScorer, _calibration_error
from tests.builders import images


def truth_of(classes, count):
    """The gold of images 1 to n, given class indices; category ids are 10, 20, ..."""
    ids = np.arange(1, len(classes) + 1)
    rows = Annotations.of_classes(
        ids, (10 * (classes + 1)).astype(np.int32), np.ones(len(ids)), np.ones(len(ids)), 0
    )
    categories = tuple(Category(10 * (index + 1), f"class {index}") for index in range(count))
    return Dataset(images(len(ids)), rows, categories)


def metrics_of(truth, values):
    scorer = ClassScorer(truth)
    ids, half = truth.images.ids, len(values) // 2
    for part in (slice(0, half), slice(half, None)):
        scorer.add(Probabilities(ids[part], values[part].astype(np.float32)))
    return scorer.result()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.integers(2, 12), st.integers(2, 80))
def test_metrics_equal_those_of_scikit_learn(seed, count, size):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, count, size)
    values = rng.dirichlet(np.ones(count), size).astype(np.float32)
    guesses = values.argmax(axis=1)
    overall, by_class = metrics_of(truth_of(classes, count), values)
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
    for index, recall in enumerate(recalls):
        expected = None if np.isnan(recall) else pytest.approx(recall, abs=1e-6)
        assert by_class["recall"][f"class {index}"] == expected


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    confidences = np.array([0.95, 0.95, 0.95, 0.95, 0.35, 0.35], np.float32)
    right = np.array([True, True, True, False, False, True])
    # Two bins: 4 images with a confidence of 0.95, 75% right; 2 with 0.35, 50% right.
    expected = (4 * abs(0.95 - 0.75) + 2 * abs(0.35 - 0.5)) / 6
    assert _calibration_error(confidences, right) == pytest.approx(expected, abs=1e-6)
    assert _calibration_error(np.ones(3, np.float32), np.ones(3, bool)) == 0


def test_a_class_without_gold_has_no_recall():
    values = np.eye(3)[[0, 1, 0]]
    overall, by_class = metrics_of(truth_of(np.array([0, 1, 0]), 3), values)
    assert overall["top1"] == overall["macro_f1"] == 1
    assert by_class["recall"] == {"class 0": 1, "class 1": 1, "class 2": None}
