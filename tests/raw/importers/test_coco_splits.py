"""COCO: which file of a folder is which split, and which files are not used."""

import json

import pytest

from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image, write_json
from tests.raw.importers.importing import faults_of, imported

CATEGORIES = ((1, "cat"), (2, "dog"))


def content_of(names, categories=CATEGORIES):
    """A COCO content with one box per image; the classes take turns."""
    return {
        "images": [
            {"id": number, "file_name": name, "width": 40, "height": 30}
            for number, name in enumerate(names, start=1)
        ],
        "categories": [{"id": number, "name": name} for number, name in categories],
        "annotations": [
            {"id": n + 1, "image_id": n + 1, "category_id": 1 + n % 2, "bbox": [1, 2, 10, 12]}
            for n in range(len(names))
        ],
    }


def add_split(source, label_file, folder, count, first=0, name="{}.png", **options):
    """Add images to a folder, and the COCO file that lists them."""
    names = [name.format(first + number) for number in range(count)]
    for number, file in enumerate(names):
        write_image(source / folder / file, first + number)
    write_json(source / label_file, content_of(names, **options))


def counts(written):
    return {split: len(content["images"]) for split, content in written.items()}


def read(source, split="gold", **options):
    return IMPORTERS["coco"](ImportRequest(source, split, **options))


def test_folders_tell_the_splits_and_images_lie_beside_their_file(tmp_path):
    source = tmp_path / "source"
    # The folders have images of the same names.
    for first, (folder, count) in enumerate((("train", 3), ("valid", 2), ("test", 1))):
        names = [f"{number}.png" for number in range(count)]
        for number, name in enumerate(names):
            write_image(source / folder / name, 10 * first + number)
        write_json(source / folder / "_annotations.coco.json", content_of(names))
    written = imported("coco", source, tmp_path / "root")
    assert counts(written) == {"gold": 3, "val": 2, "test": 1}
    for split, folder in (("gold", "train"), ("val", "valid"), ("test", "test")):
        file = written[split]["images"][0]["file_name"]
        copied = (tmp_path / "root" / "images" / file).read_bytes()
        assert copied == (source / folder / "0.png").read_bytes()
    # A name that only one split has stays.
    assert written["gold"]["images"][2]["file_name"] == "2.png"
    assert written["gold"]["images"][0]["file_name"] == "train/0.png"


def test_the_layout_of_coco_2017(tmp_path):
    source = tmp_path / "source"
    add_split(source, "annotations/instances_train2017.json", "train2017", 4)
    add_split(source, "annotations/instances_val2017.json", "val2017", 2, first=10)
    add_split(source, "annotations/image_info_unlabeled2017.json", "unlabeled2017", 3, first=20)
    add_split(source, "annotations/image_info_test2017.json", "test2017", 2, first=30)
    for name in ("image_info_unlabeled2017", "image_info_test2017"):
        path = source / "annotations" / f"{name}.json"
        content = json.loads(path.read_bytes())
        del content["annotations"]
        write_json(path, content)
    for name in ("person_keypoints_train2017", "captions_val2017"):
        write_json(source / "annotations" / f"{name}.json", content_of(["0.png"]))
    found = read(source)
    assert not found.faults
    assert {split: len(row.files) for split, row in found.splits.items()} == {
        "gold": 4,
        "val": 2,
        "pool": 3,
    }
    assert found.splits["pool"].content["annotations"] == []
    assert found.unused == {
        "COCO files of other labels": [
            "annotations/captions_val2017.json",
            "annotations/image_info_test2017.json",
            "annotations/person_keypoints_train2017.json",
        ],
        "images that no label file names": ["test2017/30.png", "test2017/31.png"],
    }


def test_keypoints_are_used_if_there_is_nothing_else(tmp_path):
    add_split(tmp_path, "annotations/person_keypoints_train2017.json", "train2017", 2)
    found = read(tmp_path)
    assert not found.faults
    assert list(found.splits) == ["gold"]


@pytest.mark.parametrize("folders", [("", "", ""), ("images/train", "images/val", "images/test")])
def test_file_names_tell_the_splits(tmp_path, folders):
    source = tmp_path / "source"
    for number, (name, folder) in enumerate(zip(("train", "val", "test"), folders, strict=True)):
        # In folders of their own, images of all splits have the same names.
        first = 0 if folder else 10 * number
        names = [f"{first + n}.png" for n in range(3 - number)]
        for n, file in enumerate(names):
            write_image(source / folder / file, 10 * number + n)
        write_json(source / f"{name}.json", content_of(names))
    written = imported("coco", source, tmp_path / "root")
    assert counts(written) == {"gold": 3, "val": 2, "test": 1}
    images = tmp_path / "root" / "images"
    copied = {(images / written[split]["images"][0]["file_name"]).read_bytes() for split in written}
    assert len(copied) == 3


