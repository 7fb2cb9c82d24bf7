"""A second import has the classes of gold: they are matched by name, whatever their numbers are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.core.records import Category
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.label_maps import UNLABELLED
from pseudolabel.raw.importers.base import ImportedSplit, ImportResult, Record


def use_gold_classes(found: ImportResult, root: Path) -> None:
    """Renumber the classes of imported splits as in gold, in place.

    Gold is the imported one, or that of the root. A class that gold does not have is a fault, but
    only if the split has labels of it.
    """
    categories = _gold_categories(found, root)
    if categories is None:
        return
    ids = {category["name"]: category["id"] for category in categories}
    for name, split in found.splits.items():
        if name != "gold":
            found.faults += _renumber(name, split, ids)
            split.content["categories"] = categories


def _gold_categories(found: ImportResult, root: Path) -> list[Record] | None:
    """Return the categories of the gold split; None if there is none."""
    if "gold" in found.splits:
        return list(found.splits["gold"].content.get("categories", []))
    path = root / "gold.json"
    if not path.is_file():
        return None
    known: tuple[Category, ...] = read_coco(path).categories
    return [{"id": category.id, "name": category.name} for category in known]


def _renumber(name: str, split: ImportedSplit, ids: dict[object, Any]) -> list[Fault]:
    """Give the labels of a split the class ids of gold; return a fault per unknown class."""
    names = {row.get("id"): row.get("name") for row in split.content.get("categories", [])}
    unknown: dict[object, int] = {}
    for row in split.content.get("annotations", []):
        label = names.get(row.get("category_id"))
        if label in ids:
            row["category_id"] = ids[label]
        elif label is not None:
            unknown[label] = unknown.get(label, 0) + 1
    faults = _renumber_maps(name, split, ids, names, unknown)
    expected = f"a class of gold ({', '.join(map(str, ids))})"
    return faults + [
        Fault(f"{name}.json", f"class {label!r}", expected, f"{count:,} labels")
        for label, count in unknown.items()
    ]


def _renumber_maps(
    name: str,
    split: ImportedSplit,
    ids: dict[object, Any],
    names: dict[object, object],
    unknown: dict[object, int],
) -> list[Fault]:
    """Give the pixels of label maps the class ids of gold, and count the unknown classes.

    Returns:
        A fault if a pixel cannot hold the ids.
    """
    large = [ids[label] for label in names.values() if label in ids and ids[label] >= UNLABELLED]
    if split.maps and large:
        expected = f"class ids of gold below {UNLABELLED}, because pixels hold them"
        return [Fault(f"{name}.json", "categories", expected, short_repr(large))]
    for path, source in split.maps.items():
        labels = {number: names.get(old) for number, old in source.ids.items()}
        for label in set(labels.values()) - set(ids):
            unknown[label] = unknown.get(label, 0) + 1
        known = {number: ids[label] for number, label in labels.items() if label in ids}
        split.maps[path] = replace(source, ids=known)
    return []
