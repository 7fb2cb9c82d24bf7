import csv
import itertools

import numpy as np
import pytest

from pseudolabel.errors import ParamsError
from pseudolabel.params.filtering import Auto, Filter
from pseudolabel.quality import Trials
from pseudolabel.records import Category
from pseudolabel.temperature import tempered, tempered_probabilities
from pseudolabel.tuning import GRID, Curve, best_temperature, reliability, tune
from tests.builders import open_filter

F1 = Auto(aim="f1", at=None)
CLASSES = (Category(1, "disc"), Category(2, "rod"), Category(3, "star"))


def trials(rows, truths):
    """Rows of class, score and whether it is right."""
    classes, scores, hits = (np.array(column) for column in zip(*rows, strict=True))
    scores = scores.astype(np.float32)
    amounts, truths = np.ones(len(rows)), np.array(truths, float)
    return Trials(classes, hits, amounts, truths, lambda value: tempered(scores, value))


def cut_at(threshold, index=0, count=100):
    """Labels that are right from a score on, and wrong below it."""
    scores = (np.arange(count) + 0.5) / count
    return [(index, score, score > threshold) for score in scores]


def curve(rows, truths):
    return Curve.of(trials(rows, truths), 1.0, np.ones(len(truths), bool))


def test_a_curve_is_that_of_the_plain_loop():
    rng = np.random.default_rng(0)
    rows = [(0, float(it), bool(rng.random() < it)) for it in rng.random(200).round(2)]
    found = curve(rows, [120]).values
    for at, threshold in enumerate(GRID):
        kept = [hit for _, score, hit in rows if np.float32(score) >= np.float32(threshold)]
        precision = sum(kept) / len(kept) if kept else 0
        assert found["precision"][at] == pytest.approx(precision)
        assert found["recall"][at] == pytest.approx(sum(kept) / 120)
        assert found["share"][at] == pytest.approx(len(kept) / 120)
        assert found["f1"][at] == pytest.approx(2 * sum(kept) / (len(kept) + 120))


AIMS = [
    ("F1 keeps all that is right", F1, 0.6),
    ("a precision of one half keeps as much wrong", Auto(aim="precision", at=0.5), 0.2),
    ("every one right", Auto(aim="precision", at=1.0), 0.6),
    ("a label for each", Auto(aim="share", at=1.0), 0.6),
    ("half as many", Auto(aim="share", at=0.5), 0.8),
    ("twice as many", Auto(aim="share", at=2.0), 0.2),
]


@pytest.mark.parametrize(("aim", "expected"), [it[1:] for it in AIMS], ids=[it[0] for it in AIMS])
def test_what_is_aimed_at_is_met(aim, expected):
    found = curve(cut_at(0.6), [40])
    assert GRID[found.best(aim)] == pytest.approx(expected, abs=0.011)


def test_a_precision_out_of_reach_takes_what_comes_nearest():
    rows = [(0, score, number % 2 == 0) for number, score in enumerate(np.linspace(0.1, 0.9, 80))]
    found = curve(rows, [40])
    at = found.best(Auto(aim="precision", at=0.99))
    precision = found.values["precision"]
    assert precision[at] == precision.max() < 0.99


def test_of_thresholds_that_are_as_good_the_middle_is_taken():
    rows = [(0, 0.9, True)] * 50 + [(0, 0.1, False)] * 50
    assert GRID[curve(rows, [50]).best(F1)] == pytest.approx(0.51, abs=0.02)


def test_each_class_gets_its_own_and_rare_ones_that_of_all(tmp_path):
    rows = [*cut_at(0.6), *cut_at(0.3, 1), *[(2, 0.95, True)] * 5]
    found = trials(rows, [40, 70, 5])
    chosen, report = tune(found, CLASSES, open_filter(Filter, score="auto"), tmp_path)
    assert chosen.thresholds["disc"] == pytest.approx(0.6, abs=0.02)
    assert chosen.thresholds["rod"] == pytest.approx(0.3, abs=0.02)
    assert report["too_few_to_tell"] == ["star"]
    of_all = Curve.of(found, 1.0, np.ones(3, bool)).best(F1)
    assert chosen.thresholds["star"] == pytest.approx(GRID[of_all])
    assert report["classes"]["disc"]["f1"] > 0.97
    with (tmp_path / "thresholds.csv").open() as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == 4 * len(GRID)
    (mine,) = (it for it in written if it["class"] == "rod" and it["chosen"] == "1")
    assert float(mine["threshold"]) == chosen.thresholds["rod"]


