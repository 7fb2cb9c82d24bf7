"""Charts as SVG."""

import re

import pytest

from pseudolabel.report.charts import Line, _ticks, chart

EVIL = '"><script>alert(1)</script>'


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 400, [0, 100, 200, 300, 400]), (3, 3, [3, 3.2])],
)
def test_ticks_are_round_values(low, high, ticks):
    found = _ticks(low, high)
    assert found[: len(ticks)] == ticks
    assert found[0] <= low <= high <= found[-1]


def test_whole_numbers_have_whole_ticks():
    assert _ticks(0, 2, True) == [0, 1, 2]
    assert _ticks(0, 0, True) == [0, 1]


def test_a_chart_has_a_point_for_each_value_and_escapes_names():
    drawn = chart(EVIL, EVIL, EVIL, [Line(EVIL, "#0072b2", [(0, 0.2), (1, 0.4), (2, 0.6)])])
    assert drawn.count("<circle") == 3
    assert "<script" not in drawn
    heights = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', drawn)]
    assert heights == sorted(heights, reverse=True)


def test_the_longest_line_decides_whether_all_points_have_marks():
    long = Line("long", "#0072b2", [(number / 20, 0.5) for number in range(20)])
    short = Line("short", "#e69f00", [(0.1, 0.2), (0.2, 0.3)], marked=[(0.1, 0.2)])
    assert chart("title", "x", "y", [long, short]).count("<circle") == 1


def test_the_x_axis_has_the_ends_that_are_asked_for():
    line = Line("line", "#0072b2", [(0.2, 0.5), (0.6, 0.7)])
    drawn = chart("title", "x", "y", [line], (0.0, 1.0))
    assert ">1</text>" in drawn
    assert ">0</text>" in drawn


def test_without_points_there_is_no_chart():
    assert chart("empty", "x", "y", [Line("none", "#0072b2", [])]) == ""
