import numpy as np
import pytest

from pseudolabel.silver.alarms import ClassAmounts, find_alarms

NAMES = ("disc", "rod")


def amounts(*counts, score=None, source="gold"):
    return ClassAmounts(source, np.array(counts), score)


CASES = [
    ("similar shares", (600, 400), (60, 40), []),
    ("a factor of three is below the limit of four", (900, 100), (70, 30), []),
    (
        "one class collapses, one explodes",
        (990, 10),
        (20, 80),
        [
            "class 'disc' is 99.0% of silver and 20.0% of gold: it explodes",
            "class 'rod' is 1.0% of silver and 80.0% of gold: it collapses",
        ],
    ),
    ("too few labels", (9, 0), (50, 50), []),
    ("a class without gold labels", (500, 500), (100, 0), []),
    ("no silver", (0, 0), (50, 50), []),
]


@pytest.mark.parametrize(
    ("silver", "gold", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_shares_are_compared_with_gold(silver, gold, expected):
    assert find_alarms(amounts(*silver, score=0.8), [amounts(*gold)], NAMES, 4) == expected


def test_more_silver_with_a_lower_mean_score_is_an_alarm():
    before = amounts(50, 50, score=0.9, source="the round before")
    assert find_alarms(amounts(60, 60, score=0.85), [before], NAMES, 4) == [
        (
            "there is more silver than in the round before (120 after 100), but its mean score is "
            "lower (0.850 after 0.900)"
        )
    ]
    assert not find_alarms(amounts(60, 60, score=0.95), [before], NAMES, 4)
    assert not find_alarms(amounts(40, 40, score=0.85), [before], NAMES, 4)


def test_the_amounts_of_a_report_have_the_order_of_the_classes():
    report = {"annotations": {"out_by_class": {"disc": 5, "rod": 95}}, "mean_score": 0.9}
    before = ClassAmounts.from_report("the round before", report, "annotations", ("rod", "disc"))
    assert before.by_class.tolist() == [95, 5]
    assert not find_alarms(amounts(90, 10, score=0.95), [before], ("rod", "disc"), 4)
