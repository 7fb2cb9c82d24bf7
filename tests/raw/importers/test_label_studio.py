"""Label Studio: shapes in percent become pixels; predictions are not imported."""

import pytest

from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image, write_json
from tests.raw.importers.importing import imported, rows_of

BOX = {"x": 25, "y": 10, "width": 50, "height": 20, "rotation": 0, "rectanglelabels": [" cat "]}
SIZE = {"original_width": 40, "original_height": 30, "image_rotation": 0}


def result(value, kind="rectanglelabels", **more):
    names = {"id": "a1", "from_name": "label", "to_name": "image", "type": kind}
    return names | SIZE | {"value": value} | more


def task(results, image="/data/upload/4/0123abcd-x.png", **more):
    return {"id": 7, "data": {"image": image}, "annotations": [{"result": results}]} | more


def export(folder, *tasks, file="images/0123abcd-x.png"):
    write_image(folder / file, 1)
    write_json(folder / "project.json", list(tasks))
    return folder / "project.json"


def read(source, **options):
    return IMPORTERS["label-studio"](ImportRequest(source, "val", **options))


def test_boxes_and_polygons_are_in_pixels(tmp_path):
    triangle = {"points": [[0, 0], [50, 0], [50, 100]], "polygonlabels": ["dog"], "closed": True}
    results = [result(BOX, score=0.25, meta={"text": ["edge"]}), result(triangle, "polygonlabels")]
    source = export(tmp_path / "s", task(results))
    written = imported("label-studio", source, tmp_path / "root", split="val")["val"]
    box, polygon = written["annotations"]
    assert box["bbox"] == [10, 3, 20, 6]
    assert (box["score"], box["meta"]) == (0.25, {"text": ["edge"]})
    assert polygon["segmentation"] == [[0, 0, 20, 0, 20, 30]]
    assert polygon["bbox"] == [0, 0, 20, 30]
    assert [row["name"] for row in written["categories"]] == ["cat", "dog"]
    assert [row["category_id"] for row in written["annotations"]] == [1, 2]


def test_a_box_is_turned_around_its_first_corner(tmp_path):
    source = export(tmp_path, task([result(BOX | {"rotation": 90})]))
    (row,) = rows_of(read(source))
    # The upper left corner (10, 3) stays; 20 pixels to the right become 20 pixels down.
    assert row["segmentation"] == [[10, 3, 10, 23, 4, 23, 4, 3]]
    assert row["bbox"] == [4, 3, 6, 20]


def test_ellipses(tmp_path):
    value = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 10, "ellipselabels": ["cat"]}
    (row,) = rows_of(read(export(tmp_path, task([result(value, "ellipselabels")]))))
    assert row["bbox"] == pytest.approx([10, 12, 20, 6])


@pytest.mark.parametrize(
    ("image", "file"),
    [
        ("/data/upload/4/0123abcd-x.png", "images/0123abcd-x.png"),
        ("/data/upload/4/0123abcd-x.png", "x.png"),
        ("/data/local-files/?d=set/sub/my%20x.png", "sub/my x.png"),
        ("https://photos.example/a/x.png?token=1", "a/x.png"),
        ("s3://bucket/a/x.png", "x.png"),
    ],
)
def test_images_are_found_by_their_addresses(tmp_path, image, file):
    source = export(tmp_path, task([result(BOX)], image), file=file)
    (name,) = read(source).splits["val"].files
    assert name == file


def test_choices_are_classes_of_images(tmp_path):
    choice = result({"choices": ["ripe"]}, "choices")
    written = read(export(tmp_path, task([choice]))).splits["val"].content
    (row,) = written["annotations"]
    assert (row["image_id"], row["category_id"], "bbox" in row) == (1, 1, False)
    assert written["categories"] == [{"id": 1, "name": "ripe"}]
    assert "choices" not in written["images"][0]


def test_choices_beside_boxes_are_a_field_of_the_image(tmp_path):
    choice = result({"choices": ["ripe"]}, "choices")
    written = read(export(tmp_path, task([choice, result(BOX)]))).splits["val"].content
    assert written["images"][0]["choices"] == ["ripe"]
    assert [row["name"] for row in written["categories"]] == ["cat"]


def test_predictions_and_other_results_are_not_used(tmp_path):
    brush = result({"format": "rle", "rle": [1], "brushlabels": ["cat"]}, "brushlabels")
    first = task([result(BOX), brush], predictions=[{"result": [result(BOX)]}])
    empty = task([], annotations=[], id=8)
    skipped = task([], annotations=[{"result": [], "was_cancelled": True}], id=9)
    found = read(export(tmp_path, first, empty, skipped))
    assert len(rows_of(found)) == 1
    assert found.unused == {
        "tasks with predictions": ["project.json: task 7"],
        "results of type brushlabels": ["project.json: task 7, result 2"],
        "tasks without annotations": ["project.json: task 8", "project.json: task 9"],
    }


def test_a_task_without_objects_is_a_negative(tmp_path):
    found = read(export(tmp_path, task([])))
    assert rows_of(found) == []
    assert len(found.splits["val"].files) == 1


@pytest.mark.parametrize(
    ("marks", "width"),
    [
        (({"ground_truth": True}, {"updated_at": "2024-05-01"}), 20),
        (({"updated_at": "2024-05-01"}, {"updated_at": "2024-06-01"}), 4),
        (({"updated_at": "2024-07-01"}, {"updated_at": "2024-06-01"}), 20),
        (({"was_cancelled": True}, {}), 4),
    ],
)
def test_of_several_annotations_one_is_used(tmp_path, marks, width):
    values = (BOX, BOX | {"width": 10})
    annotations = [
        {"result": [result(value)]} | mark for value, mark in zip(values, marks, strict=True)
    ]
    found = read(export(tmp_path, task([], annotations=annotations)))
    assert [row["bbox"][2] for row in rows_of(found)] == [width]
    said = "tasks of which one of several annotations is used" in found.unused
    assert said == ("was_cancelled" not in marks[0])


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (result(BOX | {"rectanglelabels": ["cat", "dog"]}), "one class"),
        (result(BOX | {"rectanglelabels": []}), "`rectanglelabels`, a list of classes"),
        (result(BOX | {"x": "left"}), "rectanglelabels in percent of the image"),
        (result(BOX, image_rotation=90), "an image that was not turned in Label Studio"),
        (
            result({"points": [[1, 1]], "polygonlabels": ["cat"]}, "polygonlabels"),
            "polygonlabels in",
        ),
        (result(BOX, original_width=80, original_height=60), "the size of its file, 40x30"),
    ],
)
def test_faults_are_collected(tmp_path, bad, expected):
    found = read(export(tmp_path, task([bad]), task([], "/data/upload/gone.png"), {"image": "x"}))
    assert [
        fault.expected.startswith(text)
        for fault, text in zip(
            found.faults,
            (expected, "an image file", "a task with `data` and `annotations`"),
            strict=True,
        )
    ] == [True, True, True]


def test_a_list_is_expected(tmp_path):
    write_json(tmp_path / "project.json", {"image": "x"})
    (fault,) = read(tmp_path).faults
    assert fault.expected == "the export JSON of Label Studio"
