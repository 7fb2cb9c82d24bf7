"""Readers of splits whose labels are all in a COCO file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pseudolabel.core.errors import Fault
from pseudolabel.core.records import Dataset
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.raw.layout import SplitReader


def coco_split(contract: Contract) -> SplitReader:
    """Return the reader of splits whose annotations must follow a contract."""

    def read(root: Path, split: str) -> tuple[Dataset, list[Fault]] | None:
        path = root / f"{split}.json"
        return parse_coco(path, contract) if path.exists() else None

    return read


def read_class_split(root: Path, split: str) -> tuple[Dataset, list[Fault]] | None:
    """Return a split with one class per image, and all faults; None if the file does not exist."""
    path = root / f"{split}.json"
    if not path.exists():
        return None
    dataset, faults = parse_coco(path, Contract.CLASS)
    return dataset, [*faults, *_images_of_several_classes(dataset, path.name)]


def _images_of_several_classes(dataset: Dataset, file: str) -> Iterable[Fault]:
    counts = Counter(dataset.annotations.image_ids.tolist())
    for image_id, count in sorted(counts.items()):
        if count > 1:
            yield Fault(file, f"image id {image_id}", "one annotation, its class", f"{count}")
