import unicodedata

import pytest

from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image
from tests.raw.importers.importing import faults_of, imported


def test_folders_of_classes_with_splits(tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("train/cat", "train/dog", "val/dog")):
        write_image(source / name / f"{number}.png", number)
    written = imported("folders", source, tmp_path / "root")
    for split, expected in (("gold", ["cat", "dog"]), ("val", ["dog"])):
        names = {row["id"]: row["name"] for row in written[split]["categories"]}
        assert list(names.values()) == ["cat", "dog"]
        assert [names[row["category_id"]] for row in written[split]["annotations"]] == expected


def test_images_in_subfolders_belong_to_the_class_of_the_outer_folder(tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("rod/1.png", "disc/deep/2.png")):
        write_image(source / name, number)
    written = imported("folders", source, tmp_path / "root")["gold"]
    names = {row["id"]: row["name"] for row in written["categories"]}
    labels = [names[row["category_id"]] for row in written["annotations"]]
    files = [row["file_name"] for row in written["images"]]
    assert dict(zip(files, labels, strict=True)) == {"disc/deep/2.png": "disc", "rod/1.png": "rod"}


def test_a_split_without_class_folders_is_a_fault(tmp_path):
    write_image(tmp_path / "source" / "train" / "cat" / "0.png", 0)
    write_image(tmp_path / "source" / "val" / "1.png", 1)
    (fault,) = faults_of("folders", tmp_path / "source", tmp_path)
    assert fault.endswith("val: expected one folder of images per class, found none")


def folders_of(root, *names):
    for number, name in enumerate(names):
        write_image(root / name, number)
    return root


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("train", "validation", "val"),
        ("Training", "Testing", "test"),
        ("Train", "Val", "val"),
        ("trainval", "dev", "val"),
    ],
)
def test_folders_of_splits_in_any_letter_case_are_no_classes(tmp_path, train, other, split):
    names = [f"{folder}/{label}/0.png" for folder in (train, other) for label in ("cat", "dog")]
    source = folders_of(tmp_path / "source", *names)
    written = imported("folders", source, tmp_path / "root")
    assert set(written) == {"gold", split}
    for content in written.values():
        assert [row["name"] for row in content["categories"]] == ["cat", "dog"]
        assert len(content["annotations"]) == 2


def test_junk_is_neither_a_class_nor_an_image(tmp_path):
    source = folders_of(
        tmp_path / "source",
        "cat/0.png",
        "cat/.ipynb_checkpoints/0-checkpoint.png",
        "cat/._0.png",
        ".ipynb_checkpoints/0-checkpoint.png",
        "__MACOSX/cat/0.png",
    )
    written = imported("folders", source, tmp_path / "root")["gold"]
    assert [row["name"] for row in written["categories"]] == ["cat"]
    assert [row["file_name"] for row in written["images"]] == ["cat/0.png"]


def test_what_is_in_no_split_or_no_class_is_told(tmp_path):
    source = folders_of(
        tmp_path / "source", "train/cat/0.png", "train/1.png", "extra/cat/2.png", "cover.png"
    )
    (source / "test").mkdir()
    found = IMPORTERS["folders"](ImportRequest(source, "gold"))
    assert found.faults == []
    assert [row["file_name"] for row in found.splits["gold"].content["images"]] == [
        "train/cat/0.png"
    ]
    assert found.unused == {
        "images outside the folders of the splits": ["cover.png", "extra/cat/2.png"],
        "images outside the folders of the classes": ["train/1.png"],
        "folders without images": ["test"],
    }


def test_a_pool_needs_no_classes(tmp_path):
    source = folders_of(tmp_path / "source", "train/cat/0.png", "unlabeled/1.png")
    written = imported("folders", source, tmp_path / "root")
    assert [row["file_name"] for row in written["pool"]["images"]] == ["unlabeled/1.png"]
    assert written["pool"]["annotations"] == []


@pytest.mark.parametrize("outer", ["my_set", "cat"])
def test_folders_of_splits_inside_another_folder_are_a_fault(tmp_path, outer):
    source = folders_of(tmp_path / "source", f"{outer}/train/0.png", f"{outer}/val/1.png")
    assert faults_of("folders", source, tmp_path) == [
        (
            f"{outer}: expected folders of splits directly in the source, "
            f"found {outer}/train, {outer}/val"
        )
    ]


def test_a_class_with_the_name_of_a_split_is_stated(tmp_path):
    classes = ("bronze", "gold")
    source = folders_of(tmp_path / "source", "gold/0.png", "bronze/1.png")
    written = imported("folders", source, tmp_path / "root", classes=classes)["gold"]
    assert [row["category_id"] for row in written["annotations"]] == [1, 2]


def test_a_class_in_two_unicode_forms_is_one_class(tmp_path):
    composed = unicodedata.normalize("NFC", "caf\u00e9")
    decomposed = unicodedata.normalize("NFD", composed)
    source = folders_of(tmp_path / "source", f"train/{composed}/0.png", f"val/{decomposed}/1.png")
    written = imported("folders", source, tmp_path / "root")
    assert [row["name"] for row in written["val"]["categories"]] == [composed]
    assert [row["category_id"] for row in written["val"]["annotations"]] == [1]
