"""Charts of lines as SVG: colours of their own, texts in the colour of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pseudolabel.report.html_parts import legend

_WIDTH, _HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 12, 12, 44
_MOST_MARKS = 12
"""Points of the longest line up to which each point has a mark."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: its name in the legend.
        colour: its colour.
        points: its points from left to right.
        dashed: whether it is dashed.
        ranges: the interval of some points: x, low and high.
        marked: points with a large mark.
    """

    name: str
    colour: str
    points: Sequence[Point]
    dashed: bool = False
    ranges: Sequence[tuple[float, float, float]] = ()
    marked: Sequence[Point] = ()


def chart(
    title: str, x_name: str, y_name: str, lines: Sequence[Line], x_ends: Sequence[float] = ()
) -> str:
    """Return a chart with its title and its legend; empty if no line has a point.

    Args:
        title: its title.
        x_name: the name of its x axis.
        y_name: the name of its y axis.
        lines: its lines.
        x_ends: values that the x axis has to have, whatever the points are.
    """
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    xs = [*x_ends, *(x for line in lines for x, _ in line.points)]
    ys = [y for line in lines for _, y in line.points]
    ys += [end for line in lines for _, *ends in line.ranges for end in ends]
    are_whole = all(x == int(x) for x in xs)
    scale = _Scale(_ticks(min(xs), max(xs), are_whole), _ticks(min(*ys, 0.0), max(ys)))
    has_marks = max(len(line.points) for line in lines) <= _MOST_MARKS
    drawn = [scale.axes(x_name, y_name), *(_draw(line, scale, has_marks) for line in lines)]
    return (
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(drawn)}</svg>"
        f"{legend([line.name for line in lines], [line.colour for line in lines])}</figure>"
    )


@dataclass(frozen=True)
class _Scale:
    """The ticks of both axes, and where values lie between them."""

    x_ticks: Sequence[float]
    y_ticks: Sequence[float]

    def x(self, value: float) -> float:
        share = (value - self.x_ticks[0]) / (self.x_ticks[-1] - self.x_ticks[0])
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.y_ticks[0]) / (self.y_ticks[-1] - self.y_ticks[0])
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def axes(self, x_name: str, y_name: str) -> str:
        parts = []
        for tick in self.y_ticks:
            y = self.y(tick)
            parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
            parts.append(
                f'<text x="{_LEFT - 5}" y="{y + 3.5}" text-anchor="end">{_label(tick)}</text>'
            )
        for tick in self.x_ticks:
            x, y = self.x(tick), _HEIGHT - _BOTTOM + 18
            parts.append(f'<text x="{x}" y="{y}" text-anchor="middle">{_label(tick)}</text>')
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(
            f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_name)}</text>'
        )
        turned = (_HEIGHT - _BOTTOM + _TOP) / 2
        parts.append(
            f'<text transform="translate(13 {turned}) rotate(-90)" text-anchor="middle">'
            f"{escape(y_name)}</text>"
        )
        return "".join(parts)


def _draw(line: Line, scale: _Scale, has_marks: bool) -> str:
    """Return a line with its intervals and marks, at all points or the chosen ones.

    Each mark says its values.
    """
    points = [(scale.x(x), scale.y(y)) for x, y in line.points]
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    path = "L".join(f"{x} {y}" for x, y in points)
    parts = [f'<path class="line" d="M{path}" stroke="{escape(line.colour)}"{dash}/>']
    for x, low, high in line.ranges:
        place, ends = scale.x(x), (scale.y(low), scale.y(high))
        parts.append(
            f'<path class="line" d="M{place} {ends[0]}V{ends[1]}" stroke="{escape(line.colour)}"/>'
        )
    marks = [(point, 3) for point in line.points if has_marks]
    for (x, y), radius in [*marks, *((point, 5) for point in line.marked)]:
        at = f'cx="{scale.x(x)}" cy="{scale.y(y)}" r="{radius}" fill="{escape(line.colour)}"'
        text = f"{escape(line.name)}: {_label(x)}, {y:.4g}"
        parts.append(f"<circle {at}><title>{text}</title></circle>")
    return "".join(parts)


def _ticks(low: float, high: float, are_whole: bool = False) -> list[float]:
    """Return up to eight round values from below `low` to above `high`."""
    span = high - low or 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if span / (step * factor) <= 6)
    step = max(1.0, step) if are_whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _label(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"
