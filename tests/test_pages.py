"""Charts on pages: what they show stands where the numbers say, and texts are escaped."""

import re

import pytest

from pseudolabel.pages import ranges


def test_bars_span_the_quartiles():
    chart = ranges("area", [("a", (0.0, 5.0, 10.0)), ("b", None), ("c", (5.0, 5.0, 5.0))])
    bars = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', chart)
    first, last = [tuple(map(float, bar)) for bar in bars]
    assert first[1:] == (0, 120)
    assert last[1:] == (60, 1)
    # The gap of b lies between them.
    assert last[0] - first[0] == pytest.approx(32)
    assert "area, 0 to 10" in chart


def test_names_of_images_are_escaped():
    chart = ranges("a & b", [("<script>.png", (1.0, 2.0, 3.0))])
    assert "<script>" not in chart
    assert "&lt;script&gt;.png: 1, 2, 3" in chart
    assert "a &amp; b" in chart


def test_nothing_to_show_is_an_empty_chart():
    assert "<rect" not in ranges("area", [("a", None)])
