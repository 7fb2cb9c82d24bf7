"""Helpers to run importers and to compare their boxes with those that supervision reads."""

import json
from pathlib import Path

import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from pseudolabel.raw.importers.writer import write_raw_root


def imported(form, source, root, split="gold", **options):
    """Import a source to a raw root, and return the written COCO files by split."""
    found = IMPORTERS[form](ImportRequest(source, split, **options))
    write_raw_root(found, root)
    return {name: json.loads((root / f"{name}.json").read_bytes()) for name in found.splits}


def rows_of(found):
    """The labels of the only split of a result without faults."""
    assert not found.faults
    (split,) = found.splits.values()
    return split.content["annotations"]


def faults_of(form, source, tmp_path, **options):
    """The faults of an import, which must not write anything."""
    with pytest.raises(DataError) as caught:
        imported(form, source, tmp_path / "root", **options)
    assert not (tmp_path / "root").exists()
    return [str(fault) for fault in caught.value.faults]


def boxes_by_file(content):
    """Class names and boxes of a COCO file, by bare file name."""
    names = {row["id"]: Path(row["file_name"]).name for row in content["images"]}
    class_names = {row["id"]: row["name"] for row in content["categories"]}
    found = {name: [] for name in names.values()}
    for row in content["annotations"]:
        x, y, width, height = row["bbox"]
        corners = [round(value, 1) for value in (x, y, x + width, y + height)]
        found[names[row["image_id"]]].append((class_names[row["category_id"]], *corners))
    return {name: sorted(rows) for name, rows in found.items()}


def boxes_by_supervision(dataset):
    """The same for a data set that supervision read."""
    return {
        Path(path).name: sorted(
            (dataset.classes[class_index], *(round(float(value), 1) for value in box))
            for box, class_index in zip(found.xyxy, found.class_id, strict=True)
        )
        for path, _, found in dataset
    }
