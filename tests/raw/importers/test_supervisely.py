"""Supervisely: rectangles, polygons with holes, and bitmaps."""

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image

from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image, write_json
from tests.raw.importers.importing import imported

RECTANGLE = {"exterior": [[10, 5], [29, 19]], "interior": []}


def item(kind, points=None, title="cat", **more):
    return {"classTitle": title, "geometryType": kind, "points": points, "tags": []} | more


def project(root, objects, folder="set1", size=(40, 30), number=1):
    write_image(root / folder / "img" / "x.png", number)
    sides = {"width": size[0], "height": size[1]}
    content = {"description": "", "tags": [{"name": "wet"}], "size": sides, "objects": objects}
    write_json(root / folder / "ann" / "x.png.json", content)
    classes = [{"title": "dog", "shape": "polygon"}, {"title": "cat", "shape": "any"}]
    write_json(root / "meta.json", {"classes": classes, "tags": []})
    return root


def bitmap(mask, origin, mode="RGBA"):
    """A packed PNG whose transparency is the mask."""
    stream = io.BytesIO()
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[mask] = 255
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    data = base64.b64encode(zlib.compress(stream.getvalue())).decode()
    return {"data": data, "origin": origin}


def read(source, **options):
    return IMPORTERS["supervisely"](ImportRequest(source, "gold", **options))


def masks_in(root):
    dataset, faults = parse_coco(root / "gold.json", Contract.MASK)
    assert not faults
    rows = dataset.annotations
    return list(zip(rows.boxes_xyxy.tolist(), rows.areas.tolist(), strict=True))


def test_rectangles_hold_their_corner_pixels(tmp_path):
    source = project(tmp_path / "s", [item("rectangle", RECTANGLE, labelerLogin="me")])
    written = imported("supervisely", source, tmp_path / "root")["gold"]
    (row,) = written["annotations"]
    assert row["bbox"] == [10, 5, 20, 15]
    assert row["labelerLogin"] == "me"
    # A class of meta.json without labels stays.
    assert written["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert row["category_id"] == 1
    assert written["images"][0]["tags"] == [{"name": "wet"}]


def test_polygons_and_their_holes(tmp_path):
    outer = [[0, 0], [20, 0], [20, 10], [0, 10]]
    hole = [[5, 5], [10, 5], [10, 8], [5, 8]]
    objects = [
        item("polygon", {"exterior": outer, "interior": []}),
        item("polygon", {"exterior": outer, "interior": [hole]}),
    ]
    written = imported("supervisely", project(tmp_path / "s", objects), tmp_path / "root")["gold"]
    assert written["annotations"][0]["segmentation"] == [[0, 0, 20, 0, 20, 10, 0, 10]]
    assert masks_in(tmp_path / "root") == [([0, 0, 20, 10], 200), ([0, 0, 20, 10], 185)]


@pytest.mark.parametrize("mode", ["RGBA", "L", "1"])
def test_bitmaps_lie_at_their_origin(tmp_path, mode):
    mask = np.ones((6, 8), bool)
    mask[0, :4] = False
    objects = [item("bitmap", bitmap=bitmap(mask, [10, 5], mode))]
    imported("supervisely", project(tmp_path / "s", objects), tmp_path / "root")
    assert masks_in(tmp_path / "root") == [([10, 5, 18, 11], 44)]


def bomb():
    return {"data": base64.b64encode(zlib.compress(bytes(1 << 24))).decode(), "origin": [0, 0]}


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (item("bitmap", bitmap=bomb()), "damaged content, or more than"),
        (item("bitmap", bitmap=bitmap(np.ones((60, 80), bool), [0, 0])), "80x60, larger than"),
        (item("bitmap", bitmap={"data": "AAAA", "origin": [0, 0]}), "compression"),
        (item("bitmap", bitmap={"data": "AAAA"}), "no `data` and `origin`"),
        (item("bitmap"), "no `data` and `origin`"),
        (item("rectangle", {"exterior": [[1, 2]]}), "exterior"),
        (item("polygon", {"exterior": [[1, 2], [3, 4]]}), "exterior"),
        (item("polygon", {"exterior": [[1, 2], [3, 4], [5, 9]], "interior": [[1]]}), "holes"),
    ],
)
def test_shapes_that_cannot_be_used_are_faults(tmp_path, bad, found):
    (fault,) = read(project(tmp_path, [bad, item("rectangle", RECTANGLE)])).faults
    assert fault.record == "object 1"
    assert found in fault.found


def test_sizes_classes_and_lists_are_checked(tmp_path):
    project(tmp_path, [item("rectangle", RECTANGLE)], "a", size=(80, 60))
    project(tmp_path, [item("rectangle", RECTANGLE, title=" ")], "b")
    project(tmp_path, None, "c")
    assert [(fault.file, fault.expected) for fault in read(tmp_path).faults] == [
        ("a/ann/x.png.json", "the size of its file, 40x30"),
        ("b/ann/x.png.json", "an object with a `classTitle`"),
        ("c/ann/x.png.json", "a list"),
    ]


def test_what_is_not_used(tmp_path):
    objects = [item("rectangle", RECTANGLE), item("point", {"exterior": [[1, 2]]})]
    source = project(tmp_path, objects)
    write_json(source / "obj_class_to_machine_color.json", {})
    write_image(source / "set1" / "img" / "more.png", 5)
    found = read(source)
    assert not found.faults
    assert found.unused == {
        "JSON files outside ann/": ["obj_class_to_machine_color.json"],
        "shapes that are not supported (point)": ["set1/ann/x.png.json: object 2"],
        "images without a label file": ["set1/img/more.png"],
    }


def test_data_sets_tell_the_splits_and_have_images_of_one_name(tmp_path):
    for number, folder in enumerate(("train", "val")):
        project(tmp_path, [item("rectangle", RECTANGLE)], folder, number=number)
    found = read(tmp_path)
    assert not found.faults
    assert {split: list(row.files) for split, row in found.splits.items()} == {
        "gold": ["train/img/x.png"],
        "val": ["val/img/x.png"],
    }


def test_masks_of_a_project_are_not_images(tmp_path):
    source = project(tmp_path, [item("rectangle", RECTANGLE)])
    write_image(source / "set1" / "masks_machine" / "x.png", 5)
    found = read(source)
    assert (found.faults, found.unused) == ([], {})
    (source / "set1" / "img" / "x.png").unlink()
    assert [fault.found for fault in read(source).faults] == ["no file"]
