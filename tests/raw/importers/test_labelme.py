import base64
import io

import numpy as np
import pytest
import supervision as sv
from PIL import Image

from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image, write_json
from tests.raw.importers.importing import boxes_by_file, boxes_by_supervision, faults_of, imported


def labelme(root, shapes):
    write_image(root / "a" / "1.png", 1)
    content = {"imagePath": "C:\\photos\\1.png", "flags": {"blurred": True}, "shapes": shapes}
    write_json(root / "a" / "1.json", content | {"imageHeight": 30, "imageWidth": 40})
    return root


def test_shapes_groups_and_flags_are_kept(tmp_path):
    shapes = [
        {"label": "rod", "points": [[1, 2], [20, 2], [20, 9]], "shape_type": "polygon"},
        {"label": "disc", "points": [[5, 5], [9, 8]], "shape_type": "rectangle", "group_id": 4},
        {"label": "disc", "points": [[15, 15], [19, 18]], "shape_type": "rectangle", "group_id": 4},
        {
            "label": "disc",
            "points": [[20, 15], [25, 15]],
            "shape_type": "circle",
            "flags": {"cut": True},
            "description": "at the edge",
        },
    ]
    source = labelme(tmp_path / "source", shapes)
    written = imported("labelme", source, tmp_path / "root")["gold"]
    rod, pair, circle = written["annotations"]
    assert written["images"][0]["file_name"] == "a/1.png"
    assert written["images"][0]["flags"] == {"blurred": True}
    assert rod["bbox"] == [1, 2, 19, 7]
    assert (pair["group_id"], len(pair["segmentation"]), pair["bbox"]) == (4, 2, [5, 5, 14, 13])
    assert circle["bbox"] == pytest.approx([15, 10, 10, 10])
    assert (circle["flags"], circle["description"]) == ({"cut": True}, "at the edge")


def test_boxes_equal_those_of_supervision(tmp_path):
    shapes = [
        {"label": "rod", "points": [[1, 2], [20, 2], [20, 9]], "shape_type": "polygon"},
        {"label": "disc", "points": [[5, 5], [9, 8]], "shape_type": "rectangle"},
    ]
    source = labelme(tmp_path / "source", shapes)
    written = imported("labelme", source, tmp_path / "root")["gold"]
    dataset = sv.DetectionDataset.from_labelme(str(source / "a"), str(source / "a"))
    boxes, expected = boxes_by_file(written)["1.png"], boxes_by_supervision(dataset)["1.png"]
    # supervision computes the box of a polygon from its pixels: compare the rectangle only.
    assert [box[0] for box in boxes] == [box[0] for box in expected]
    assert boxes[0] == expected[0]


def test_shapes_without_an_area_are_faults(tmp_path):
    shapes = [
        {"label": "rod", "points": [[1, 2], [3, 4]], "shape_type": "line"},
        {"label": "rod", "points": [[1, "x"]], "shape_type": "polygon"},
        {"points": []},
    ]
    found = faults_of("labelme", labelme(tmp_path / "source", shapes), tmp_path)
    assert [fault.split(": expected")[0] for fault in found] == [
        "a/1.json: shape 3",
        "a/1.json: shape 2",
    ]


POLYGON = {"label": "rod", "points": [[1, 2], [20, 2], [20, 9]], "shape_type": "polygon"}


def png(mask, mode="1"):
    """A mask as a PNG in base64."""
    stream = io.BytesIO()
    Image.fromarray(np.asarray(mask, np.uint8) * 255).convert(mode).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def mask_shape(mask, point, **more):
    other = [point[0] + 1, point[1] + 1]
    shape = {"label": "rod", "shape_type": "mask", "mask": png(mask), "points": [point, other]}
    return shape | more


def masks_in(root):
    """The boxes and areas of the masks of an imported root."""
    dataset, faults = parse_coco(root / "gold.json", Contract.MASK)
    assert not faults
    rows = dataset.annotations
    return list(zip(rows.boxes_xyxy.tolist(), rows.areas.tolist(), strict=True))


def read(source, **options):
    return IMPORTERS["labelme"](ImportRequest(source, "gold", **options))


@pytest.mark.parametrize(
    ("sides", "fault"),
    [
        ({"imageWidth": 80, "imageHeight": 60}, "80x60"),
        ({"imageWidth": "30", "imageHeight": 40.0}, "30x40"),
    ],
)
def test_a_size_that_is_not_that_of_the_file_is_a_fault(tmp_path, sides, fault):
    source = labelme(tmp_path, [POLYGON])
    content = {"imagePath": "1.png", "shapes": [POLYGON]}
    write_json(source / "a" / "1.json", content | sides)
    (found,) = read(source).faults
    expected = "a/1.json: image 'a/1.png': expected the size of its file, 40x30, found "
    assert str(found) == expected + fault
    write_json(source / "a" / "1.json", content | {"imageWidth": 0, "imageHeight": None})
    assert not read(source).faults


@pytest.mark.parametrize("kind", ["rectangle", "rotation", "quadrilateral", None, "polygon"])
def test_four_corners_are_an_outline(tmp_path, kind):
    corners = [[10, 5], [30, 5], [30, 20], [10, 20]]
    shape = {"label": " rod ", "points": corners, "shape_type": kind, "direction": 0.3}
    written = imported("labelme", labelme(tmp_path / "s", [shape]), tmp_path / "root")["gold"]
    (row,) = written["annotations"]
    assert row["bbox"] == [10, 5, 20, 15]
    assert row["segmentation"] == [[10, 5, 30, 5, 30, 20, 10, 20]]
    assert row["direction"] == 0.3
    assert written["categories"] == [{"id": 1, "name": "rod"}]


