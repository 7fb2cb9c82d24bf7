"""groups.csv: images that belong together, as those of one patient, place or video."""

from __future__ import annotations

from pathlib import Path

from pseudolabel.errors import Fault
from pseudolabel.formats.csv_pairs import parse_pairs

GROUPS = "groups.csv"


def read_groups(root: Path, known: set[str]) -> tuple[dict[str, str], list[Fault]]:
    """Return the group of each image that has one, and every fault found.

    Args:
        root: the raw root; without groups.csv there are no groups.
        known: the images of all splits.
    """
    if not (root / GROUPS).exists():
        return {}, []
    pairs, faults = parse_pairs(root / GROUPS, "group")
    expected = "an image of gold, val, test or the pool"
    faults += [
        Fault(GROUPS, repr(name), expected, "none") for name, _ in pairs if name not in known
    ]
    return dict(pairs), faults
