import re

import numpy as np
import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.raw.coco_splits import read_class_split
from pseudolabel.raw.layout import read_raw
from pseudolabel.splits.prepare import prepare
from tests.builders import CATEGORIES, coco, raw_root, splitting, write_json


def test_annotations_of_classes_need_no_boxes(tmp_path):
    root = raw_root(tmp_path, gold_count=2)
    content = coco(["gold/0.png", "gold/1.png"])
    for row in content["annotations"]:
        del row["bbox"]
    write_json(root / "gold.json", content)
    gold = read_raw(root, read_class_split).gold
    assert gold.categories == CATEGORIES
    assert gold.images.file_names.tolist() == ["gold/0.png", "gold/1.png"]
    assert np.array(gold.class_names)[gold.class_indices].tolist() == ["rod", "star"]


def test_two_classes_of_one_image_are_a_fault(tmp_path):
    root = raw_root(tmp_path, gold_count=2)
    content = coco(["gold/0.png", "gold/1.png"])
    content["annotations"].append(content["annotations"][0] | {"id": 99})
    write_json(root / "gold.json", content)
    message = "gold.json: image id 1: expected one annotation, its class, found 2"
    with pytest.raises(DataError, match=re.escape(message)):
        read_raw(root, read_class_split)


def test_images_without_a_class_and_classes_without_gold_are_listed(tmp_path, capsys):
    root = raw_root(tmp_path / "raw", gold_count=3, val=1)
    content = coco([f"gold/{index}.png" for index in range(3)])
    content["annotations"] = content["annotations"][:1]
    write_json(root / "gold.json", content)
    prepare(root, tmp_path / "out", "classification", splitting(0.5), 0)
    report = (tmp_path / "out" / "report.json").read_text()
    assert re.search(r'"gold": \[\s*"gold/1.png",\s*"gold/2.png"\s*\]', report)
    assert "no gold label for the classes 'disc', 'star'" in capsys.readouterr().out
