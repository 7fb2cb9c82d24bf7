import json

import cv2
import numpy as np
import pytest
from PIL import Image

from pseudolabel.core.errors import DataError
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from pseudolabel.splits.prepare import read_and_split
from tests.builders import splitting, write_image
from tests.raw.importers.importing import faults_of, imported

SIZE = (40, 30)
RED, BLUE = (255, 0, 0), (0, 0, 255)
CLASSES = ("ground", "rod")


def write_mask(path, left, right, mode="L", size=SIZE, palette=None):
    """A mask whose left and right half each have one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.new(mode, size, left)
    mask.paste(right, (size[0] // 2, 0, *size))
    if mode == "I;16":
        values = np.full(size[::-1], left, np.uint16)
        values[:, size[0] // 2 :] = right
        mask = Image.fromarray(values)
    if palette:
        mask.putpalette(palette)
    mask.save(path)


def write_pair(root, stem, left, right, folder="masks", images="images", **options):
    write_image(root / images / f"{stem}.png", len(list(root.rglob("*.png"))))
    write_mask(root / folder / f"{stem}.png", left, right, **options)
    return root


def halves(root, stem="0"):
    """The mode of a written mask, and the values of its halves."""
    with Image.open(root / "masks" / f"{stem}.png") as mask:
        pixels = np.array(mask)
        assert pixels.shape == SIZE[::-1]
        left, right = (set(np.unique(half).tolist()) for half in np.hsplit(pixels, 2))
        assert len(left) == len(right) == 1
        return mask.mode, left.pop(), right.pop()


def read(source, **options):
    return IMPORTERS["masks"](ImportRequest(source, "gold", **options))


def test_masks_are_copied_with_their_images(tmp_path):
    source = tmp_path / "source"
    for number in range(3):
        write_image(source / "images" / f"{number}.png", number)
    (source / "masks").mkdir()
    for number in range(2):
        cv2.imwrite(str(source / "masks" / f"{number}.png"), np.full((30, 40), number, np.uint8))
    written = imported("masks", source, tmp_path / "root", classes=("ground", "rod"))["gold"]
    assert [row["name"] for row in written["categories"]] == ["ground", "rod"]
    assert [row["file_name"] for row in written["images"]] == ["0.png", "1.png"]
    write_image(tmp_path / "root" / "images" / "pool.png", 50)
    prepared = read_and_split(tmp_path / "root", "semantic", splitting(0.5), 0)
    assert sum(len(prepared.splits[split].annotations) for split in ("gold", "val")) == 2


def test_masks_need_classes(tmp_path):
    assert faults_of("masks", tmp_path / "source", tmp_path) == [
        (
            f"{tmp_path / 'source'}: expected `--classes`, the names of the pixel values 0, 1, "
            "..., found none"
        )
    ]


@pytest.mark.parametrize(
    ("mode", "left", "right", "expected"),
    [
        ("L", 0, 1, (0, 1)),
        ("L", 1, 255, (1, 255)),
        ("I;16", 0, 1, (0, 1)),
        ("1", 0, 1, (0, 1)),
        ("RGB", (0, 0, 0), (1, 1, 1), (0, 1)),
        ("RGBA", (0, 0, 0, 255), (1, 1, 1, 255), (0, 1)),
        ("P", 0, 1, (0, 1)),
    ],
)
def test_masks_of_numbers_of_any_depth(tmp_path, mode, left, right, expected):
    options = {"palette": [0, 0, 0, *RED]} if mode == "P" else {}
    source = write_pair(tmp_path / "source", "0", left, right, mode=mode, **options)
    imported("masks", source, tmp_path / "root", classes=CLASSES)
    assert halves(tmp_path / "root") == ("L", *expected)


@pytest.mark.parametrize("ignore_zero", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
@pytest.mark.parametrize("left", [0, 255])
def test_masks_of_0_and_255_are_a_fault_also_beside_masks_of_classes(
    tmp_path, ignore_zero, mode, left
):
    source = tmp_path / "source"
    values = (left,) * 3, (255,) * 3
    write_pair(source, "0", *(values if mode == "RGB" else (left, 255)), mode=mode)
    options = {"classes": CLASSES, "ignore_zero": ignore_zero}
    (alone,) = faults_of("masks", source, tmp_path, **options)
    write_pair(source, "1", 0, 1)
    assert faults_of("masks", source, tmp_path, **options) == [alone]
    assert alone == (
        "masks: 1 mask, such as '0.png': expected other values, too, found only 0 and 255; "
        "`--colours '#000000,#ffffff'` makes 255 a class, '#000000,#010101' does not"
    )


@pytest.mark.parametrize("left", [0, 1])
def test_masks_of_0_and_255_pass_if_255_is_beside_a_class_elsewhere(tmp_path, left):
    source = tmp_path / "source"
    write_pair(source, "0", 0, 255)
    write_pair(source, "1", 1, 255)
    write_pair(source, "2", left, 1)
    found = read(source, classes=CLASSES)
    assert found.faults == []
    (told,) = found.unused.items()
    assert told == (
        "masks in which all pixels but those of 0 are 255, taken as unlabelled",
        ["0.png"],
    )


def test_masks_of_0_and_255_pass_if_the_colours_of_the_classes_are_given(tmp_path):
    source = tmp_path / "source"
    write_pair(source, "0", 0, 255)
    write_pair(source, "1", 0, 1)
    options = {"classes": CLASSES, "colours": ("#000000", "#010101")}
    imported("masks", source, tmp_path / "root", **options)
    assert halves(tmp_path / "root") == ("L", 0, 255)
    assert halves(tmp_path / "root", "1") == ("L", 0, 1)


def test_masks_without_any_class_are_a_fault(tmp_path):
    source = write_pair(tmp_path / "source", "0", 0, 0)
    assert faults_of("masks", source, tmp_path, classes=CLASSES, ignore_zero=True) == [
        "masks: all masks: expected pixels of classes, found only unlabelled pixels"
    ]


@pytest.mark.parametrize("mode", ["L", "1", "RGB"])
def test_masks_of_black_and_white_are_read_by_colours(tmp_path, mode):
    white = {"L": 255, "1": 1, "RGB": (255, 255, 255)}[mode]
    black = (0, 0, 0) if mode == "RGB" else 0
    source = write_pair(tmp_path / "source", "0", black, white, mode=mode)
    options = {"classes": CLASSES, "colours": ("#000000", "#ffffff")}
    imported("masks", source, tmp_path / "root", **options)
    assert halves(tmp_path / "root") == ("L", 0, 1)


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_masks_of_colours(tmp_path, mode):
    source = tmp_path / "source"
    if mode == "RGB":
        write_pair(source, "0", BLUE, RED, mode=mode)
    else:
        write_pair(source, "0", 0, 7, mode=mode, palette=[*BLUE, *(6 * [1, 2, 3]), *RED])
    options = {"classes": ("red", "blue"), "colours": ("FF0000", "#0000ff")}
    imported("masks", source, tmp_path / "root", **options)
    assert halves(tmp_path / "root") == ("L", 1, 0)


def test_the_border_of_indexed_masks_stays_unlabelled(tmp_path):
    palette = [*BLUE, *RED, *(253 * [1, 2, 3]), 224, 224, 192]
    source = write_pair(tmp_path / "source", "0", 1, 255, mode="P", palette=palette)
    options = {"classes": ("red", "blue"), "colours": ("#ff0000", "#0000ff")}
    imported("masks", source, tmp_path / "root", **options)
    assert halves(tmp_path / "root") == ("L", 0, 255)


def test_masks_of_colours_with_a_labelmap(tmp_path):
    source = write_pair(tmp_path / "source", "0", (0, 0, 0), RED, "SegmentationClass", mode="RGB")
    lines = "# label:color_rgb:parts:actions\nbackground:0,0,0::\na:b:255,0,0::\n"
    (source / "labelmap.txt").write_text(lines)
    written = imported("masks", source, tmp_path / "root")["gold"]
    names = [(row["id"], row["name"]) for row in written["categories"]]
    assert names == [(0, "background"), (1, "a:b")]
    assert halves(tmp_path / "root") == ("L", 0, 1)


def test_colours_that_are_no_class_are_one_fault(tmp_path):
    source = tmp_path / "source"
    for stem in "01":
        write_pair(source, stem, (0, 0, 0), RED, mode="RGB")
    (fault,) = faults_of("masks", source, tmp_path, classes=CLASSES)
    assert fault == (
        "masks: 2 masks, such as '0.png': expected grey or indexed masks, or all colours in "
        "`--colours` or labelmap.txt, found #000000, #ff0000"
    )
    options = {"classes": CLASSES, "colours": ("#000000", "#00ff00")}
    (fault,) = faults_of("masks", source, tmp_path, **options)
    assert fault.endswith("found #ff0000")


@pytest.mark.parametrize(
    ("colours", "message"),
    [
        (("#000000",), "--colours: expected a colour for each of `--classes`, found 1 colours and"),
        (("#000000", "red"), "--colours: expected colours such as #ff0000, found 'red'"),
        (("#000000", "000000"), "expected each colour once, found '#000000' 2 times"),
    ],
)
def test_faults_of_colours(tmp_path, colours, message):
    (fault, *_) = faults_of("masks", tmp_path, tmp_path, classes=CLASSES, colours=colours)
    assert message in fault


@pytest.mark.parametrize("line", ["cat", "cat:1,2", "cat:1,2,256::"])
def test_faults_of_a_labelmap(tmp_path, line):
    (tmp_path / "labelmap.txt").write_text(f"background:0,0,0::\n{line}\n")
    assert faults_of("masks", tmp_path, tmp_path) == [
        f"labelmap.txt: line 2: expected `name:red,green,blue`, found {line}"
    ]


def test_zero_may_be_unlabelled(tmp_path):
    source = tmp_path / "source"
    write_pair(source, "0", 0, 2)
    write_pair(source, "1", 1, 255)
    written = imported("masks", source, tmp_path / "root", classes=CLASSES, ignore_zero=True)
    assert [row["id"] for row in written["gold"]["categories"]] == [0, 1]
    assert halves(tmp_path / "root") == ("L", 255, 1)
    assert halves(tmp_path / "root", "1") == ("L", 0, 255)


@pytest.mark.parametrize(
    ("mode", "ignore_zero", "expected"),
    [
        ("L", False, "pixels from 0 to 1 or 255 (a number per class, not one per object), found 7"),
        ("I;16", False, "pixels from 0 to 1 or 255 (a number per class, not one per object)"),
        ("L", True, "pixels from 1 to 2 or 255 (a number per class, not one per object), found 7"),
    ],
)
def test_numbers_that_are_no_class_are_one_fault(tmp_path, mode, ignore_zero, expected):
    source = tmp_path / "source"
    for stem in "01":
        write_pair(source, stem, 1, 7 if mode == "L" else 3000, mode=mode)
    (fault,) = faults_of("masks", source, tmp_path, classes=CLASSES, ignore_zero=ignore_zero)
    assert fault.startswith(f"masks: 2 masks, such as '0.png': expected {expected}")


def test_a_mask_of_another_size_is_a_fault(tmp_path):
    source = write_pair(tmp_path / "source", "0", 0, 1, size=(20, 15))
    assert faults_of("masks", source, tmp_path, classes=CLASSES) == [
        "0.png: expected the size of its image, 40x30, found 20x15"
    ]


def test_masks_that_lost_their_values_are_faults(tmp_path):
    source = tmp_path / "source"
    for number, suffix in enumerate((".jpg", ".tif")):
        write_image(source / "images" / f"{number}.png", number)
        write_mask(source / "masks" / f"{number}{suffix}", 0, 1, "F" if suffix == ".tif" else "L")
    assert faults_of("masks", source, tmp_path, classes=CLASSES) == [
        "0.jpg: expected a PNG, found a JPEG, which changes the values of pixels",
        "1.tif: expected whole numbers, found numbers with a fraction",
    ]


def test_images_and_masks_without_each_other_are_told(tmp_path):
    source = write_pair(tmp_path / "source", "0", 0, 1)
    write_image(source / "images" / "1.png", 5)
    write_mask(source / "masks" / "2.png", 0, 1)
    found = read(source, classes=CLASSES)
    assert found.faults == []
    assert [row["file_name"] for row in found.splits["gold"].content["images"]] == ["0.png"]
    assert found.unused == {
        "images without a mask": ["1.png"],
        "masks without an image": ["2.png"],
    }


def test_masks_of_objects_are_no_images(tmp_path):
    source = tmp_path / "source"
    for folder in ("SegmentationClass", "SegmentationObject"):
        write_mask(source / folder / "0.png", 0, 1)
    assert faults_of("masks", source, tmp_path, classes=CLASSES) == [
        f"{source}: SegmentationClass: expected masks with the names of the images, found none"
    ]
    write_image(source / "0.png", 0)
    written = imported("masks", source, tmp_path / "root", classes=CLASSES)["gold"]
    assert [row["file_name"] for row in written["images"]] == ["0.png"]


def test_folders_of_splits(tmp_path):
    source = tmp_path / "source"
    for stem in ("training/0", "validation/1"):
        write_pair(source, stem, 0, 1, folder="annotations")
    found = read(source, classes=CLASSES)
    assert found.faults == []
    assert {split: list(content.maps) for split, content in found.splits.items()} == {
        "gold": ["training/0.png"],
        "val": ["validation/1.png"],
    }


def test_the_sets_of_pascal_voc(tmp_path):
    source = tmp_path / "source"
    for stem in "0123":
        write_pair(source, stem, 0, 1, "SegmentationClass", "JPEGImages")
    sets = source / "ImageSets" / "Segmentation"
    sets.mkdir(parents=True)
    for name, stems in {"train": "0\n1\n", "val": "2\n", "trainval": "0\n1\n2\n"}.items():
        (sets / f"{name}.txt").write_text(stems)
    found = read(source, classes=CLASSES)
    assert found.faults == []
    assert {split: list(content.maps) for split, content in found.splits.items()} == {
        "gold": ["0.png", "1.png"],
        "val": ["2.png"],
    }
    assert found.unused == {"images outside the splits": ["3.png"]}


def test_a_second_split_has_the_class_numbers_of_gold(tmp_path):
    root = tmp_path / "root"
    imported("masks", write_pair(tmp_path / "one", "0", 0, 1), root, classes=("ground", "rod"))
    second = write_pair(tmp_path / "two", "2", 0, 1)
    imported("masks", second, root, split="val", classes=("rod", "ground"))
    assert halves(root, "2") == ("L", 1, 0)
    third = write_pair(tmp_path / "three", "4", 0, 1)
    with pytest.raises(DataError, match="class 'disc': expected a class of gold"):
        imported("masks", third, root, split="test", classes=("rod", "disc"))
    assert not (root / "masks" / "4.png").exists()
    gold = json.loads((root / "gold.json").read_bytes())
    gold["categories"][0]["id"] = 300
    (root / "gold.json").write_text(json.dumps(gold))
    with pytest.raises(DataError, match="class ids of gold below 255"):
        imported("masks", third, root, split="test", classes=("rod", "ground"))


def test_another_label_map_is_not_overwritten(tmp_path):
    root = tmp_path / "root"
    source = write_pair(tmp_path / "source", "0", 0, 1)
    write_mask(root / "masks" / "0.png", 1, 1)
    with pytest.raises(DataError, match="expected no file, or a copy of"):
        imported("masks", source, root, classes=CLASSES)
    assert not (root / "images").exists()
    write_mask(root / "masks" / "0.png", 0, 1)
    imported("masks", source, root, classes=CLASSES)


def test_other_classes_than_those_of_the_labelmap_are_a_fault(tmp_path):
    source = write_pair(tmp_path / "source", "0", (0, 0, 0), RED, mode="RGB")
    (source / "labelmap.txt").write_text("background:0,0,0::\nrod:255,0,0::\n")
    assert read(source, classes=("background", "rod")).faults == []
    assert read(source, classes=CLASSES, classes_of_gold=True).faults == []
    (fault,) = faults_of("masks", source, tmp_path, classes=CLASSES)
    assert fault == (
        "labelmap.txt: names: expected the classes of `--classes`, ['ground', 'rod'], "
        "found ['background', 'rod']"
    )
