import unicodedata

import pytest

from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image
from tests.raw.importers.importing import faults_of, imported

BOX = "0 0.5 0.5 0.4 0.4\n"


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def write_set(root, *stems, images="images", labels="labels", suffix=".txt"):
    """One image and one label file per stem; a stem ending in `-` has no label file."""
    for stem in stems:
        name = stem.rstrip("-")
        write_image(root / images / f"{name}.png", len(list(root.rglob("*.png"))))
        if not stem.endswith("-"):
            write_text(root / labels / f"{name}{suffix}", BOX)
    return root


def write_yaml(root, text):
    write_text(root / "data.yaml", f"names: [cat, dog]\n{text}")
    return root


def read(source, **options):
    return IMPORTERS["yolo"](ImportRequest(source, "gold", **options))


def names_and_counts(found):
    """The images of each split, and the number of its labels."""
    assert found.faults == []
    contents = {split: content.content for split, content in found.splits.items()}
    return {
        split: ([row["file_name"] for row in content["images"]], len(content["annotations"]))
        for split, content in contents.items()
    }


@pytest.mark.parametrize("key", ["val", "valid", "validation", "Val", "dev"])
def test_keys_of_splits(tmp_path, key):
    write_yaml(write_set(tmp_path, "a/0", "b/1"), f"Train: images/a\n{key}: images/b\n")
    found = names_and_counts(read(tmp_path))
    assert found == {"gold": (["images/a/0.png"], 1), "val": (["images/b/1.png"], 1)}


@pytest.mark.parametrize("entry", ["images/b", "[images/b]"])
def test_a_key_that_is_no_split_is_told(tmp_path, entry):
    write_yaml(write_set(tmp_path, "a/0", "b/1"), f"train: images/a\nextra: {entry}\nnc: 2\n")
    found = read(tmp_path)
    assert set(found.splits) == {"gold"}
    (told,) = found.unused["keys of data.yaml that are no split"]
    assert told.startswith("extra: ")
    assert found.unused["label files without an image"] == ["labels/b/1.txt"]


def test_a_long_text_is_no_path(tmp_path):
    script = "import os " * 100
    write_yaml(write_set(tmp_path, "a/0"), f"train: images/a\ndownload: {script}\n")
    assert names_and_counts(read(tmp_path)) == {"gold": (["images/a/0.png"], 1)}
    write_yaml(tmp_path, f"train: {script}\n")
    (fault,) = read(tmp_path).faults
    assert fault.record == "train"


@pytest.mark.parametrize(
    "text",
    [
        "train: images/a/\n",
        "train: ./images/a\n",
        "train: '..\\images\\a'\n",
        "path: .\ntrain: [images/a]\n",
        "path: /elsewhere\ntrain: images/a\n",
    ],
)
def test_ways_to_name_a_folder(tmp_path, text):
    write_yaml(write_set(tmp_path, "a/0"), text)
    assert names_and_counts(read(tmp_path)) == {"gold": (["images/a/0.png"], 1)}


def test_a_list_of_folders_is_joined(tmp_path):
    write_yaml(write_set(tmp_path, "a/0", "b/1"), "train: [images/a, images/b/, images/a]\n")
    assert names_and_counts(read(tmp_path)) == {"gold": (["images/a/0.png", "images/b/1.png"], 2)}


@pytest.mark.parametrize(
    "line", ["images/a/0.png", "./images/a/0.png", "data/images/a/0.png", "images\\a\\0.png"]
)
def test_a_list_of_images(tmp_path, line):
    write_yaml(write_set(tmp_path, "a/0", "a/1"), "train: train.txt\n")
    write_text(tmp_path / "train.txt", f"{line}\n\n{line}\n")
    found = read(tmp_path)
    assert names_and_counts(found) == {"gold": (["images/a/0.png"], 1)}
    assert found.unused == {"label files without an image": ["labels/a/1.txt"]}