@pytest.mark.parametrize("score", [0.5, {"disc": 0.5, "rod": 0.5}], ids=["one", "by class"])
def test_given_thresholds_are_judged_and_left_alone(tmp_path, score):
    found = trials([*cut_at(0.6), *cut_at(0.3, 1)], [40, 70])
    chosen, report = tune(found, CLASSES[:2], open_filter(Filter, score=score), tmp_path)
    assert chosen.thresholds == {"disc": 0.5, "rod": 0.5}
    # Of disc 50 are kept and 40 right, of rod 50 of the 70 that are right.
    assert report["classes"]["disc"] == {
        "threshold": 0.5,
        "precision": 0.8,
        "recall": 1.0,
        "f1": round(80 / 90, 4),
        "share": 1.25,
    }
    assert report["together"]["precision"] == 0.9
    assert report["together"]["recall"] == round(90 / 110, 4)


def test_thresholds_by_class_are_for_every_class(tmp_path):
    section = open_filter(Filter, score={"disc": 0.5})
    with pytest.raises(ParamsError, match="expected a threshold for each of disc, rod"):
        tune(trials(cut_at(0.6), [40, 0]), CLASSES[:2], section, tmp_path)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_bent_the_scores_is_found_again(temperature):
    rng = np.random.default_rng(1)
    true = rng.random(20_000).astype(np.float32)
    hits = rng.random(20_000) < true
    # Scores that are too bold by a temperature: scaling by it makes them true.
    scores = tempered(true, 1 / temperature)
    found = Trials(
        np.zeros(20_000, int),
        hits,
        np.ones(20_000),
        np.array([hits.sum()]),
        lambda value: tempered(scores, value),
    )
    best = best_temperature(found)
    assert best == pytest.approx(temperature, rel=0.1)
    gap = [
        sum(abs(it["score"] - it["right"]) * it["labels"] for it in reliability(found, value))
        for value in (1.0, best)
    ]
    assert gap[1] <= gap[0] + 1
    assert gap[1] / 20_000 < 0.02


def test_calibrated_scores_are_what_thresholds_stand_for(tmp_path):
    rows = [(0, 0.99, number % 4 != 0) for number in range(400)]
    section = open_filter(Filter, score="auto", calibrate=True)
    chosen, report = tune(trials(rows, [300]), CLASSES[:1], section, tmp_path)
    assert chosen.temperature > 2
    assert report["temperature"] == chosen.temperature
    with (tmp_path / "reliability.csv").open() as stream:
        before, after = csv.DictReader(stream)
    assert float(before["score"]) == pytest.approx(0.99)
    assert float(after["score"]) == pytest.approx(0.75, abs=0.01) == float(after["right"])


def test_nothing_to_learn_from_leaves_scores_alone():
    nothing = Trials(
        np.empty(0, int), np.empty(0, bool), np.empty(0), np.zeros(2), lambda _: np.empty(0, "f4")
    )
    assert best_temperature(nothing) == 1.0
    assert reliability(nothing, 1.0) == []
    assert Curve.of(nothing, 1.0, np.ones(2, bool)).values["f1"].max() == 0


def test_scaled_probabilities_add_up_and_keep_their_order():
    values = np.random.default_rng(0).dirichlet(np.ones(5), 20).astype(np.float32)
    for temperature in (0.3, 1.0, 4.0):
        scaled = tempered_probabilities(values, temperature)
        assert scaled.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert (scaled.argsort(axis=1) == values.argsort(axis=1)).all()
    logits = np.log(values)
    expected = np.exp(logits / 4) / np.exp(logits / 4).sum(axis=1, keepdims=True)
    assert tempered_probabilities(values, 4.0) == pytest.approx(expected, abs=1e-5)


def test_scores_of_nothing_and_of_all_stay_within_bounds():
    scores = np.array([0.0, 0.5, 1.0], np.float32)
    for temperature in (0.05, 20):
        scaled = tempered(scores, temperature)
        assert ((scaled >= 0) & (scaled <= 1)).all()
        assert scaled[1] == pytest.approx(0.5)
        assert all(one <= other for one, other in itertools.pairwise(scaled.tolist()))