def test_several_files_of_several_images_must_tell_their_split(tmp_path):
    add_split(tmp_path / "source", "a.json", "images", 2)
    add_split(tmp_path / "source", "b.json", "images", 3, first=10)
    expected = (
        "expected a name or a folder that tells its split, such as train_1.json or val/1.json, "
        "or an import of this file alone with --split"
    )
    assert faults_of("coco", tmp_path / "source", tmp_path) == [
        f"a.json: {expected}, found 2 images",
        f"b.json: {expected}, found 3 images",
    ]


def test_one_file_that_tells_no_split_beside_others_is_a_fault(tmp_path):
    add_split(tmp_path / "source", "train.json", "images", 2)
    add_split(tmp_path / "source", "more.json", "images", 1, first=10)
    (fault,) = faults_of("coco", tmp_path / "source", tmp_path)
    assert fault.startswith("more.json: expected a name or a folder that tells its split")


def test_parts_of_a_split_are_merged(tmp_path):
    add_split(tmp_path / "source", "train_1.json", "images", 2)
    add_split(
        tmp_path / "source", "train_2.json", "images", 2, first=10, categories=CATEGORIES[::-1]
    )
    content = imported("coco", tmp_path / "source", tmp_path / "root")["gold"]
    assert [row["id"] for row in content["annotations"]] == [1, 2, 3, 4]
    assert [row["id"] for row in content["images"]] == [1, 2, 3, 4]


def test_split_of_a_single_file_wins(tmp_path):
    add_split(tmp_path / "source", "train.json", "images", 2)
    assert list(read(tmp_path / "source" / "train.json", "val").splits) == ["val"]
    assert list(read(tmp_path / "source", "val").splits) == ["val"]
    assert list(read(tmp_path / "source").splits) == ["gold"]


def test_a_folder_with_one_file_of_test_is_test(tmp_path):
    add_split(tmp_path, "test/labels.json", "test", 2)
    assert list(read(tmp_path).splits) == ["test"]


def per_image(source, folders):
    """One COCO file per image, named after an image whose name has words of splits."""
    for number, folder in enumerate(folders):
        name = f"test_train_{number}.png"
        write_image(source / folder / name, number)
        content = content_of([name])
        write_json(source / folder / f"test_{number}.json", content)
    return source


def test_files_of_one_image_each_are_one_split(tmp_path):
    source = per_image(tmp_path / "source", ("a", "b", "test_field"))
    assert counts(imported("coco", source, tmp_path / "root")) == {"gold": 3}


def test_folders_of_files_of_one_image_each_tell_the_split(tmp_path):
    source = per_image(tmp_path / "source", ("1.Training/x", "1.Training/y", "2.Validation/x"))
    written = imported("coco", source, tmp_path / "root")
    assert counts(written) == {"gold": 2, "val": 1}
    assert written["gold"]["categories"] == written["val"]["categories"]


def test_a_folder_that_is_a_class_tells_no_split(tmp_path):
    source = per_image(tmp_path / "source", ("train", "plane"))
    found = read(source, class_from_folder=True)
    assert not found.faults
    names = [row["name"] for row in found.splits["gold"].content["categories"]]
    assert names == ["plane", "train"]


def test_other_json_is_not_used(tmp_path):
    add_split(tmp_path, "train.json", "images", 1)
    write_json(tmp_path / "settings.json", {"colour": "red"})
    write_image(tmp_path / "images" / "more.png", 99)
    write_json(tmp_path / ".ipynb_checkpoints" / "train-checkpoint.json", content_of(["0.png"]))
    found = read(tmp_path)
    assert not found.faults
    assert found.unused == {
        "JSON files that are not COCO": ["settings.json"],
        "images that no label file names": ["more.png"],
    }


def test_a_source_without_coco_is_a_fault(tmp_path):
    write_json(tmp_path / "settings.json", {"colour": "red"})
    assert [fault.expected for fault in read(tmp_path).faults] == ["COCO files"]
    assert [fault.expected for fault in read(tmp_path / "settings.json").faults] == ["a COCO file"]


def test_a_pool_needs_no_annotations(tmp_path):
    add_split(tmp_path / "source", "images.json", "images", 2)
    content = content_of(["0.png", "1.png"])
    content.pop("annotations")
    write_json(tmp_path / "source" / "images.json", content)
    path = tmp_path / "source" / "images.json"
    written = imported("coco", path, tmp_path / "pool_root", split="pool")
    assert (len(written["pool"]["images"]), written["pool"]["annotations"]) == (2, [])
    (fault,) = faults_of("coco", path, tmp_path)
    assert fault.endswith("a file without labels is imported with --split pool, found none")
