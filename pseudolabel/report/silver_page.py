"""The page of the silver: controls, and the place for the images that its script shows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pseudolabel.core.tasks import Kind
from pseudolabel.report.html_parts import paragraph

_SORTS = {
    "doubt": "doubt",
    "change": "change since the round before",
    "reliability": "reliability",
    "objects": "number of labels",
    "name": "file name",
}
_OUTCOMES = ("kept", "hidden", "dropped")
_EXPLANATIONS: dict[Kind, str] = {
    "objects": "Solid lines are kept, dashed ones are hidden from training, dotted ones are "
    "dropped: point at one for its reason, a parameter of filter.",
    "pixels": "Ignored pixels are hatched in the colour of the class that was predicted.",
    "classes": "The three most probable classes of each image. An image is dropped for no_label if "
    "the score of its first class is below the threshold.",
}


def silver_parts(rounds: Sequence[int], kind: Kind) -> list[str]:
    """Return the content of the page.

    Args:
        rounds: the rounds that have silver.
        kind: the kind of label.
    """
    numbers = [(str(number), str(number)) for number in reversed(rounds)]
    controls = [
        _select("round", "round", numbers),
        _select("sort", "sort by", list(_SORTS.items())),
        _select("order", "order", [("down", "highest first"), ("up", "lowest first")]),
        _select("class", "class", [("", "all")]),
        _select("reason", "outcome", [("", "all"), ("kept", "kept images")]),
        _number("low", "score from", 0),
        _number("high", "to", 1),
        '<label>file name <input id="name" type="search" autocomplete="off"></label>',
    ]
    if kind == "objects":
        controls += [_checkbox(outcome) for outcome in _OUTCOMES]
        controls.append(_select("colour", "colour by", [("class", "class"), ("score", "score")]))
    if kind == "pixels":
        controls.append(
            '<label>opacity <input id="opacity" type="range" min="0" max="1" step="0.05" '
            'value="0.6"></label>'
        )
    return [
        paragraph(f"{_EXPLANATIONS[kind]} Click to enlarge; arrow keys step."),
        f'<form id="controls" class="controls">{"".join(controls)}</form>',
        '<div id="legend"></div>',
        '<p id="count" role="status"></p>',
        '<div id="grid" class="grid"></div>',
    ]


def _select(name: str, label: str, options: Sequence[tuple[str, str]]) -> str:
    items = "".join(
        f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options
    )
    return f'<label>{escape(label)} <select id="{name}">{items}</select></label>'


def _number(name: str, label: str, value: int) -> str:
    return (
        f'<label>{escape(label)} <input id="{name}" type="number" min="0" max="1" step="0.05" '
        f'value="{value}"></label>'
    )


def _checkbox(name: str) -> str:
    checked = "" if name == "dropped" else " checked"
    return f'<label><input id="{name}" type="checkbox"{checked}> {name}</label>'
