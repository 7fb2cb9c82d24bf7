"""groups.csv: images that belong together, such as those of one patient, place or video."""

from __future__ import annotations

from pathlib import Path

from pseudolabel.core.errors import Fault
from pseudolabel.formats.csv_pairs import parse_pairs
from pseudolabel.formats.safe_names import describe_file_fault

_GROUPS = "groups.csv"


def read_groups(root: Path, known: set[str]) -> tuple[dict[str, str], list[Fault]]:
    """Return the group of each image in groups.csv, and every fault in that file.

    Args:
        root: the raw root; without groups.csv there are no groups.
        known: the names of the images of all splits.
    """
    if not (root / _GROUPS).exists():
        return {}, []
    pairs, faults = parse_pairs(root / _GROUPS, "group")
    expected = "an image of gold, val, test or the pool"
    faults += [
        Fault(_GROUPS, repr(name), expected, "none") for name, _ in pairs if name not in known
    ]
    for name, group in pairs:
        unsafe = describe_file_fault(group)
        faults += [Fault(_GROUPS, repr(name), unsafe, repr(group))] if unsafe else []
    return dict(pairs), faults