def test_a_list_with_an_image_that_is_not_there_is_a_fault(tmp_path):
    write_yaml(write_set(tmp_path, "a/0", "b/0"), "train: train.txt\n")
    write_text(tmp_path / "train.txt", "images/a/0.png\nimages/a/9.png\n0.png\nx/b/0.png\n")
    assert faults_of("yolo", tmp_path, tmp_path) == [
        "train.txt: 'images/a/9.png': expected an image file, found no file",
        "train.txt: '0.png': expected an image file, found 2 files of this name",
    ]


def test_a_folder_that_does_not_exist_is_a_fault_for_train_only(tmp_path):
    write_yaml(write_set(tmp_path, "a/0"), "train: images/a\ntest: ../test/images\n")
    found = read(tmp_path)
    assert set(found.splits) == {"gold"}
    assert found.unused == {"entries of data.yaml without images": ["test: ../test/images"]}
    write_yaml(tmp_path, "train: [images/a, images/z]\n")
    (fault,) = faults_of("yolo", tmp_path, tmp_path)
    assert fault.startswith("data.yaml: train: expected a folder of images below")
    assert fault.endswith("found ['images/z']")


def test_labels_in_a_folder_that_is_a_link(tmp_path):
    source = write_yaml(write_set(tmp_path / "set", "a/0-", "a/1-"), "train: images/a\n")
    for number in range(2):
        write_text(tmp_path / f"labels_v2/a/{number}.txt", BOX)
    (source / "labels").symlink_to(tmp_path / "labels_v2")
    assert names_and_counts(read(source))["gold"][1] == 2


@pytest.mark.parametrize("folder", ["my_images", "images_new", "photos"])
def test_labels_beside_the_images(tmp_path, folder):
    write_yaml(write_set(tmp_path, "0", "1", images=folder, labels=folder), f"train: {folder}\n")
    assert names_and_counts(read(tmp_path))["gold"][1] == 2


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images/images/a", "images/labels/a"),
        ("photos", "annotations"),
        ("Images", "Labels"),
        ("train/images", "labels/train"),
    ],
)
def test_labels_in_other_folders(tmp_path, images, labels):
    write_yaml(write_set(tmp_path, "0", "1", images=images, labels=labels), f"train: {images}\n")
    assert names_and_counts(read(tmp_path))["gold"][1] == 2


def test_names_of_label_files_in_another_case_or_unicode_form(tmp_path):
    write_yaml(write_set(tmp_path, "0", suffix=".TXT"), "train: images\n")
    write_image(tmp_path / "images" / f"{unicodedata.normalize('NFD', 'é')}.png", 9)
    write_text(tmp_path / "labels" / f"{unicodedata.normalize('NFC', 'é')}.txt", BOX)
    assert names_and_counts(read(tmp_path))["gold"][1] == 2


def test_a_label_file_of_another_image_is_not_taken(tmp_path):
    # train/0 has no labels. Those of the same name are for test/0, and then for no image.
    write_set(tmp_path, "0-", "1", images="train/images", labels="train/labels")
    write_set(tmp_path, "0", images="test/images", labels="test/labels")
    write_yaml(tmp_path, "train: train/images\ntest: test/images\n")
    assert names_and_counts(read(tmp_path))["gold"] == (["train/images/1.png"], 1)
    (tmp_path / "test/images/0.png").unlink()
    found = read(tmp_path)
    assert names_and_counts(found) == {"gold": (["train/images/1.png"], 1)}
    assert found.unused["label files without an image"] == ["test/labels/0.txt"]


def test_a_label_file_that_two_images_could_have_is_a_fault(tmp_path):
    write_yaml(write_set(tmp_path, "0"), "train: images\n")
    write_image(tmp_path / "images/0.jpg", 7)
    assert (
        "labels/0.txt: expected one image of this name, "
        "found 2 images that could have it, such as 'images/0.jpg'"
    ) in faults_of("yolo", tmp_path, tmp_path)


