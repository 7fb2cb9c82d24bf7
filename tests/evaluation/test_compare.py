import csv

import orjson

from pseudolabel.core.files import write_json
from pseudolabel.evaluation.compare import _flat_metrics, compare
from pseudolabel.evaluation.history import best_round, gain
from pseudolabel.evaluation.verdict import verdict_on


def row(number, val, test=None, silver=None):
    scores = {
        "mAP_50": val + 0.2,
        "mAP_75": val + 0.1,
        "by_class": {"AP": {"disc": val, "rod": None}},
    }
    made = {
        "headline": ["mAP", "mAP_50", "mAP_75"],
        "round": number,
        "val": scores | {"mAP": val},
        "over_champion": None,
        "silver_agreement": None,
        "champion": 0,
        "transductive": False,
    }
    made["iterations"] = 400 * (1 + number)
    made |= {"weights_mb": 3.4, "data": {"gold": {"images": 4, "annotations": 9}}}
    if test is not None:
        made["test"] = scores | {"mAP": test}
    if silver is not None:
        made["data"]["silver"] = {"images": silver, "annotations": 10 * silver}
    return made


def after(made, best, gained, interval, champion, agreement=None):
    """The row with its gain over the best round before it."""
    step = {"round": best, "gain": gained, "interval": interval}
    return made | {"over_champion": step, "champion": champion, "silver_agreement": agreement}


HISTORY = [
    row(0, 0.3, 0.28),
    after(row(1, 0.4, 0.33, silver=5), 0, 0.1, [0.02, 0.15], 1),
    after(row(2, 0.35, 0.36, silver=7), 1, -0.05, [-0.09, 0.01], 1, 0.9),
]


def test_metrics_have_flat_names():
    metrics = _flat_metrics(HISTORY)
    assert metrics["round"] == 2
    assert metrics["best_round"] == 1
    assert metrics["val.mAP"] == 0.35
    assert metrics["test.mAP_75"] == 0.35 + 0.1
    assert metrics["lift.val.mAP"] == 0.1
    assert [metrics[name] for name in ("gain", "gain.low", "gain.high")] == [-0.05, -0.09, 0.01]
    assert metrics["silver.agreement"] == 0.9
    assert metrics["iterations"] == 1200
    assert "gain" not in _flat_metrics(HISTORY[:1])
    assert metrics["lift.test.mAP"] == 0.05
    assert (metrics["silver.images"], metrics["silver.annotations"]) == (7, 70)


def test_without_a_test_split_there_are_no_test_metrics():
    metrics = _flat_metrics([row(0, 0.3), row(1, 0.4, silver=2)])
    assert not [name for name in metrics if "test" in name]


def test_the_best_round_is_the_first_one_with_the_best_score_on_val():
    assert best_round([row(0, 0.3, 0.1), row(1, 0.2, 0.9), row(2, 0.3, 0.9)]) == 0
    assert gain(HISTORY[1], HISTORY[0], "test") == 0.05
    assert gain(row(1, 0.2), HISTORY[0], "test") is None


