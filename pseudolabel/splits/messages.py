"""Messages about prepared data, as the command line prints them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pseudolabel.core.datasets import TUNING
from pseudolabel.core.errors import counted

_NAMES_SHOWN = 10
"""Classes that a warning names; report.json has all of them."""
_FEWEST_MEASURED = 20
"""Print a warning if val and tuning together have fewer images."""
_MANY_DUPLICATES = 0.1
"""Print a warning if more near-duplicates were removed than this share of the images that stay."""


def describe_removed(report: Mapping[str, Any]) -> list[str]:
    """Return one line per split and reason: how many images were removed.

    A line is a warning if near-duplicates were a large share of the split.
    """
    lines = []
    counts = Counter((row["split"], row["kind"], row["twin_split"]) for row in report["removed"])
    for (split, kind, guard), count in sorted(counts.items()):
        left = report["images"][split]
        stay = f"{left:,} stay{'s' * (left == 1)}"
        line = f"{counted(count, 'image')} removed from {split}: {kind} of {guard}; {stay}"
        if kind == "near-duplicate" and count > left * _MANY_DUPLICATES:
            line = (
                f"warning: {line}. If they are different images of the same scene, as from a "
                "fixed camera, lower prepare.duplicate_distance or set it to null"
            )
        lines.append(line)
    return lines


def describe_few(report: Mapping[str, Any]) -> list[str]:
    """Return a warning if the champion and the thresholds are chosen on very few images."""
    val, tuning = (report["images"][split] for split in ("val", TUNING))
    if val + tuning >= _FEWEST_MEASURED:
        return []
    effect = "the choice of the champion and of the thresholds is mostly chance"
    cure = "label more, or raise prepare.val_share"
    return [f"warning: only {val} + {tuning} images in val and tuning: {effect}; {cure}"]


def describe_deep(report: Mapping[str, Any]) -> list[str]:
    """Return a warning if images have more than 8 bits: how many, an example, what is done."""
    names = report["more_than_8_bits"]
    if not names:
        return []
    count = f"{len(names):,}, such as {names[0]!r}"
    scale = "its darkest value becomes 0, its brightest 255"
    return [
        f"warning: images of more than 8 bits per channel: {count}. Stretched to 8 bits: {scale}"
    ]


def describe_missing_classes(report: Mapping[str, Any]) -> str:
    """Return a list of the classes without gold labels; a long list is shortened."""
    names = report["classes_without_gold"]
    few = ", ".join(map(repr, names[:_NAMES_SHOWN]))
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"no gold label for the classes {few}{more}"