def test_an_empty_label_file_means_no_objects_and_no_file_means_nothing(tmp_path):
    write_yaml(write_set(tmp_path, "0", "1-", "2"), "train: images\n")
    write_text(tmp_path / "labels/2.txt", "\n")
    found = read(tmp_path)
    assert names_and_counts(found) == {"gold": (["images/0.png", "images/2.png"], 1)}
    (kind,) = found.unused
    assert kind.startswith("images without a label file (`--negatives` takes them as images")
    assert found.unused[kind] == ["images/1.png"]
    found = read(tmp_path, negatives=True)
    names = ["images/0.png", "images/1.png", "images/2.png"]
    assert names_and_counts(found) == {"gold": (names, 1)}
    assert found.unused == {}


@pytest.mark.parametrize("negatives", [True, False])
def test_a_split_without_any_label_file_is_a_fault(tmp_path, negatives):
    write_yaml(write_set(tmp_path, "a/0", "b/1-"), "train: images/a\nval: images/b\n")
    assert faults_of("yolo", tmp_path, tmp_path, negatives=negatives) == [
        "val: 1 images: expected label files of images, such as labels/b/1.txt, found none"
    ]


def test_a_byte_order_mark_is_no_part_of_a_class(tmp_path):
    write_set(tmp_path, "0")
    write_text(tmp_path / "labels/0.txt", f"\ufeff{BOX}")
    write_text(tmp_path / "data.yaml", "\ufeffnames: [cat]\ntrain: images\n")
    assert names_and_counts(read(tmp_path)) == {"gold": (["images/0.png"], 1)}


def test_darknet_and_its_export_from_cvat(tmp_path):
    write_set(tmp_path, "0", "1", images="obj_train_data", labels="obj_train_data")
    write_set(tmp_path, "2", images="obj_valid_data", labels="obj_valid_data")
    write_text(tmp_path / "train.txt", "data/obj_train_data/0.png\ndata/obj_train_data/1.png\n")
    write_text(tmp_path / "valid.txt", "data/obj_valid_data/2.png\n")
    write_text(tmp_path / "obj.names", " cat\ndog \n\n")
    lists = "train = data/train.txt\nvalid = data/valid.txt\n"
    write_text(tmp_path / "obj.data", f"classes = 2\n{lists}names = data/obj.names\nbackup = b/\n")
    for source in (tmp_path, tmp_path / "obj.data"):
        found = read(source)
        assert {split: count for split, (_, count) in names_and_counts(found).items()} == {
            "gold": 2,
            "val": 1,
        }
        assert found.unused == {}
        categories = found.splits["gold"].content["categories"]
        assert [row["name"] for row in categories] == ["cat", "dog"]


@pytest.mark.parametrize("place", ["classes.txt", "labels/classes.txt", None])
def test_names_of_classes_without_lists_of_images(tmp_path, place):
    write_set(tmp_path, "train/0", "val/1", "2")
    options = {}
    if place:
        write_text(tmp_path / place, "cat\ndog\n")
    else:
        options["classes"] = ("cat", "dog")
    found = read(tmp_path, **options)
    assert names_and_counts(found) == {
        "gold": (["images/train/0.png"], 1),
        "val": (["images/val/1.png"], 1),
    }
    assert found.unused["images outside the folders of the splits"] == ["images/2.png"]


def test_images_in_a_folder_elsewhere(tmp_path):
    write_text(tmp_path / "source/classes.txt", "cat\n")
    write_text(tmp_path / "source/labels/a/0.txt", BOX)
    write_image(tmp_path / "photos/a/0.png", 0)
    found = read(tmp_path / "source", images=tmp_path / "photos")
    assert names_and_counts(found) == {"gold": (["a/0.png"], 1)}


