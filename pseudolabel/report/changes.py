"""The images whose silver changed most from one round to the next, in two pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pseudolabel.core.errors import counted
from pseudolabel.core.tasks import Kind
from pseudolabel.report.gallery import Code, Gallery, panel
from pseudolabel.report.pixels import picture_path

_CODES: list[Code] = [("kept", "kept"), ("hidden", "hidden")]


def changes_gallery(facts: Mapping[str, Any], kind: Kind) -> Gallery:
    """Return the images of a round whose silver differs most from that of the round before.

    Args:
        facts: the facts of the round, as its index has them.
        kind: the kind of label.
    """
    number = facts["round"]
    gallery = Gallery(
        "changes",
        "What changed",
        f"The images whose silver changed most from round {number - 1} to round {number}.",
    )
    for row in facts.get("changed", []):
        caption = _caption(row, kind)
        if row["reason"] >= 0:
            caption += f"; dropped: {facts['reasons'][row['reason']]}"
        panels = _panels(row, number, kind)
        gallery.add_item(row["image"], caption, panels)
    return gallery


def _caption(row: Mapping[str, Any], kind: Kind) -> str:
    """Return how much of an image's silver changed."""
    if kind == "pixels":
        *_, width, height = row["image"]
        return f"{row['changed'] / (width * height):.0%} of the pixels changed"
    return f"{counted(row['changed'], 'label')} changed"


def _panels(row: Mapping[str, Any], number: int, kind: Kind) -> list[dict[str, Any]]:
    """Return the picture of the round before and that of this round."""
    before, now = f"round {number - 1}", f"round {number}"
    if kind == "classes":
        return [panel(before, bars=row["before"]), panel(now, bars=row["labels"])]
    if kind == "objects":
        return [
            panel(title if labels else f"{title}: no labels", labels, _CODES)
            for title, labels in ((before, row["before"]), (now, row["labels"]))
        ]
    return [
        panel(title, label_map=f"rounds/{index}/{picture_path(row['image'][0])}")
        for title, index in ((before, number - 1), (now, number))
    ]
