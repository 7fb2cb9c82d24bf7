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
        texts = _amounts(row, kind)
        if row["reason"] >= 0:
            texts.append(f"dropped: {facts['reasons'][row['reason']]}")
        panels = _panels(row, number, kind)
        gallery.add_item(row["image"], "; ".join(texts), panels)
    return gallery


def _amounts(row: Mapping[str, Any], kind: Kind) -> list[str]:
    """Return how much of an image's silver changed; an image with one class has no amount."""
    if kind == "pixels":
        *_, width, height = row["image"]
        return [f"{row['changed'] / (width * height):.0%} of the pixels changed"]
    return [f"{counted(row['changed'], 'label')} changed"] if kind == "objects" else []


def _panels(row: Mapping[str, Any], number: int, kind: Kind) -> list[dict[str, Any]]:
    """Return the picture of the round before and that of this round."""
    before, now = f"round {number - 1}", f"round {number}"
    if kind == "pixels":
        return [
            panel(title, label_map=f"rounds/{index}/{picture_path(row['image'][0])}")
            for title, index in ((before, number - 1), (now, number))
        ]
    panels = []
    for title, labels in ((before, row["before"]), (now, row["labels"])):
        drawn = {"bars": labels} if kind == "classes" else {"labels": labels, "codes": _CODES}
        panels.append(panel(title if labels else f"{title}: no labels", **drawn))
    return panels
