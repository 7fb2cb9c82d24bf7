"""A study finds the best parameters, and a resumed study gives the same results."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pseudolabel.core.errors import ModelError, ParamsError
from pseudolabel.params.tune import Choice, Range
from pseudolabel.search.study import search

ROOT = Path(__file__).parents[2]
RANGES = [
    Range(name="train.learning_rate", low=0.001, high=1.0, log=True),
    Range(name="train.iterations", low=1, high=9),
]


def hill(options):
    """A measure with its maximum at a learning rate of 0.1; iterations have little effect."""
    rate = options["train.learning_rate"]
    return 1 - abs(rate - 0.1) + 0.001 * options["train.iterations"]


def rows_of(folder, name="trials.csv"):
    with (folder / name).open() as stream:
        return list(csv.DictReader(stream))


def test_the_best_values_and_the_importances_are_written(tmp_path):
    best = search(tmp_path, "hill", RANGES, 40, 0, hill)
    assert best["train.learning_rate"] == pytest.approx(0.1, abs=0.03)
    written = json.loads((tmp_path / "best.json").read_text())
    assert written == {"parameters": best, "value": pytest.approx(hill(best))}
    rows = rows_of(tmp_path)
    assert [row["trial"] for row in rows] == [str(number) for number in range(40)]
    values = [float(row["value"]) for row in rows]
    best_so_far = [max(values[:count]) for count in range(1, 41)]
    assert [float(row["best"]) for row in rows] == best_so_far
    assert {float(row["train.iterations"]).is_integer() for row in rows} == {True}
    first, second = rows_of(tmp_path, "importance.csv")
    assert (first["parameter"], second["parameter"]) == ("train.learning_rate", "train.iterations")
    assert float(first["importance"]) > 0.8


@pytest.mark.slow
def test_the_same_seed_gives_the_same_trials(tmp_path):
    for name in ("a", "b"):
        search(tmp_path / name, "hill", RANGES, 14, 3, hill)
    search(tmp_path / "c", "hill", RANGES, 14, 4, hill)
    a, b, c = ((tmp_path / name / "trials.csv").read_bytes() for name in "abc")
    assert a == b != c


SLOW_HILL = """
import sys, time
from pathlib import Path
from tests.search.test_study import RANGES, hill
from pseudolabel.search.study import search

def slow(options):
    time.sleep(0.15)
    return hill(options)

search(Path(sys.argv[1]), "hill", RANGES, 20, 0, slow)
"""


@pytest.mark.slow
def test_a_killed_study_resumes_with_the_same_results(tmp_path):
    complete, killed = tmp_path / "complete", tmp_path / "killed"
    search(complete, "hill", RANGES, 20, 0, hill)
    process = subprocess.Popen([sys.executable, "-c", SLOW_HILL, str(killed)], cwd=ROOT)
    end = time.monotonic() + 60
    while not (killed / "trials.csv").exists() or len(rows_of(killed)) < 12:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(rows_of(killed))
    assert 12 <= done < 20
    measured = []

    def counted(options):
        measured.append(options)
        return hill(options)

    search(killed, "hill", RANGES, 20, 0, counted)
    # The killed study may have finished one more trial before it could write the table.
    assert len(measured) in (20 - done, 19 - done)
    for name in ("trials.csv", "best.json", "importance.csv"):
        assert (killed / name).read_bytes() == (complete / name).read_bytes()


def test_more_trials_are_added_to_the_existing_ones(tmp_path):
    search(tmp_path, "hill", RANGES, 3, 0, hill)
    before = rows_of(tmp_path)
    search(tmp_path, "hill", RANGES, 5, 0, hill)
    assert rows_of(tmp_path)[:3] == before
    assert len(rows_of(tmp_path)) == 5


def test_another_key_starts_another_study(tmp_path):
    search(tmp_path, "hill", RANGES, 3, 0, hill)
    search(tmp_path, "valley", RANGES, 2, 0, lambda options: -hill(options))
    assert [float(row["value"]) < 0 for row in rows_of(tmp_path)] == [True, True]


@pytest.mark.parametrize(("rate", "is_first"), [(0.5, True), (5.0, False)])
def test_the_values_in_use_are_trial_0_if_they_are_within_the_bounds(tmp_path, rate, is_first):
    current = {"train.learning_rate": rate, "train.iterations": 4}
    search(tmp_path, "hill", RANGES, 2, 0, hill, current)
    first = rows_of(tmp_path)[0]
    values = (float(first["train.learning_rate"]), int(first["train.iterations"]))
    assert (values == (rate, 4)) == is_first


def test_choices_may_have_any_json_type(tmp_path):
    sgd, adam = {"type": "SGD", "momentum": 0.9}, {"type": "Adam"}
    searched = [
        Choice(name="train.optimizer", choices=[sgd, adam]),
        Choice(name="train.crop", choices=[None, [64, 64]]),
    ]

    def measure(options):
        assert options["train.optimizer"] in (sgd, adam)
        return (options["train.optimizer"] == adam) + (options["train.crop"] == [64, 64]) / 2

    current = {"train.optimizer": sgd, "train.crop": None}
    best = search(tmp_path, "choices", searched, 12, 0, measure, current)
    assert best == {"train.optimizer": adam, "train.crop": [64, 64]}
    assert json.loads((tmp_path / "best.json").read_text())["parameters"] == best
    assert json.loads(rows_of(tmp_path)[0]["train.optimizer"]) == sgd


@pytest.mark.parametrize("kind", [ModelError, ParamsError])
def test_the_error_of_a_trial_is_written_and_the_study_continues(tmp_path, kind):
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


def test_a_study_without_any_value_is_an_error(tmp_path):
    def measure(_):
        raise ModelError("no such optimizer")

    with pytest.raises(ModelError, match="found none; last error: no such optimizer"):
        search(tmp_path, "hill", RANGES, 2, 0, measure)
