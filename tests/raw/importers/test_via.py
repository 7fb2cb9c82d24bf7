"""VGG Image Annotator: rectangles, polygons, circles and ellipses of projects and exports."""

import pytest

from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image, write_json
from tests.raw.importers.importing import imported, rows_of

RECT = {"name": "rect", "x": 10, "y": 5, "width": 20, "height": 15}


def region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes or {"class": "cat"}}


def via(folder, regions, project=True, **more):
    write_image(folder / "x.png", 1)
    entry = {"filename": "x.png", "size": 999, "regions": regions, "file_attributes": {}} | more
    content = {"x.png999": entry}
    if project:
        content = {"_via_settings": {}, "_via_img_metadata": content, "_via_attributes": {}}
    write_json(folder / "via.json", content)
    return folder


def read(source, **options):
    return IMPORTERS["via"](ImportRequest(source, "gold", **options))


@pytest.mark.parametrize("project", [True, False])
@pytest.mark.parametrize("numbered", [True, False])
def test_projects_and_exports(tmp_path, project, numbered):
    polygon = {"name": "polygon", "all_points_x": [1, 20, 20], "all_points_y": [2, 2, 9]}
    regions = [region(RECT), region(polygon, kind=" dog ")]
    regions = {str(n): row for n, row in enumerate(regions)} if numbered else regions
    source = via(tmp_path / "s", regions, project, file_attributes={"place": "yard"})
    written = imported("via", source / "via.json", tmp_path / "root")["gold"]
    box, outline = written["annotations"]
    assert box["bbox"] == [10, 5, 20, 15]
    assert outline["segmentation"] == [[1, 2, 20, 2, 20, 9]]
    assert [row["name"] for row in written["categories"]] == ["cat", "dog"]
    assert written["images"][0]["file_attributes"] == {"place": "yard"}


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ({"name": "circle", "cx": 20, "cy": 15, "r": 5}, [15, 10, 10, 10]),
        ({"name": "ellipse", "cx": 20, "cy": 15, "rx": 8, "ry": 4}, [12, 11, 16, 8]),
        (
            {"name": "ellipse", "cx": 20, "cy": 15, "rx": 8, "ry": 4, "theta": 1.570796},
            [16, 7, 8, 16],
        ),
    ],
)
def test_round_shapes_become_polygons(tmp_path, shape, box):
    (row,) = rows_of(read(via(tmp_path, [region(shape)])))
    assert row["bbox"] == pytest.approx(box, abs=0.001)
    assert len(row["segmentation"][0]) == 64


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({"animal": "cat"}, "cat"),
        ({"Class": "cat", "quality": "good"}, "cat"),
        ({"kinds": {"cat": True, "dog": False}}, "cat"),
    ],
)
def test_the_class_is_an_attribute(tmp_path, attributes, label):
    found = read(via(tmp_path, [region(RECT, **attributes)]))
    assert len(rows_of(found)) == 1
    assert found.splits["gold"].content["categories"][0]["name"] == label
    kept = rows_of(found)[0].get("attributes")
    assert kept == (attributes if len(attributes) > 1 else None)


def test_regions_without_attributes_are_of_the_only_class(tmp_path):
    bare = {"shape_attributes": RECT, "region_attributes": {}}
    assert len(rows_of(read(via(tmp_path, [bare]), classes=("balloon",)))) == 1
    assert read(tmp_path).faults[0].record == "image 'x.png', region 1"


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (region(RECT, a="x", b="y"), "one attribute with the class"),
        (region(RECT, kinds={"cat": True, "dog": True}), "one attribute with the class"),
        (region(RECT, kind=""), "one attribute with the class"),
        (region(RECT | {"x": "left"}), "a rect of numbers"),
        (region({"name": "polygon", "all_points_x": [1, 2, 3]}), "a polygon of numbers"),
        ({"region_attributes": {}}, "`shape_attributes`"),
    ],
)
def test_faults_of_regions(tmp_path, bad, expected):
    (fault,) = read(via(tmp_path, [bad, region(RECT)])).faults
    assert fault.expected.startswith(expected)


def test_what_is_not_used(tmp_path):
    shapes = [{"name": "point", "cx": 1, "cy": 2}, {"name": "polyline", "all_points_x": [1, 2]}]
    source = via(tmp_path, [region(RECT), *map(region, shapes)])
    write_image(tmp_path / "more.png", 2)
    write_json(tmp_path / "settings.json", {"colour": "red"})
    found = read(source)
    assert len(rows_of(found)) == 1
    assert found.unused == {
        "shapes without an area (point)": ["via.json: image 'x.png', region 2"],
        "shapes without an area (polyline)": ["via.json: image 'x.png', region 3"],
        "images without a label file": ["more.png"],
        "JSON files that are not of VIA 2": ["settings.json"],
    }


def test_an_export_is_expected(tmp_path):
    write_json(tmp_path / "settings.json", {"colour": "red"})
    (fault,) = read(tmp_path).faults
    assert fault.expected == "a project or export of VIA 2"


def test_folders_tell_the_splits(tmp_path):
    via(tmp_path / "train", [region(RECT)])
    via(tmp_path / "val", [region(RECT, kind="dog")])
    found = read(tmp_path)
    assert not found.faults
    assert {split: list(row.files) for split, row in found.splits.items()} == {
        "gold": ["train/x.png"],
        "val": ["val/x.png"],
    }
