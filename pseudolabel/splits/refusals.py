"""What prepare refuses: a split without images, and an image that is trained on and measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.held_out import MEASURED_ON, Duplicate, refuse_leaks
from pseudolabel.core.records import Dataset
from pseudolabel.formats.fold_folder import HELD_OUT

_TRAINED_ON = "gold", "pool"
_NONE = {
    "val": "none",
    "gold": "none",
    "pool": "none: put images without labels into images/, or run `pseudolabel import FOLDER ROOT "
    "--split pool`",
}
"""What the user reads if a split has no images to begin with."""


def refuse_empty(splits: Mapping[str, Dataset], removed: Sequence[Duplicate]) -> None:
    """Raise if a split that is needed has no images."""
    faults = []
    for split in ("val", "gold", "pool"):
        if len(splits[split].images):
            continue
        kinds = Counter(pair.kind for pair in removed if pair.split == split)
        counts = ", ".join(f"{count} removed as {kind}" for kind, count in sorted(kinds.items()))
        found = f"none ({counts}: see prepare.duplicate_distance)" if counts else _NONE[split]
        faults.append(Fault(split, "", "at least one image that no other split has", found))
    if faults:
        raise DataError(faults)


def refuse_shared(splits: Mapping[str, Dataset], *, transductive: bool) -> None:
    """Raise if a split that is trained on shares an image with one that is measured on."""
    for split in _TRAINED_ON:
        guards = [name for name in (*MEASURED_ON, HELD_OUT) if name in splits]
        if transductive and split == "pool":
            guards.remove("test")
        images = {guard: splits[guard].images for guard in guards}
        refuse_leaks({split: splits[split].images}, images)
