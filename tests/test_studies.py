"""Studies: they find what is best, and a kill changes nothing of what they find."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pseudolabel.errors import ModelError, ParamsError
from pseudolabel.params.tune import Choice, Range
from pseudolabel.studies import search

ROOT = Path(__file__).parents[1]
RANGES = [
    Range(name="train.learning_rate", low=0.001, high=1.0, log=True),
    Range(name="train.iterations", low=1, high=9),
]


def hill(options):
    """Highest at a learning rate of 0.1; iterations matter little."""
    rate = options["train.learning_rate"]
    return 1 - abs(rate - 0.1) + 0.001 * options["train.iterations"]


def rows_of(folder, name="trials.csv"):
    with (folder / name).open() as stream:
        return list(csv.DictReader(stream))


def test_the_best_of_a_hill_is_found_and_what_mattered_is_told(tmp_path):
    best = search(tmp_path, "hill", RANGES, 40, 0, hill)
    assert best["train.learning_rate"] == pytest.approx(0.1, abs=0.03)
    told = json.loads((tmp_path / "best.json").read_text())
    assert told == {"parameters": best, "value": pytest.approx(hill(best))}
    rows = rows_of(tmp_path)
    assert [row["trial"] for row in rows] == [str(it) for it in range(40)]
    values = [float(row["value"]) for row in rows]
    assert [float(row["best"]) for row in rows] == [max(values[: it + 1]) for it in range(40)]
    assert {float(row["train.iterations"]).is_integer() for row in rows} == {True}
    first, second = rows_of(tmp_path, "importance.csv")
    assert (first["parameter"], second["parameter"]) == ("train.learning_rate", "train.iterations")
    assert float(first["importance"]) > 0.8


def test_the_same_seed_gives_the_same_trials(tmp_path):
    for name in ("a", "b"):
        search(tmp_path / name, "hill", RANGES, 14, 3, hill)
    search(tmp_path / "c", "hill", RANGES, 14, 4, hill)
    a, b, c = ((tmp_path / name / "trials.csv").read_bytes() for name in "abc")
    assert a == b != c


SLOW_HILL = """
import sys, time
from pathlib import Path
from tests.test_studies import RANGES, hill
from pseudolabel.studies import search

def slow(options):
    time.sleep(0.15)
    return hill(options)

search(Path(sys.argv[1]), "hill", RANGES, 20, 0, slow)
"""


def test_a_killed_study_goes_on_to_what_it_would_have_found(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    search(whole, "hill", RANGES, 20, 0, hill)
    process = subprocess.Popen([sys.executable, "-c", SLOW_HILL, str(cut)], cwd=ROOT)
    end = time.monotonic() + 60
    while not (cut / "trials.csv").exists() or len(rows_of(cut)) < 12:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(rows_of(cut))
    assert 12 <= done < 20
    asked = []

    def counted(options):
        asked.append(options)
        return hill(options)

    search(cut, "hill", RANGES, 20, 0, counted)
    assert len(asked) in (20 - done, 19 - done)
    for name in ("trials.csv", "best.json", "importance.csv"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_more_trials_go_on_with_those_that_are_there(tmp_path):
    search(tmp_path, "hill", RANGES, 3, 0, hill)
    before = rows_of(tmp_path)
    search(tmp_path, "hill", RANGES, 5, 0, hill)
    assert rows_of(tmp_path)[:3] == before
    assert len(rows_of(tmp_path)) == 5


def test_other_inputs_begin_another_study(tmp_path):
    search(tmp_path, "hill", RANGES, 3, 0, hill)
    search(tmp_path, "valley", RANGES, 2, 0, lambda options: -hill(options))
    assert [float(row["value"]) < 0 for row in rows_of(tmp_path)] == [True, True]


@pytest.mark.parametrize(("rate", "tried_first"), [(0.5, True), (5.0, False)])
def test_the_values_in_use_come_first_where_they_lie_within(tmp_path, rate, tried_first):
    own = {"train.learning_rate": rate, "train.iterations": 4}
    search(tmp_path, "hill", RANGES, 2, 0, hill, own)
    first = rows_of(tmp_path)[0]
    found = (float(first["train.learning_rate"]), int(first["train.iterations"]))
    assert (found == (rate, 4)) == tried_first


def test_choices_may_have_any_form(tmp_path):
    sgd, adam = {"type": "SGD", "momentum": 0.9}, {"type": "Adam"}
    searched = [
        Choice(name="train.optimizer", choices=[sgd, adam]),
        Choice(name="train.crop", choices=[None, [64, 64]]),
    ]

    def measure(options):
        assert options["train.optimizer"] in (sgd, adam)
        return (options["train.optimizer"] == adam) + (options["train.crop"] == [64, 64]) / 2

    own = {"train.optimizer": sgd, "train.crop": None}
    best = search(tmp_path, "choices", searched, 12, 0, measure, own)
    assert best == {"train.optimizer": adam, "train.crop": [64, 64]}
    assert json.loads((tmp_path / "best.json").read_text())["parameters"] == best
    assert json.loads(rows_of(tmp_path)[0]["train.optimizer"]) == sgd


@pytest.mark.parametrize("kind", [ModelError, ParamsError])
def test_a_trial_that_cannot_be_trained_is_told_and_the_study_goes_on(tmp_path, kind):
    def measure(options):
        if options["train.learning_rate"] > 0.2:
            raise kind("the loss is no number")
        return hill(options)

    search(tmp_path, "hill", RANGES, 12, 0, measure)
    rows = rows_of(tmp_path)
    assert len(rows) == 12
    for row in rows:
        failed = float(row["train.learning_rate"]) > 0.2
        assert row["fault"] == ("the loss is no number" if failed else "")
        assert (row["value"] == "") == failed
    assert {row["fault"] for row in rows} == {"", "the loss is no number"}


def test_nothing_but_failures_are_an_error(tmp_path):
    def measure(_):
        raise ModelError("no such optimizer")

    with pytest.raises(ModelError, match="found none; last: no such optimizer"):
        search(tmp_path, "hill", RANGES, 2, 0, measure)
