import json

import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.raw.repair import repair
from pseudolabel.splits.prepare import read_and_split
from tests.builders import coco, raw_root, splitting, write_json


def repaired(tmp_path, change, task="detection", val_change=None):
    """The repairs and the repaired gold.json; a second repair changes nothing."""
    root = raw_root(tmp_path / "raw", gold_count=4, val=2)
    for split, count, spoil in (("gold", 4, change), ("val", 2, val_change)):
        content = coco([f"{split}/{index}.png" for index in range(count)])
        if spoil is not None:
            spoil(content)
        write_json(root / f"{split}.json", content)
    repairs = repair(root, tmp_path / "new", task)
    assert repair(tmp_path / "new", tmp_path / "again", task) == []
    return repairs, json.loads((tmp_path / "new" / "gold.json").read_bytes())


def check(tmp_path):
    return read_and_split(tmp_path / "new", "detection", splitting(), 0)


def test_doubled_and_missing_annotation_ids_are_renumbered(tmp_path):
    def spoil(content):
        rows = content["annotations"]
        rows[1]["id"], rows[2]["id"] = 1, None
        del rows[3]["id"]

    repairs, content = repaired(tmp_path, spoil)
    assert repairs == [
        "gold.json: annotations[1]: id 1 made 2",
        "gold.json: annotations[2]: id None made 3",
        "gold.json: annotations[3]: id None made 4",
    ]
    assert [row["id"] for row in content["annotations"]] == [1, 2, 3, 4]
    check(tmp_path)


@pytest.mark.parametrize("kind", [str, float, lambda number: f"{number}.0"])
def test_ids_of_whole_numbers_are_made_whole_numbers(tmp_path, kind):
    def spoil(content):
        for key in ("images", "categories"):
            for row in content[key]:
                row["id"] = kind(row["id"])
        for row in content["annotations"]:
            row |= {key: kind(row[key]) for key in ("id", "image_id", "category_id")}

    repairs, content = repaired(tmp_path, spoil)
    assert len(repairs) == 4 + 3 + 4 * 3
    assert content == coco([f"gold/{index}.png" for index in range(4)])
    assert json.dumps(content).count(".0") == 0
    check(tmp_path)


def test_image_ids_as_texts_in_the_annotations_alone(tmp_path):
    def spoil(content):
        content["annotations"][0]["image_id"] = "1"

    repairs, _ = repaired(tmp_path, spoil)
    assert repairs == ["gold.json: annotation id 1: image id '1' made 1"]
    check(tmp_path)


@pytest.mark.parametrize("text", ["img_1", "1.5", "-1", "２", "99999999999999999999"])
def test_other_texts_stay_faults(tmp_path, text):
    def spoil(content):
        content["images"][0]["id"] = text
        content["annotations"][0]["image_id"] = text

    assert repaired(tmp_path, spoil)[0] == []
    with pytest.raises(DataError, match=r"images\[0\]"):
        check(tmp_path)


def test_two_images_of_one_id_stay_a_fault(tmp_path):
    def spoil(content):
        content["images"][1]["id"] = "1"
        content["annotations"][1]["image_id"] = "1"

    assert repaired(tmp_path, spoil)[0] == []
    with pytest.raises(DataError, match="images"):
        check(tmp_path)


def add_second_disc(content):
    content["categories"].append({"id": 9, "name": "disc"})


def test_an_unused_category_of_a_used_name_is_dropped(tmp_path):
    repairs, content = repaired(tmp_path, add_second_disc, val_change=add_second_disc)
    line = "category id 9: dropped, no label has it, and 'disc' is category id 1, too"
    assert repairs == [f"gold.json: {line}", f"val.json: {line}"]
    assert [row["id"] for row in content["categories"]] == [1, 2, 3]
    check(tmp_path)


def test_of_two_unused_categories_of_one_name_the_first_stays(tmp_path):
    def spoil(content):
        content["categories"] += [{"id": 8, "name": "cone"}, {"id": 7, "name": "cone"}]

    repairs, content = repaired(tmp_path, spoil, val_change=spoil)
    assert len(repairs) == 2
    assert [row["id"] for row in content["categories"]] == [1, 2, 3, 7]
    check(tmp_path)


def test_a_category_that_another_file_uses_is_not_dropped(tmp_path):
    def spoil_val(content):
        add_second_disc(content)
        content["annotations"][0]["category_id"] = 9

    assert repaired(tmp_path, add_second_disc, val_change=spoil_val)[0] == []


def test_no_category_is_dropped_if_label_maps_may_have_it(tmp_path):
    (tmp_path / "raw" / "masks").mkdir(parents=True)
    assert repaired(tmp_path, add_second_disc, "semantic")[0] == []


def test_no_category_is_dropped_if_a_file_cannot_be_read(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{index}.png" for index in range(4)])
    add_second_disc(content)
    write_json(root / "gold.json", content)
    (root / "val.json").write_text("{")
    assert repair(root, tmp_path / "new", "detection") == []
