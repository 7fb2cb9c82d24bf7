import csv

import orjson

from pseudolabel.compare import compare, flat_metrics, verdict
from pseudolabel.files import write_json
from pseudolabel.history import best_round, gain


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
    """A row with what it gained over the best round before it."""
    step = {"round": best, "gain": gained, "interval": interval}
    return made | {"over_champion": step, "champion": champion, "silver_agreement": agreement}


HISTORY = [
    row(0, 0.3, 0.28),
    after(row(1, 0.4, 0.33, silver=5), 0, 0.1, [0.02, 0.15], 1),
    after(row(2, 0.35, 0.36, silver=7), 1, -0.05, [-0.09, 0.01], 1, 0.9),
]


def test_metrics_have_flat_names():
    metrics = flat_metrics(HISTORY)
    assert metrics["round"] == 2
    assert metrics["best_round"] == 1
    assert metrics["val.mAP"] == 0.35
    assert metrics["test.mAP_75"] == 0.35 + 0.1
    assert metrics["lift.val.mAP"] == 0.1
    assert [metrics[it] for it in ("gain", "gain.low", "gain.high")] == [-0.05, -0.09, 0.01]
    assert metrics["silver.agreement"] == 0.9
    assert metrics["iterations"] == 1200
    assert "gain" not in flat_metrics(HISTORY[:1])
    assert metrics["lift.test.mAP"] == 0.05
    assert (metrics["silver.images"], metrics["silver.annotations"]) == (7, 70)


def test_without_a_test_split_there_are_no_test_metrics():
    assert not [it for it in flat_metrics([row(0, 0.3), row(1, 0.4, silver=2)]) if "test" in it]


def test_the_best_round_is_chosen_on_val_and_the_earlier_of_equals():
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
    assert [it["val.mAP"] for it in rows] == ["0.3", "0.4", "0.35"]
    assert [it["val"] for it in rows] == ["0.3", "0.4", "0.35"]
    assert orjson.loads((tmp_path / "metrics.json").read_bytes()) == flat_metrics(HISTORY)
    with (tmp_path / "report" / "classes.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 3 * 2 * 2


def test_the_verdict_says_whether_another_round_pays():
    assert "ask for round 1" in verdict(HISTORY[:1])
    said = verdict(HISTORY[:2])
    assert said.startswith("Round 1 is best on val, +0.1000 mAP over round 0.")
    assert "+0.1000 mAP on val, 95% interval +0.0200 to +0.1500." in said
    assert said.endswith("Other images in val would show the gain, too: another round is worth it.")
    said = verdict(HISTORY)
    assert "Round 2 against round 1, the best before it: -0.0500 mAP" in said
    assert "; 90% of its silver is that of the round before." in said
    assert said.endswith(
        "It is no better: the next round would have the same teacher. Stop, or change the filter."
    )
    lost = after(row(1, 0.4, silver=1), 0, -0.1, [-0.2, -0.05], 0)
    assert "silver did not pay" in verdict([row(0, 0.5), lost])
    assert "worse for sure" in verdict([row(0, 0.5), lost])


def test_the_verdict_looks_at_zero_and_at_whether_silver_has_settled():
    def second(interval, agreement):
        step = after(row(2, 0.42, silver=9), 1, 0.02, interval, 2, agreement)
        return verdict([*HISTORY[:2], step])

    assert "may be chance: another round may pay" in second([-0.01, 0.05], 0.9)
    assert "may be chance: another round may pay" in second(None, 0.9)
    assert "another round is worth it" in second([0.01, 0.05], 0.9)
    assert "The silver has settled" in second([0.01, 0.05], 0.99)
