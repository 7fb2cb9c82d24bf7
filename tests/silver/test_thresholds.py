import csv
import itertools

import numpy as np
import pytest

from pseudolabel.core.errors import ParamsError
from pseudolabel.core.records import Category
from pseudolabel.params.filter import Auto, Filter
from pseudolabel.silver.calibration import (
    _reliability,
    best_temperature,
    scale_probabilities,
    scale_scores,
)
from pseudolabel.silver.matching import ScoredLabels
from pseudolabel.silver.thresholds import _THRESHOLD_GRID, _Curve, choose_thresholds
from tests.builders import open_filter

F1 = Auto(aim="f1", at=None)
CLASSES = (Category(1, "disc"), Category(2, "rod"), Category(3, "star"))


def scored_labels(rows, totals):
    """Scored labels, given rows of class, score and whether the label is right."""
    classes, scores, hits = (np.array(column) for column in zip(*rows, strict=True))
    totals = np.array(totals, float)
    return ScoredLabels(classes, hits, np.ones(len(rows)), totals, scores.astype(np.float32))


def right_above(threshold, class_index=0, count=100):
    """Labels of evenly spaced scores that are right above a score and wrong below it."""
    scores = (np.arange(count) + 0.5) / count
    return [(class_index, score, score > threshold) for score in scores]


def curve(rows, totals):
    return _Curve.from_labels(scored_labels(rows, totals), 1.0, np.ones(len(totals), bool))


def test_a_curve_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    scores = rng.random(200).round(2).tolist()
    rows = [(0, score, bool(rng.random() < score)) for score in scores]
    values = curve(rows, [120]).values
    for row, threshold in enumerate(_THRESHOLD_GRID):
        kept = [hit for _, score, hit in rows if np.float32(score) >= np.float32(threshold)]
        precision = sum(kept) / len(kept) if kept else 0
        assert values["precision"][row] == pytest.approx(precision)
        assert values["recall"][row] == pytest.approx(sum(kept) / 120)
        assert values["share"][row] == pytest.approx(len(kept) / 120)
        assert values["f1"][row] == pytest.approx(2 * sum(kept) / (len(kept) + 120))


AIMS = [
    ("the best F1 keeps all right labels", F1, 0.6),
    (
        "a precision of one half keeps as many wrong labels as right ones",
        Auto(aim="precision", at=0.5),
        0.2,
    ),
    ("a precision of one keeps no wrong label", Auto(aim="precision", at=1.0), 0.6),
    ("a share of one keeps one label per gold label", Auto(aim="share", at=1.0), 0.6),
    ("a share of one half", Auto(aim="share", at=0.5), 0.8),
    ("a share of two", Auto(aim="share", at=2.0), 0.2),
]


@pytest.mark.parametrize(
    ("aim", "expected"), [case[1:] for case in AIMS], ids=[case[0] for case in AIMS]
)
def test_the_threshold_meets_the_aim(aim, expected):
    row = curve(right_above(0.6), [40]).best(aim)
    assert _THRESHOLD_GRID[row] == pytest.approx(expected, abs=0.011)


def test_an_impossible_precision_takes_the_highest_precision():
    rows = [(0, score, number % 2 == 0) for number, score in enumerate(np.linspace(0.1, 0.9, 80))]
    thresholds = curve(rows, [40])
    row = thresholds.best(Auto(aim="precision", at=0.99))
    precision = thresholds.values["precision"]
    assert precision[row] == precision.max() < 0.99


def test_a_class_without_labels_takes_the_threshold_of_all_classes(tmp_path):
    labels = scored_labels([*right_above(0.6), *right_above(0.3, 1)], [40, 70, 0])
    chosen = choose_thresholds(labels, CLASSES, open_filter(Filter, score="auto"), tmp_path)
    together = _Curve.from_labels(labels, 1.0, np.ones(3, bool)).best(F1)
    assert chosen.by_class["star"] == pytest.approx(_THRESHOLD_GRID[together])


def test_of_equally_good_thresholds_the_middle_one_is_taken():
    rows = [(0, 0.9, True)] * 50 + [(0, 0.1, False)] * 50
    assert _THRESHOLD_GRID[curve(rows, [50]).best(F1)] == pytest.approx(0.51, abs=0.02)


