"""Names of splits, and files that are found by the endings of their paths."""

import unicodedata

import pytest

from pseudolabel.raw.importers.source_files import FileIndex
from pseudolabel.raw.importers.split_names import split_of, split_within


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "gold"),
        ("Training", "gold"),
        ("TRAINVAL", "gold"),
        ("valid", "val"),
        ("Validation ", "val"),
        ("Testing", "test"),
        ("unlabeled", "pool"),
        ("trainer", None),
        ("", None),
    ],
)
def test_names_of_splits(name, split):
    assert split_of(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_train2017.json", "gold"),
        ("instances_val2017.json", "val"),
        ("image_info_unlabeled2017.json", "pool"),
        ("my-test.json", "test"),
        ("train_and_test.json", None),
        ("latest.json", None),
    ],
)
def test_a_word_within_a_name_means_a_split(name, split):
    assert split_within(name) == split


@pytest.fixture
def folder(tmp_path):
    names = ["a/1.png", "b/1.png", "b/c/2.JPG", ".hidden/3.png", "__MACOSX/a/._1.png"]
    for name in [*names, unicodedata.normalize("NFD", "\u00fcber.png")]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a/1.png", ["a/1.png"]),
        ("1.png", ["a/1.png", "b/1.png"]),
        ("C:\\data\\b\\1.png", ["b/1.png"]),
        ("../../media/upload/7/2.JPG", ["b/c/2.JPG"]),
        ("./b/./c/2.JPG", ["b/c/2.JPG"]),
        ("3.png", []),
        ("", []),
        ("..", []),
    ],
)
def test_a_file_is_found_by_the_longest_ending_of_its_path(folder, name, found):
    assert FileIndex(folder).find(name) == found


def test_names_are_compared_in_one_unicode_form(folder):
    (name,) = FileIndex(folder).find("\u00fcber.png")
    assert unicodedata.normalize("NFC", name) == "\u00fcber.png"


def test_a_file_is_found_without_its_suffix(folder):
    assert FileIndex(folder).find_stem("c/2") == ["b/c/2.JPG"]
    assert FileIndex(folder).find_stem("1") == ["a/1.png", "b/1.png"]


def test_folders_behind_links_are_read_once(folder):
    (folder / "b" / "loop").symlink_to(folder)
    assert FileIndex(folder).find("2.JPG") == ["b/c/2.JPG"]