def test_a_pool_needs_no_labels(tmp_path):
    write_yaml(write_set(tmp_path, "a/0", "b/1-"), "train: images/a\nunlabeled: images/b\n")
    assert names_and_counts(read(tmp_path))["pool"] == (["images/b/1.png"], 0)


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ("[off, on]", "names: class 0: expected a text; put the name in quotes, found False"),
        ("{0: a, 1: no}", "names: class 1: expected a text; put the name in quotes, found False"),
        ("[null, x]", "names: class 0: expected a text; put the name in quotes, found None"),
        ("[a, 1.0]", "names: class 1: expected a text; put the name in quotes, found 1.0"),
        ("[a, ' a ']", "names: 'a': expected a unique name, found 2 classes of this name"),
        ("[a, ' ']", "names: expected a name for each class, found an empty name"),
        ("{no: a, yes: b}", "names: expected names of classes 0, 1, ..., found {False: 'a',"),
        ("{1: a, 2: b}", "names: expected names of classes 0, 1, ..., found {1: 'a', 2: 'b'}"),
        ("[]", "names: expected the names of the classes, found none"),
    ],
)
def test_names_that_are_no_texts_or_doubled_are_faults(tmp_path, names, fault):
    write_text(write_set(tmp_path, "0") / "data.yaml", f"names: {names}\ntrain: images\n")
    found, *_ = faults_of("yolo", tmp_path, tmp_path)
    assert found.startswith(f"data.yaml: {fault}")


def test_spaces_around_names_are_dropped(tmp_path):
    write_text(write_set(tmp_path, "0") / "data.yaml", "names: [' cat', 'off ']\ntrain: images\n")
    written = imported("yolo", tmp_path, tmp_path / "root")["gold"]
    assert [row["name"] for row in written["categories"]] == ["cat", "off"]


@pytest.mark.parametrize("shape", ["17", "[0, 3]", "[5, 4]", "[a, 2]", "[true, 3]"])
def test_a_wrong_shape_of_keypoints_is_a_fault(tmp_path, shape):
    write_yaml(write_set(tmp_path, "0"), f"train: images\nkpt_shape: {shape}\n")
    (found,) = faults_of("yolo", tmp_path, tmp_path)
    assert found.startswith("data.yaml: kpt_shape: expected a number of keypoints, and 2 or 3")


def test_keypoints_are_fields_of_their_box(tmp_path):
    write_yaml(write_set(tmp_path, "0"), "train: images\nkpt_shape: [1, 3]\n")
    write_text(tmp_path / "labels/0.txt", "1 0.5 0.5 0.25 0.2 0.5 0.1 2\n")
    (row,) = imported("yolo", tmp_path, tmp_path / "root")["gold"]["annotations"]
    assert (row["bbox"], row["keypoints"]) == ([15.0, 12.0, 10.0, 6.0], [20.0, 3.0, 2])
    assert "segmentation" not in row


@pytest.mark.parametrize("place", ["data.yaml", "obj.data", "classes.txt"])
def test_other_classes_than_those_of_the_data_are_a_fault(tmp_path, place):
    write_set(tmp_path, "train/0")
    names_file = {"obj.data": "obj.names"}.get(place, place)
    lines = {
        "data.yaml": "names: [cat, dog]\ntrain: images/train\n",
        "obj.data": "train = images/train\nnames = obj.names\n",
    }
    write_text(tmp_path / names_file, "cat\ndog\n")
    write_text(tmp_path / place, lines.get(place, "cat\ndog\n"))
    assert read(tmp_path, classes=("cat", "dog")).faults == []
    assert read(tmp_path, classes=("dog", "cat"), classes_of_gold=True).faults == []
    (fault,) = read(tmp_path, classes=("dog", "cat")).faults
    assert str(fault) == (
        f"{names_file}: names: expected the classes of `--classes`, ['dog', 'cat'], "
        "found ['cat', 'dog']"
    )


def test_names_that_are_taken_from_gold_are_told(tmp_path):
    write_set(tmp_path, "train/0")
    found = read(tmp_path, classes=("cat", "dog"), classes_of_gold=True)
    assert found.notes == ["class numbers 0, 1, ... to the names of gold: ['cat', 'dog']"]
    assert read(tmp_path, classes=("cat", "dog")).notes == []
    write_text(tmp_path / "classes.txt", "cat\ndog\n")
    assert read(tmp_path, classes=("cat", "dog"), classes_of_gold=True).notes == []