def test_thresholds_of_rare_classes_are_drawn_to_that_of_all_classes(tmp_path):
    rows = [*right_above(0.6), *right_above(0.3, 1), *[(2, 0.95, True)] * 5]
    labels = scored_labels(rows, [40, 70, 5])
    chosen = choose_thresholds(labels, CLASSES, open_filter(Filter, score="auto"), tmp_path)
    assert chosen.by_class["disc"] == pytest.approx(0.6, abs=0.02)
    assert chosen.by_class["rod"] == pytest.approx(0.3, abs=0.02)
    assert chosen.report["too_few_labels"] == ["star"]
    together = _Curve.from_labels(labels, 1.0, np.ones(3, bool)).best(F1)
    own = _Curve.from_labels(labels, 1.0, np.arange(3) == 2).best(F1)
    shared, alone = _THRESHOLD_GRID[[together, own]]
    # 5 of 20 labels: a quarter of its own.
    assert chosen.by_class["star"] == pytest.approx(0.75 * shared + 0.25 * alone, abs=0.006)
    assert shared != alone
    assert chosen.report["classes"]["disc"]["f1"] > 0.97
    with (tmp_path / "thresholds.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 4 * len(_THRESHOLD_GRID)
    (rod,) = (line for line in lines if line["class"] == "rod" and line["chosen"] == "1")
    assert float(rod["threshold"]) == chosen.by_class["rod"]


@pytest.mark.parametrize("score", [0.5, {"disc": 0.5, "rod": 0.5}], ids=["one", "by class"])
def test_given_thresholds_are_measured_and_not_changed(tmp_path, score):
    labels = scored_labels([*right_above(0.6), *right_above(0.3, 1)], [40, 70])
    chosen = choose_thresholds(labels, CLASSES[:2], open_filter(Filter, score=score), tmp_path)
    assert chosen.by_class == {"disc": 0.5, "rod": 0.5}
    # disc: 50 labels are kept, 40 of them are right. rod: 50 are kept, all of them are right.
    report = chosen.report
    assert report["classes"]["disc"] == {
        "threshold": 0.5,
        "precision": 0.8,
        "recall": 1.0,
        "f1": round(80 / 90, 4),
        "share": 1.25,
    }
    assert report["together"]["precision"] == 0.9
    assert report["together"]["recall"] == round(90 / 110, 4)


def test_thresholds_by_class_must_have_every_class(tmp_path):
    section = open_filter(Filter, score={"disc": 0.5})
    with pytest.raises(ParamsError, match="expected a threshold for each of disc, rod"):
        choose_thresholds(scored_labels(right_above(0.6), [40, 0]), CLASSES[:2], section, tmp_path)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_changed_the_scores_is_found(temperature):
    rng = np.random.default_rng(1)
    true = rng.random(20_000).astype(np.float32)
    hits = rng.random(20_000) < true
    # Scaling the scores by the temperature makes them equal to the true probabilities.
    scores = scale_scores(true, 1 / temperature)
    totals = np.array([hits.sum()])
    labels = ScoredLabels(np.zeros(20_000, int), hits, np.ones(20_000), totals, scores)
    best = best_temperature(labels)
    assert best == pytest.approx(temperature, rel=0.1)
    before, after = (
        sum(abs(row["score"] - row["right"]) * row["labels"] for row in _reliability(labels, value))
        for value in (1.0, best)
    )
    assert after <= before + 1
    assert after / 20_000 < 0.02


def test_thresholds_are_chosen_on_calibrated_scores(tmp_path):
    rows = [(0, 0.99, number % 4 != 0) for number in range(400)]
    section = open_filter(Filter, score="auto", calibrate=True)
    chosen = choose_thresholds(scored_labels(rows, [300]), CLASSES[:1], section, tmp_path)
    assert chosen.temperature > 2
    assert chosen.report["temperature"] == chosen.temperature
    with (tmp_path / "reliability.csv").open() as stream:
        before, after = csv.DictReader(stream)
    assert float(before["score"]) == pytest.approx(0.99)
    assert float(after["score"]) == pytest.approx(0.75, abs=0.01) == float(after["right"])


def test_without_labels_the_temperature_is_one():
    labels = ScoredLabels(
        np.empty(0, int), np.empty(0, bool), np.empty(0), np.zeros(2), np.empty(0, np.float32)
    )
    assert best_temperature(labels) == 1.0
    assert _reliability(labels, 1.0) == []
    assert _Curve.from_labels(labels, 1.0, np.ones(2, bool)).values["f1"].max() == 0


def test_scaled_probabilities_add_up_and_keep_their_order():
    values = np.random.default_rng(0).dirichlet(np.ones(5), 20).astype(np.float32)
    for temperature in (0.3, 1.0, 4.0):
        scaled = scale_probabilities(values, temperature)
        assert scaled.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert (scaled.argsort(axis=1) == values.argsort(axis=1)).all()
    logits = np.log(values)
    expected = np.exp(logits / 4) / np.exp(logits / 4).sum(axis=1, keepdims=True)
    assert scale_probabilities(values, 4.0) == pytest.approx(expected, abs=1e-5)


def test_scaled_scores_of_zero_and_one_stay_within_bounds():
    scores = np.array([0.0, 0.5, 1.0], np.float32)
    for temperature in (0.05, 20):
        scaled = scale_scores(scores, temperature)
        assert ((scaled >= 0) & (scaled <= 1)).all()
        assert scaled[1] == pytest.approx(0.5)
        assert all(lower <= higher for lower, higher in itertools.pairwise(scaled.tolist()))