def test_compare_writes_metrics_table_and_plots(tmp_path):
    write_json(tmp_path / "evaluation" / "history.json", HISTORY)
    write_json(tmp_path / "evaluation" / "speed.json", [20.0, 21.0, 22.0])
    table = compare(tmp_path / "evaluation", tmp_path / "metrics.json", tmp_path / "report")
    assert (tmp_path / "report" / "rounds.md").read_text() == table
    assert len(table.splitlines()) == 7
    assert len({len(line) for line in table.splitlines()[:5]}) == 1
    with (tmp_path / "report" / "rounds.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [cells["val.mAP"] for cells in rows] == ["0.3", "0.4", "0.35"]
    assert [cells["val"] for cells in rows] == ["0.3", "0.4", "0.35"]
    assert orjson.loads((tmp_path / "metrics.json").read_bytes()) == _flat_metrics(HISTORY)
    with (tmp_path / "report" / "classes.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 3 * 2 * 2


def test_the_table_has_the_chosen_iterations_if_weights_were_chosen(tmp_path):
    def chosen(split, iteration):
        curve = [{"iteration": step, "score": 0.1} for step in (133, 266, 400)]
        return {"selection": {"split": split, "iteration": iteration, "curve": curve}}

    history = [HISTORY[0] | chosen("tuning", 266), HISTORY[1] | chosen("val", 400), HISTORY[2]]
    write_json(tmp_path / "evaluation" / "history.json", history)
    write_json(tmp_path / "evaluation" / "speed.json", [20.0, 21.0, 22.0])
    table = compare(tmp_path / "evaluation", tmp_path / "metrics.json", tmp_path / "report")
    cells = [line.split("|")[-2].strip() for line in table.splitlines()[:5]]
    assert cells[0] == "chosen iteration"
    assert cells[2:] == ["266 of 400", "400 of 400, on val", "the last"]
    with (tmp_path / "report" / "rounds.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["chosen_iteration"] for row in rows] == ["266", "400", ""]
    assert _flat_metrics(history[:2])["chosen_iteration"] == 400
    assert "chosen_iteration" not in _flat_metrics(HISTORY)


def test_the_verdict_has_the_best_round_and_the_last_gain():
    assert "run round 1" in verdict_on(HISTORY[:1])
    verdict = verdict_on(HISTORY[:2])
    assert verdict.startswith("Round 1 is the best on val, +0.1000 mAP over round 0.")
    assert "+0.1000 mAP on val, 95% interval +0.0200 to +0.1500." in verdict
    assert verdict.endswith("The interval is above zero: another round is worth it.")
    verdict = verdict_on(HISTORY)
    assert "Round 2 against round 1, the best round before: -0.0500 mAP" in verdict
    assert "; 90% of its silver is the same as in the round before." in verdict
    assert verdict.endswith(
        "It is not better: the next round would have the same teacher. Stop, or change the filter."
    )
    worse = after(row(1, 0.4, silver=1), 0, -0.1, [-0.2, -0.05], 0)
    assert "silver did not help" in verdict_on([row(0, 0.5), worse])
    assert "significantly worse" in verdict_on([row(0, 0.5), worse])


def test_the_advice_depends_on_the_interval_and_the_agreement_of_silver():
    def verdict(interval, agreement):
        second = after(row(2, 0.42, silver=9), 1, 0.02, interval, 2, agreement)
        return verdict_on([*HISTORY[:2], second])

    assert "may be chance: another round may help" in verdict([-0.01, 0.05], 0.9)
    assert "may be chance: another round may help" in verdict(None, 0.9)
    assert "another round is worth it" in verdict([0.01, 0.05], 0.9)
    assert "The silver hardly changes any more" in verdict([0.01, 0.05], 0.99)


def test_without_labels_on_val_no_round_is_called_best():
    rows = [row(0, 0.3), after(row(1, 0.3, silver=5), 0, None, None, 0)]
    for one in rows:
        one["val"] = one["val"] | {"mAP": None}
    assert verdict_on(rows) == (
        "Val has no mAP: it has no labels that count. Which round is the best is not known."
    )
    for one in rows:
        del one["val"]
    assert verdict_on(rows).startswith("Val has no images.")


def test_a_student_far_below_its_teacher_is_reported():
    fallen = after(row(1, 0.1, silver=5), 0, -0.2, [-0.3, -0.1], 0)
    _, line = verdict_on([row(0, 0.3), fallen]).split("\n\n")
    expected = "Round 1 is far below its teacher, round 0: 0.1000 mAP against 0.3000. "
    assert line == expected + "Look at its curve.csv and at its silver."
    close = after(row(1, 0.2, silver=5), 0, -0.1, [-0.3, -0.1], 0)
    assert "far below" not in verdict_on([row(0, 0.3), close])
