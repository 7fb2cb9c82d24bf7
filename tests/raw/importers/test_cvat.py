"""CVAT for images 1.1: boxes, polygons, masks and tags of one XML file."""

import pytest

from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image
from tests.raw.importers.importing import faults_of, imported, rows_of

BOX = """<box label="cat" source="manual" occluded="1" z_order="0"
xtl="10" ytl="5" xbr="30" ybr="20.5">{}</box>"""
POLYGON = '<polygon label="dog" points="1.5,2;20,2;20,9" group_id="3"/>'


def cvat(folder, shapes, image='id="0" name="a/x.png" width="40" height="30"', more=""):
    write_image(folder / "images" / "a" / "x.png", 1)
    text = f"<annotations><version>1.1</version><image {image}>{shapes}</image>{more}</annotations>"
    (folder / "annotations.xml").write_text(text)
    return folder


def read(source, **options):
    return IMPORTERS["cvat"](ImportRequest(source, "gold", **options))


def test_boxes_and_polygons_with_their_fields(tmp_path):
    attribute = '<attribute name="age">3</attribute><attribute name="wet">yes</attribute>'
    source = cvat(tmp_path / "s", BOX.format(attribute) + POLYGON)
    written = imported("cvat", source, tmp_path / "root")["gold"]
    box, polygon = written["annotations"]
    assert written["images"][0]["file_name"] == "images/a/x.png"
    assert box["bbox"] == [10, 5, 20, 15.5]
    assert (box["occluded"], box["source"]) == (1, "manual")
    assert box["attributes"] == {"age": 3, "wet": "yes"}
    assert polygon["segmentation"] == [[1.5, 2, 20, 2, 20, 9]]
    assert (polygon["bbox"], polygon["group_id"]) == ([1.5, 2, 18.5, 7], 3)
    assert [row["name"] for row in written["categories"]] == ["cat", "dog"]


def test_a_box_is_turned_around_its_centre(tmp_path):
    box = '<box label="cat" xtl="10" ytl="10" xbr="30" ybr="20" rotation="90"/>'
    (row,) = rows_of(read(cvat(tmp_path, box)))
    assert row["bbox"] == pytest.approx([15, 5, 10, 20])
    assert row["rotation"] == 90


def test_masks_are_runs_row_by_row(tmp_path):
    # Rows of 4 pixels: 0111, 1110, 0000 at (5, 2); 6 pixels are set.
    mask = '<mask label="cat" rle="1, 6, 5" left="5" top="2" width="4" height="3"/>'
    imported("cvat", cvat(tmp_path / "s", mask), tmp_path / "root")
    dataset, faults = parse_coco(tmp_path / "root" / "gold.json", Contract.MASK)
    assert not faults
    assert dataset.annotations.boxes_xyxy.tolist() == [[5, 2, 9, 4]]
    assert dataset.annotations.areas.tolist() == [6]


def test_ellipses(tmp_path):
    (row,) = rows_of(read(cvat(tmp_path, '<ellipse label="cat" cx="20" cy="15" rx="8" ry="4"/>')))
    assert row["bbox"] == pytest.approx([12, 11, 16, 8])


@pytest.mark.parametrize("beside", [True, False])
def test_tags_are_classes_if_there_are_no_objects(tmp_path, beside):
    shapes = '<tag label="ripe"/>' + (POLYGON if beside else "")
    written = read(cvat(tmp_path, shapes)).splits["gold"].content
    names = [row["name"] for row in written["categories"]]
    assert names == (["dog"] if beside else ["ripe"])
    assert len(written["annotations"]) == 1
    assert written["images"][0].get("tags") == (["ripe"] if beside else None)


def test_subsets_are_splits(tmp_path):
    image = 'name="x.png" width="40" height="30" subset="Validation"'
    found = read(cvat(tmp_path, POLYGON, image))
    assert list(found.splits) == ["val"]
    found = read(cvat(tmp_path, POLYGON, image.replace("Validation", "default")))
    assert list(found.splits) == ["gold"]


def test_shapes_without_an_area_are_not_used(tmp_path):
    lines = '<polyline label="cat" points="1,2;3,4"/><points label="cat" points="1,2"/>'
    write_image(tmp_path / "images" / "more.png", 3)
    found = read(cvat(tmp_path, POLYGON + lines))
    assert len(rows_of(found)) == 1
    assert found.unused == {
        "shapes without an area (polyline)": ["annotations.xml: image 'a/x.png', shape 2"],
        "shapes without an area (points)": ["annotations.xml: image 'a/x.png', shape 3"],
        "images without a label file": ["images/more.png"],
    }


@pytest.mark.parametrize(
    ("shape", "expected", "found"),
    [
        ('<box label="cat" xtl="1" ytl="2" xbr="nan" ybr="4"/>', "a box of numbers", "'nan'"),
        ('<box label="cat" xtl="1"/>', "a box of numbers", "could not convert"),
        ('<box label=" " xtl="1" ytl="2" xbr="3" ybr="4"/>', "a `label`", "none"),
        ('<polygon label="cat" points="1,2;3,4"/>', "a polygon of numbers", "4 numbers"),
        (
            '<mask label="cat" rle="1,2" left="0" top="0" width="4" height="3"/>',
            "a mask of numbers",
            "runs of 3 pixels for 4x3",
        ),
        (
            '<mask label="cat" rle="10000" left="0" top="0" width="100" height="100"/>',
            "a mask of numbers",
            "a mask of 100x100 in an image of 40x30",
        ),
        (
            '<mask label="cat" rle="-5,17" left="0" top="0" width="4" height="3"/>',
            "a mask of numbers",
            "runs of 12 pixels for 4x3",
        ),
    ],
)
def test_faults_of_shapes(tmp_path, shape, expected, found):
    (fault,) = read(cvat(tmp_path, shape + POLYGON)).faults
    assert fault.expected == expected
    assert found in fault.found
    assert fault.record == "image 'a/x.png', shape 1"


def test_tracks_sizes_and_other_files_are_faults(tmp_path):
    source = cvat(
        tmp_path / "s", POLYGON, 'name="x.png" width="80" height="60"', "<track/><track/>"
    )
    (source / "other.xml").write_text("<annotation/>")
    wrong = faults_of("cvat", source, tmp_path)
    assert [fault.partition(": expected ")[2] for fault in wrong] == [
        "images (export as CVAT for images 1.1), found 2 tracks of a video",
        "<annotations> of CVAT, found <annotation>",
        "the size of its file, 40x30, found 80x60",
    ]


def test_entities_are_refused(tmp_path):
    cvat(tmp_path, "")
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb">]><annotations>&b;</annotations>'
    (tmp_path / "annotations.xml").write_text(bomb)
    (fault,) = read(tmp_path).faults
    assert fault.found == "entities, which are not allowed"
