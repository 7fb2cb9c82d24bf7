"""A second import has the classes of gold."""

import json

import pytest

from pseudolabel.core.errors import DataError
from tests.builders import write_image, write_json
from tests.raw.importers.importing import imported


def coco_file(folder, categories, labels):
    """A COCO file with one image, and one box per label; categories are (id, name)."""
    write_image(folder / "images" / f"{folder.name}.png", len(labels))
    rows = [
        {"id": number, "image_id": 1, "category_id": label, "bbox": [1, 1, 5, 5]}
        for number, label in enumerate(labels, start=1)
    ]
    content = {
        "images": [{"id": 1, "file_name": f"{folder.name}.png", "width": 40, "height": 30}],
        "categories": [{"id": number, "name": name} for number, name in categories],
        "annotations": rows,
    }
    write_json(folder / "labels.json", content)
    return folder / "labels.json"


@pytest.mark.parametrize(
    ("categories", "labels"),
    [([(1, "dog"), (2, "cat")], [2, 1]), ([(7, "cat")], [7]), ([(0, "cat"), (1, "dog")], [0, 1])],
)
def test_classes_are_matched_by_name(tmp_path, categories, labels):
    root = tmp_path / "root"
    imported("coco", coco_file(tmp_path / "one", [(1, "cat"), (2, "dog")], [1, 2]), root)
    imported("coco", coco_file(tmp_path / "two", categories, labels), root, split="val")
    gold, val = (json.loads((root / f"{name}.json").read_bytes()) for name in ("gold", "val"))
    assert val["categories"] == gold["categories"]
    names = dict(categories)
    ids = {"cat": 1, "dog": 2}
    found = [row["category_id"] for row in val["annotations"]]
    assert found == [ids[names[label]] for label in labels]


def test_a_class_that_gold_does_not_have_is_a_fault(tmp_path):
    root = tmp_path / "root"
    imported("coco", coco_file(tmp_path / "one", [(1, "cat"), (2, "dog")], [1, 2]), root)
    second = coco_file(tmp_path / "two", [(1, "cow"), (2, "cat")], [1, 1, 2])
    with pytest.raises(DataError) as caught:
        imported("coco", second, root, split="val")
    expected = "val.json: class 'cow': expected a class of gold (cat, dog), found 2 labels"
    assert [str(fault) for fault in caught.value.faults] == [expected]
    assert not (root / "val.json").exists()
