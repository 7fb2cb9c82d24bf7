"""The tables of the lift benchmark: pairs of seeds, ties between rounds, rows without draws."""

import csv

import numpy as np

from benchmarks import label_counts
from benchmarks.lift import COLUMNS, existing_rows
from benchmarks.lift_draws import DRAWS, append_draws, draws_path, read_draws
from benchmarks.lift_table import (
    by_arm,
    intervals,
    markdown_table,
    read_results,
    with_new_intervals,
)


def write_rows(path, *rows):
    """Write rows of a data set: arm, seed, round, val, test."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="0")
        writer.writeheader()
        for arm, seed, number, val, test in rows:
            row = {"arm": arm, "seed": seed, "round": number, "val": val, "test": test}
            writer.writerow(row | {"dataset": "bccd", "task": "detection", "setting": "pretrained"})


def test_draws_are_read_as_they_were_written(tmp_path):
    path = draws_path(tmp_path / "lift.csv")
    assert read_draws(path) == {}
    key = ("bccd", "pretrained", "gold", 0, 0)
    scores = np.linspace(0, 1, DRAWS)
    scores[7] = np.nan
    append_draws(path, key, np.zeros(DRAWS))
    append_draws(path, key, scores)
    ((found, values),) = read_draws(path).items()
    assert found == key
    np.testing.assert_allclose(values, scores, atol=0.00005)


def test_the_interval_is_that_of_seeds_with_draws_of_both_arms(tmp_path):
    path = tmp_path / "lift.csv"
    rows = [("gold", seed, 0, 0.3, 0.3 + seed / 10) for seed in range(3)]
    rows += [("loop", seed, 1, 0.4, 0.5) for seed in range(3)]
    write_rows(path, *rows, ("oracle", 0, 0, 0.6, 0.6))
    arms = by_arm(read_results(path, "pretrained"))
    draws = {("bccd", "pretrained", "gold", seed, 0): np.full(DRAWS, 0.3) for seed in (0, 1)}
    draws |= {("bccd", "pretrained", "loop", seed, 1): np.full(DRAWS, 0.5) for seed in (0, 2)}
    (row,) = intervals(arms, draws)
    assert (row["over"], row["seeds"]) == ("gold", 1)
    assert [row[name] for name in ("gain", "low", "high")] == [0.2] * 3
    kept = [
        {"dataset": "bccd", "setting": "pretrained", "over": over, "seeds": seeds, "gain": 0}
        for over, seeds in (("gold", "2"), ("oracle", "1"))
    ]
    assert with_new_intervals(kept, [row]) == kept
    assert with_new_intervals(kept, [row | {"seeds": 2}])[0]["gain"] == 0.2
    assert intervals(by_arm(read_results(path, "scratch")), draws) == []


def test_a_table_without_all_labels_has_no_shares(tmp_path):
    path = tmp_path / "lift.csv"
    write_rows(path, ("gold", 0, 0, 0.3, 0.3), ("loop", 0, 1, 0.4, 0.4))
    table = markdown_table(by_arm(read_results(path, "pretrained")), {})
    assert "| loop, best round | 1 | 0.4000 | 0.4000 |  |  |  |" in table


def test_rows_without_a_test_score_are_missing_if_test_is_asked_for(tmp_path):
    path = tmp_path / "lift.csv"
    write_rows(path, ("gold", 0, 0, 0.3, ""), ("gold", 1, 0, 0.3, 0.4))
    seeds = {key[3] for key in existing_rows(path, sees_test=True)}
    assert seeds == {"1"}
    assert len(existing_rows(path, sees_test=False)) == 2


def test_equal_scores_on_val_choose_the_earlier_round_and_unfinished_loops_are_left_out(
    tmp_path, monkeypatch
):
    rows = [("gold", seed, 0, 0.3, 0.3) for seed in range(2)]
    rows += [("loop", 0, number, 0.4, number / 10) for number in (1, 2, 3)]
    rows += [("loop", 1, 1, 0.4, 0.9), ("oracle", 0, 0, 0.7, 0.7)]
    write_rows(tmp_path / "lift.csv", *rows)
    monkeypatch.setattr(label_counts, "RESULTS", tmp_path)
    (found,) = label_counts.read_scores("pretrained")
    assert (found.count, found.seeds, found.gold, found.loop, found.oracle) == (
        40,
        1,
        0.3,
        0.1,
        0.7,
    )
