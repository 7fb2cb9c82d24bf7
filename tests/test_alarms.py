import numpy as np
import pytest

from pseudolabel.alarms import Amounts, alarms_of

NAMES = ("disc", "rod")


def amounts(*counts, score=None, source="gold"):
    return Amounts(source, np.array(counts), score)


CASES = [
    ("alike", (600, 400), (60, 40), []),
    ("three times is not yet four", (900, 100), (70, 30), []),
    (
        "collapses and explodes",
        (990, 10),
        (20, 80),
        [
            "class 'disc' is 99.0% of silver and 20.0% of gold: it explodes",
            "class 'rod' is 1.0% of silver and 80.0% of gold: it collapses",
        ],
    ),
    ("too few to tell", (9, 0), (50, 50), []),
    ("a class that gold has not", (500, 500), (100, 0), []),
    ("no silver at all", (0, 0), (50, 50), []),
]


@pytest.mark.parametrize(
    ("silver", "gold", "expected"), [it[1:] for it in CASES], ids=[it[0] for it in CASES]
)
def test_shares_beside_gold(silver, gold, expected):
    assert alarms_of(amounts(*silver, score=0.8), [amounts(*gold)], NAMES, 4) == expected


def test_more_silver_of_a_lower_score():
    before = amounts(50, 50, score=0.9, source="the round before")
    assert alarms_of(amounts(60, 60, score=0.85), [before], NAMES, 4) == [
        (
            "there is more silver than in the round before (120 after 100), and its mean score is "
            "lower (0.850 after 0.900)"
        )
    ]
    assert not alarms_of(amounts(60, 60, score=0.95), [before], NAMES, 4)
    assert not alarms_of(amounts(40, 40, score=0.85), [before], NAMES, 4)


def test_a_report_of_sorted_names_is_read_in_the_order_of_the_classes():
    report = {"annotations": {"out_by_class": {"disc": 5, "rod": 95}}, "mean_score": 0.9}
    before = Amounts.of_report("the round before", report, "annotations", ("rod", "disc"))
    assert before.by_class.tolist() == [95, 5]
    assert not alarms_of(amounts(90, 10, score=0.95), [before], ("rod", "disc"), 4)
