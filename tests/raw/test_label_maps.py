import re

import cv2
import numpy as np
import pytest
from PIL import Image

from pseudolabel.core import masks
from pseudolabel.core.errors import DataError
from pseudolabel.core.records import Annotations, Category
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.raw.label_maps import _rasterise
from pseudolabel.splits.prepare import prepare
from tests.builders import coco, splitting, write_image, write_json

IDS = {"disc": 3, "rod": 7, "star": 9}


def raw_root(root, labels, pool=2):
    """A semantic root: 40x30 gold images with maps of category ids, and two val images."""
    for split, maps in (("gold", labels), ("val", [np.full((30, 40), 3), np.full((30, 40), 9)])):
        names = [f"{split}/{index}.png" for index in range(len(maps))]
        content = coco(names, first_id=1 if split == "gold" else 50)
        content["categories"] = [{"id": number, "name": name} for name, number in IDS.items()]
        write_json(root / f"{split}.json", content | {"annotations": []})
        for number, (name, values) in enumerate(zip(names, maps, strict=True)):
            write_image(root / "images" / name, number + 10 * (split == "val"))
            path = root / "masks" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.asarray(values, np.uint8))
    for number in range(pool):
        write_image(root / "images" / "pool" / f"{number}.png", 90 + number)
    return root


def plain(value=3):
    labels = np.full((30, 40), value)
    labels[:10] = 9
    return labels


def prepared(root, output):
    prepare(root, output, "semantic", splitting(0.5), 0)
    return SplitFolder(output / "gold").read()


def test_pixels_become_class_indices_and_rows_have_their_areas(tmp_path):
    labels = plain(7)
    labels[:2] = 255
    gold = prepared(raw_root(tmp_path / "raw", [labels]), tmp_path / "out")
    found = SplitFolder(tmp_path / "out" / "gold").label_map(int(gold.images.ids[0]))
    assert (found[:2] == 255).all()
    assert (found[2:10] == 2).all()
    assert (found[10:] == 1).all()
    rows = gold.annotations
    assert dict(zip(rows.category_ids.tolist(), rows.areas.tolist(), strict=True)) == {
        7: 20 * 40,
        9: 8 * 40,
    }


def test_an_indexed_png_is_read_as_indices(tmp_path):
    root = raw_root(tmp_path / "raw", [plain()])
    image = Image.fromarray(plain().astype(np.uint8), mode="P")
    image.putpalette([value % 256 for value in range(768)])
    image.save(root / "masks" / "gold" / "0.png")
    gold = prepared(root, tmp_path / "out")
    found = SplitFolder(tmp_path / "out" / "gold").label_map(int(gold.images.ids[0]))
    assert set(np.unique(found)) == {0, 2}


def test_images_without_labelled_pixels_are_left_out_and_listed(tmp_path):
    root = raw_root(tmp_path / "raw", [plain(), np.full((30, 40), 255)])
    gold = prepared(root, tmp_path / "out")
    assert gold.images.file_names.tolist() == ["gold/0.png"]
    report = (tmp_path / "out" / "report.json").read_text()
    assert re.search(r'"images_without_labels": \{\s*"gold": \[\s*"gold/1.png"', report)
    assert re.search(r'"classes_without_gold": \[\s*"rod"', report)


FAULTS = [
    (
        "a map of another size",
        lambda root: cv2.imwrite(str(root / "masks/gold/0.png"), np.full((40, 30), 3, np.uint8)),
        "image id 1 (gold/0.png): expected a label map of the image's size, 40x30, found 30x40",
    ),
    (
        "an index outside the categories",
        lambda root: cv2.imwrite(str(root / "masks/gold/0.png"), plain(4).astype(np.uint8)),
        "gold.json: image id 1 (gold/0.png): expected pixels of 3, 7, 9 or 255, found 4",
    ),
    (
        "a map in colour",
        lambda root: cv2.imwrite(str(root / "masks/gold/0.png"), np.zeros((30, 40, 3), np.uint8)),
        "expected masks/gold/0.png indexed or grey, 8 bits, found mode RGB",
    ),
    (
        "a missing map",
        lambda root: (root / "masks/gold/0.png").unlink(),
        "image id 1 (gold/0.png): expected a label map, masks/gold/0.png, found no file",
    ),
    (
        "a damaged map",
        lambda root: (root / "masks/gold/0.png").write_bytes(b"x"),
        "expected a readable masks/gold/0.png, found cannot identify",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "message"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_each_fault_has_its_image(tmp_path, spoil, message):
    root = raw_root(tmp_path / "raw", [plain()])
    spoil(root)
    with pytest.raises(DataError, match=re.escape(message)):
        prepared(root, tmp_path / "out")


def rectangles(*boxes, crowd=None):
    """Masks of rectangles x1 y1 x2 y2; rectangle n is of category n."""
    grids = np.zeros((len(boxes), 10, 12), bool)
    for grid, (x1, y1, x2, y2) in zip(grids, boxes, strict=True):
        grid[y1:y2, x1:x2] = True
    counts = masks.encode(grids)
    ids = list(range(1, len(boxes) + 1))
    crowds = [row_id == crowd for row_id in ids]
    areas, around = masks.areas(counts, 10, 12), masks.boxes_xyxy(counts, 10, 12)
    return Annotations.gold(ids, [1] * len(ids), ids, around, areas, crowds, counts)


def test_small_masks_lie_on_top_in_any_order():
    classes = (Category(1, "a"), Category(2, "b"))
    for boxes in (((0, 0, 8, 8), (2, 2, 4, 4)), ((2, 2, 4, 4), (0, 0, 8, 8))):
        labels = _rasterise(rectangles(*boxes), classes, 10, 12)
        small = 1 if boxes[1] == (2, 2, 4, 4) else 0
        assert (labels[2:4, 2:4] == small).all()
        assert labels[0, 0] == 1 - small
        assert labels[9, 11] == 255


def test_the_later_of_equal_masks_lies_on_top_and_crowds_are_unlabelled():
    classes = (Category(1, "a"), Category(2, "b"))
    same = ((0, 0, 4, 4), (0, 0, 4, 4))
    assert _rasterise(rectangles(*same), classes, 10, 12)[0, 0] == 1
    assert _rasterise(rectangles(*same, crowd=2), classes, 10, 12)[0, 0] == 255


def test_unlabelled_pixels_belong_to_the_class_background():
    classes = (Category(1, "a"), Category(2, "background"))
    labels = _rasterise(rectangles((0, 0, 4, 4)), classes, 10, 12)
    assert labels[0, 0] == 0
    assert labels[9, 11] == 1


def test_coco_polygons_are_rasterised_without_the_folder_masks(tmp_path):
    root = tmp_path / "raw"
    for split, first in (("gold", 1), ("val", 5)):
        names = [f"{split}/0.png"]
        content = coco(names, first_id=first)
        content["annotations"][0]["segmentation"] = [[2, 3, 12, 3, 12, 15, 2, 15]]
        write_json(root / f"{split}.json", content)
        write_image(root / "images" / names[0], first)
    write_image(root / "images" / "pool.png", 9)
    prepare(root, tmp_path / "out", "semantic", splitting(0.5), 0)
    gold = SplitFolder(tmp_path / "out" / "gold").read()
    found = SplitFolder(tmp_path / "out" / "gold").label_map(int(gold.images.ids[0]))
    assert (found != 255).sum() == 120 == gold.annotations.areas.sum()
