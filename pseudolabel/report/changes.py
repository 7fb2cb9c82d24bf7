"""The images whose silver changed most from one round to the next, in two pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pseudolabel.core.errors import counted
from pseudolabel.core.tasks import Kind
from pseudolabel.report.gallery import Code, Gallery, panel
from pseudolabel.report.pixels import picture_path

_CODES: list[Code] = [("kept", "kept"), ("hidden", "hidden")]
_UNITS: dict[Kind, str] = {"objects": "label", "pixels": "pixel", "classes": "label"}


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
        caption = f"{counted(row['changed'], _UNITS[kind])} changed"
        if row["reason"] >= 0:
            caption += f"; dropped: {facts['reasons'][row['reason']]}"
        panels = _panels(row, number, kind)
        gallery.items.append({"image": row["image"], "caption": caption, "panels": panels})
        gallery.pictures.append((row["image"][1], row["image"][2]))
    return gallery


def _panels(row: Mapping[str, Any], number: int, kind: Kind) -> list[dict[str, Any]]:
    """Return the picture of the round before and that of this round."""
    before, now = f"round {number - 1}", f"round {number}"
    if kind == "classes":
        return [panel(before, bars=row["before"]), panel(now, bars=row["labels"])]
    if kind == "objects":
        return [panel(before, row["before"], _CODES), panel(now, row["labels"], _CODES)]
    return [
        panel(title, label_map=f"rounds/{index}/{picture_path(row['image'][0])}")
        for title, index in ((before, number - 1), (now, number))
    ]
