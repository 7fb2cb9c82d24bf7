import json

import numpy as np
import pytest
from PIL import Image

from tests.builders import pseudolabel, write_image


def test_a_second_split_gets_the_classes_of_gold(tmp_path):
    for folder, classes in (("one", "ab"), ("two", "b")):
        rows = ["file,label"]
        for number, label in enumerate(classes):
            name = f"{folder}{number}.png"
            write_image(tmp_path / folder / name, number + len(classes))
            rows.append(f"{name},{label}")
        (tmp_path / folder / "labels.csv").write_text("\n".join(rows) + "\n")
    root = tmp_path / "root"
    status, output, _ = pseudolabel(
        "import", "--from", "csv", tmp_path / "one" / "labels.csv", root
    )
    assert status == 0
    assert output.splitlines() == [
        f"gold: 2 images, 2 labels in {root}",
        f"next: pseudolabel check {root}",
    ]
    second = ("import", "--from", "csv", tmp_path / "two" / "labels.csv", root, "--split", "val")
    assert pseudolabel(*second)[0] == 0
    gold, val = (json.loads((root / f"{name}.json").read_bytes()) for name in ("gold", "val"))
    assert gold["categories"] == val["categories"]
    assert [row["category_id"] for row in val["annotations"]] == [2]


def test_faults_are_reported_and_nothing_is_written(tmp_path):
    status, _, messages = pseudolabel("import", "--from", "yolo", tmp_path, tmp_path / "root")
    assert status == 1
    assert "error: " in messages
    assert "data.yaml: expected a YAML file" in messages
    assert not (tmp_path / "root").exists()


def test_a_format_is_recognised_and_images_without_labels_become_the_pool(tmp_path):
    source, root = tmp_path / "source", tmp_path / "root"
    for number in range(6):
        write_image(source / "images" / f"{number}.png", number)
    (source / "labels").mkdir()
    (source / "labels" / "0.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (source / "data.yaml").write_text("names: [cat]\ntrain: images\n")
    status, output, _ = pseudolabel("import", source, root)
    assert status == 0
    first, second, third, fourth = output.splitlines()
    assert first == "read as yolo: data.yaml has `names` of classes"
    assert second == f"gold: 1 images, 1 labels in {root}"
    assert third.startswith("pool: 5 images without a label file (`--negatives` takes")
    assert third.endswith("objects): 'images/1.png', 'images/2.png', 'images/3.png', ...")
    assert fourth == f"next: pseudolabel check {root}"
    names = sorted(path.name for path in (root / "images" / "images").iterdir())
    assert names == [f"{number}.png" for number in range(6)]
    assert not (root / "pool.json").exists()


def test_a_plain_folder_of_images_becomes_the_pool(tmp_path):
    for number in range(3):
        write_image(tmp_path / "photos" / f"{number}.png", number)
    root = tmp_path / "root"
    status, output, _ = pseudolabel("import", tmp_path / "photos", root, "--split", "pool")
    assert status == 0
    assert output.startswith(f"pool: 3 images, 0 labels in {root}\n")
    status, _, messages = pseudolabel("import", tmp_path / "photos", tmp_path / "other")
    assert status == 1
    assert "expected one format that is known by its files" in messages
    assert "or `--split pool` for images without labels" in messages


def test_a_source_of_no_format_or_of_two_is_a_fault(tmp_path):
    status, _, messages = pseudolabel("import", tmp_path, tmp_path / "root")
    assert status == 1
    assert "or `--from FORMAT`" in messages
    assert messages.rstrip().endswith("found no such format")
    source = tmp_path / "source"
    write_image(source / "images" / "0.png", 0)
    write_image(source / "masks" / "0.png", 1)
    (source / "data.yaml").write_text("names: [cat]\ntrain: images\n")
    status, _, messages = pseudolabel("import", source, tmp_path / "root")
    assert status == 1
    found = messages.partition("found yolo (data.yaml")[2]
    assert "masks/" in found
    status, _, messages = pseudolabel("import", tmp_path / "nothing", tmp_path / "root")
    assert (status, "expected a folder or a file" in messages) == (1, True)
    assert not (tmp_path / "root").exists()


def test_masks_of_colours_are_imported_and_counted(tmp_path):
    source, root = tmp_path / "source", tmp_path / "root"
    write_image(source / "images" / "0.png", 0)
    (source / "masks").mkdir()
    pixels = np.zeros((30, 40), np.uint8)
    pixels[:10] = 255
    Image.fromarray(pixels).save(source / "masks" / "0.png")
    options = ("--classes", "background,cat", "--colours", "#000000,#ffffff")
    status, output, _ = pseudolabel("import", source, root, *options)
    assert status == 0
    assert f"gold: 1 images, 1 masks in {root}" in output
    assert (np.array(Image.open(root / "masks" / "0.png")) == pixels // 255).all()


def test_classes_may_differ_from_gold_but_not_from_the_option(tmp_path):
    source, root = tmp_path / "source", tmp_path / "root"
    for number, folder in enumerate(("train", "val")):
        write_image(source / folder / f"{number}.png", number)
        (source / folder / f"{number}.txt").write_text("1 0.5 0.5 0.4 0.4\n")
    first = ("import", "--from", "yolo", source / "train", root, "--classes", "cat,dog")
    assert pseudolabel(*first)[0] == 0
    second = ("import", "--from", "yolo", source / "val", root, "--split", "val")
    (source / "val" / "classes.txt").write_text("dog\ncat\n")
    status, _, messages = pseudolabel(*second, "--classes", "cat,dog")
    assert status == 1
    assert "expected the classes of `--classes`, ['cat', 'dog'], found ['dog', 'cat']" in messages
    (source / "val" / "classes.txt").unlink()
    status, output, _ = pseudolabel(*second)
    assert status == 0
    assert "changed: class numbers 0, 1, ... to the names of gold: ['cat', 'dog']" in output


@pytest.mark.parametrize(
    ("form", "options", "fault"),
    [
        ("folders", ["--negatives"], "--negatives: expected a format that uses it (yolo)"),
        ("coco", ["--classes", "a,b"], "--classes: expected a format that uses it (yolo, voc, "),
        ("yolo", ["--ignore-zero"], "--ignore-zero: expected a format that uses it (masks)"),
        ("voc", ["--colours", "#000000"], "--colours: expected a format that uses it (masks)"),
        ("csv", ["--class-from-folder"], "--class-from-folder: expected a format that uses it"),
    ],
)
def test_an_option_that_the_format_does_not_use_is_refused(tmp_path, form, options, fault):
    source = ("import", "--from", form, tmp_path, tmp_path / "root", *options)
    status, _, messages = pseudolabel(*source)
    assert status == 1
    assert fault in messages
    assert f"found {form}" in messages
    assert not (tmp_path / "root").exists()