def test_a_mask_lies_at_its_first_point(tmp_path):
    mask = np.ones((6, 8), bool)
    mask[0, 0] = False
    imported("labelme", labelme(tmp_path / "s", [mask_shape(mask, [10.0, 5.0])]), tmp_path / "root")
    assert masks_in(tmp_path / "root") == [([10, 5, 18, 11], 47)]


def test_a_mask_is_cut_at_the_edges(tmp_path):
    shapes = [mask_shape(np.ones((6, 8)), point) for point in ([-3, -2], [35, 28])]
    imported("labelme", labelme(tmp_path / "s", shapes), tmp_path / "root")
    assert masks_in(tmp_path / "root") == [([0, 0, 5, 4], 20), ([35, 28, 40, 30], 10)]


def test_a_mask_and_a_polygon_of_a_group_are_one_object(tmp_path):
    square = [[20, 20], [30, 20], [30, 25], [20, 25]]
    shapes = [
        mask_shape(np.ones((6, 8)), [2, 3], group_id=1),
        {"label": "rod", "points": square, "group_id": 1},
    ]
    imported("labelme", labelme(tmp_path / "s", shapes), tmp_path / "root")
    assert masks_in(tmp_path / "root") == [([2, 3, 30, 25], 48 + 50)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"mask": png(np.ones((60, 80)))}, "80x60, larger than its image"),
        ({"mask": "!"}, "cannot identify image file"),
        ({"mask": None}, "no mask"),
        ({"points": []}, "no points"),
        ({"mask": base64.b64encode(b"GIF89a").decode()}, "cannot identify image file"),
    ],
)
def test_masks_that_cannot_be_used_are_faults(tmp_path, change, found):
    shape = mask_shape(np.ones((6, 8)), [2, 3]) | change
    (fault,) = read(labelme(tmp_path, [shape])).faults
    assert fault.expected == "a mask, a PNG in base64 at its first point"
    assert found in fault.found


@pytest.mark.parametrize("label", ["", "  ", None, 3])
def test_a_label_must_have_a_name(tmp_path, label):
    (fault,) = read(labelme(tmp_path, [POLYGON | {"label": label}])).faults
    assert fault.expected == "a shape with a `label`"


def test_points_and_lines_are_not_used(tmp_path):
    kinds = ("point", "line", "linestrip", "point")
    shapes = [POLYGON, *({"label": "x", "points": [[1, 1]], "shape_type": kind} for kind in kinds)]
    source = labelme(tmp_path, shapes)
    write_json(source / "settings.json", {"labels": []})
    write_image(source / "b" / "2.png", 2)
    found = read(source)
    assert not found.faults
    assert len(found.splits["gold"].content["annotations"]) == 1
    assert found.unused == {
        "shapes without an area (point)": ["a/1.json: shape 2", "a/1.json: shape 5"],
        "shapes without an area (line)": ["a/1.json: shape 3"],
        "shapes without an area (linestrip)": ["a/1.json: shape 4"],
        "JSON files without `shapes`": ["settings.json"],
        "images without a label file": ["b/2.png"],
    }


def test_fields_of_other_tools_are_kept(tmp_path):
    more = {"score": 0.0, "difficult": False, "attributes": {"wet": "yes"}, "kie_linking": []}
    source = labelme(tmp_path, [POLYGON | more | {"name": "x", "bbox": 3, "file": "y"}])
    content = {"imagePath": "1.png", "shapes": [POLYGON | more], "checked": True, "name": "x"}
    write_json(source / "a" / "1.json", content)
    written = read(source).splits["gold"].content
    assert written["images"][0]["checked"] is True
    (row,) = written["annotations"]
    assert (row["score"], row["difficult"], row["attributes"]) == (0.0, False, {"wet": "yes"})
    assert "kie_linking" not in row


@pytest.mark.parametrize(
    ("stated", "image"),
    [
        ("..\\images\\1.png", "images/1.png"),
        ("../images/1.png", "images/1.png"),
        ("IMG_0001.jpg", "labels/1.jpg"),
        ("1.png", "labels/1.png"),
    ],
)
def test_images_beside_or_in_another_folder(tmp_path, stated, image):
    write_image(tmp_path / "x.png", 1)
    (tmp_path / image).parent.mkdir(exist_ok=True)
    (tmp_path / "x.png").rename(tmp_path / image)
    write_json(tmp_path / "labels" / "1.json", {"imagePath": stated, "shapes": [POLYGON]})
    found = read(tmp_path)
    assert not found.faults
    assert list(found.splits["gold"].files) == [image]


def test_folders_tell_the_splits_which_share_their_classes(tmp_path):
    for folder, label in (("train", "rod"), ("val", "disc")):
        write_image(tmp_path / folder / "1.png", 1 if label == "rod" else 2)
        content = {"imagePath": "1.png", "shapes": [POLYGON | {"label": label}]}
        write_json(tmp_path / folder / "1.json", content)
    found = read(tmp_path)
    assert {split: list(row.files) for split, row in found.splits.items()} == {
        "gold": ["train/1.png"],
        "val": ["val/1.png"],
    }
    names = [[r["name"] for r in row.content["categories"]] for row in found.splits.values()]
    assert names == [["disc", "rod"], ["disc", "rod"]]


@pytest.mark.parametrize("points", [[[5, 6], [9, 8]], [[9, 6], [5, 8]], [[9, 8], [5, 6]]])
def test_swapped_corners_are_turned_round(tmp_path, points):
    shape = {"label": "disc", "points": points, "shape_type": "rectangle"}
    written = imported("labelme", labelme(tmp_path / "source", [shape]), tmp_path / "root")["gold"]
    assert written["annotations"][0]["bbox"] == [5, 6, 4, 2]
