"""Each format into the raw layout; where supervision reads it too, both must see the same."""

import json
from pathlib import Path

import cv2
import numpy as np
import orjson
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.errors import DataError
from pseudolabel.formats.coco import FILE, parse_coco, read_coco
from pseudolabel.formats.shapes import Contract
from pseudolabel.imports import READERS
from pseudolabel.imports.layout import write_layout
from pseudolabel.imports.source import Request
from pseudolabel.prepare import prepare, read_and_split
from pseudolabel.tasks import TASKS
from tests.builders import pseudolabel, splitting, write_image, write_json


def imported(form, source, root, split="gold", **options):
    found = READERS[form](Request(source, split, **options))
    write_layout(found, root)
    return {it: json.loads((root / f"{it}.json").read_bytes()) for it in found.splits}


def faults_of(form, source, tmp_path, **options):
    with pytest.raises(DataError) as caught:
        imported(form, source, tmp_path / "root", **options)
    assert not (tmp_path / "root").exists()
    return [str(fault) for fault in caught.value.faults]


def boxes_by_file(content):
    names = {row["id"]: Path(row["file_name"]).name for row in content["images"]}
    kinds = {row["id"]: row["name"] for row in content["categories"]}
    found = {name: [] for name in names.values()}
    for row in content["annotations"]:
        x, y, width, height = row["bbox"]
        corners = [round(it, 1) for it in (x, y, x + width, y + height)]
        found[names[row["image_id"]]].append((kinds[row["category_id"]], *corners))
    return {name: sorted(rows) for name, rows in found.items()}


def boxes_by_supervision(dataset):
    return {
        Path(path).name: sorted(
            (dataset.classes[kind], *(round(float(it), 1) for it in box))
            for box, kind in zip(found.xyxy, found.class_id, strict=True)
        )
        for path, _, found in dataset
    }


# COCO


@st.composite
def coco_files(draw):
    """COCO files with scores, crowds, and fields nobody foresaw."""
    values = st.one_of(st.integers(-5, 5), st.text(max_size=5), st.lists(st.booleans(), max_size=2))
    extra = st.dictionaries(st.sampled_from(["attributes", "occluded", "seen_by"]), values)
    rows = []
    for number in range(draw(st.integers(0, 6))):
        x, y = draw(st.integers(0, 20)), draw(st.integers(0, 15))
        row = {"id": 10 + number, "image_id": draw(st.sampled_from([3, 7])), "category_id": 5}
        row["bbox"] = [x, y, draw(st.integers(1, 20)), draw(st.integers(1, 15))]
        if draw(st.booleans()):
            row |= {"score": draw(st.floats(0, 1)), "iscrowd": draw(st.integers(0, 1))}
        rows.append(row | draw(extra))
    images = [
        {"id": number, "file_name": f"{number}.png", "width": 40, "height": 30} | draw(extra)
        for number in (3, 7)
    ]
    return {
        "info": draw(extra),
        "images": images,
        "categories": [{"id": 5, "name": "disc", "supercategory": "shape"}],
        "annotations": rows,
    }


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number in (3, 7):
        write_image(folder / f"{number}.png", number)
    return folder


@settings(deadline=None, max_examples=40)
@given(content=coco_files())
def test_coco_to_layout_to_coco_keeps_every_annotation(content, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    write_json(folder / "labels.json", content)
    written = imported("coco", folder / "labels.json", folder / "root", images=pictures)["gold"]
    assert written == content
    again = imported("coco", folder / "root" / "gold.json", folder / "again")["gold"]
    assert again == content


def test_annotations_of_the_layout_survive_preparing(tmp_path, pictures):
    rows = [
        {"id": 4, "image_id": 3, "category_id": 5, "bbox": [1, 2, 30, 20], "iscrowd": 1},
        {"id": 9, "image_id": 7, "category_id": 5, "bbox": [0, 0, 40, 30], "iscrowd": 0},
    ]
    sides = {"width": 40, "height": 30}
    content = {
        "images": [{"id": it, "file_name": f"{it}.png"} | sides for it in (3, 7)],
        "categories": [{"id": 5, "name": "disc"}],
        "annotations": rows,
    }
    write_json(tmp_path / "labels.json", content)
    imported("coco", tmp_path / "labels.json", tmp_path / "root", images=pictures)
    write_image(tmp_path / "root" / "images" / "pool.png", 50)
    prepare(tmp_path / "root", tmp_path / "out", TASKS["detection"], splitting(0.5), 0)
    kept = {}
    for split in ("gold", "val"):
        dataset = read_coco(tmp_path / "out" / split / FILE)
        names = dict(zip(dataset.images.ids, dataset.images.file_names, strict=True))
        for number in range(len(dataset.annotations)):
            row = dataset.annotations[np.array([number])]
            box = row.boxes_xyxy[0].tolist()
            kept[int(row.ids[0])] = (names[row.image_ids[0]], box, bool(row.crowds[0]))
    assert kept == {4: ("3.png", [1, 2, 31, 22], True), 9: ("7.png", [0, 0, 40, 30], False)}


def livestock(root):
    """Per-image files in an object of their own, all with category id 1, in a folder a class."""
    for number, kind in enumerate(("cow", "pig", "pig")):
        name = f"{kind}_{number}.png"
        write_image(root / "images" / kind / name, number)
        content = {
            "image": {"file_name": name, "width": 40, "height": 30},
            "annotations": [
                {"id": 1, "category_id": 1, "bbox": [1, 2, 10, 12], "weight_kg": 80 + number}
            ],
        }
        write_json(root / "labels" / kind / f"{number}.json", {"label_info": content})
    return root


def test_classes_of_per_image_files_come_from_their_folders(tmp_path):
    source = livestock(tmp_path / "source")
    written = imported(
        "coco",
        source / "labels",
        tmp_path / "root",
        images=source / "images",
        class_from_folder=True,
    )["gold"]
    names = {row["id"]: row["name"] for row in written["categories"]}
    kinds = {
        row["image_id"]: (names[row["category_id"]], row["weight_kg"])
        for row in written["annotations"]
    }
    files = {row["id"]: row["file_name"] for row in written["images"]}
    assert {files[it]: kind for it, kind in kinds.items()} == {
        "cow_0.png": ("cow", 80),
        "pig_1.png": ("pig", 81),
        "pig_2.png": ("pig", 82),
    }
    assert len({row["id"] for row in written["annotations"]}) == 3


def test_without_the_option_the_wrong_ids_are_faults(tmp_path):
    source = livestock(tmp_path / "source")
    found = faults_of("coco", source / "labels", tmp_path, images=source / "images")
    assert found[0] == "cow/0.json: annotation 1: expected a known category, found 1"
    assert len(found) == 3


def test_coco_images_must_lie_inside_their_folder(tmp_path, pictures):
    outside = {"id": 1, "file_name": "../secret.png", "width": 40, "height": 30}
    write_image(pictures.parent / "secret.png", 1)
    content = {"images": [outside], "categories": [], "annotations": []}
    write_json(tmp_path / "labels.json", content)
    assert faults_of("coco", tmp_path / "labels.json", tmp_path, images=pictures) == [
        "labels.json: image '../secret.png': expected a path inside images/, found '../secret.png'"
    ]


# YOLO


def yolo(root, lines=("0 0.5 0.5 0.25 0.2", "1 0.1 0.2 0.1 0.1")):
    for split, count in (("train", 2), ("valid", 1)):
        for number in range(count):
            write_image(root / split / "images" / f"{split}{number}.png", number)
            label = root / split / "labels" / f"{split}{number}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("\n".join(lines) + "\n")
    (root / "data.yaml").write_text(
        "names: [disc, rod]\ntrain: ../train/images\nval: ../valid/images\n"
    )
    return root


def test_yolo_gives_what_supervision_reads(tmp_path):
    source = yolo(tmp_path / "source")
    written = imported("yolo", source, tmp_path / "root")
    assert set(written) == {"gold", "val"}
    theirs = sv.DetectionDataset.from_yolo(
        str(source / "train/images"), str(source / "train/labels"), str(source / "data.yaml")
    )
    assert boxes_by_file(written["gold"]) == boxes_by_supervision(theirs)


def test_yolo_scores_and_polygons_survive(tmp_path):
    lines = ["0 0.5 0.5 0.25 0.2 0.83", "1 0.1 0.1 0.5 0.1 0.5 0.5", "1 0 0 .5 0 .5 .5 0 .5 .25"]
    source = yolo(tmp_path / "source", lines)
    box, polygon, scored = imported("yolo", source, tmp_path / "root")["val"]["annotations"]
    assert (box["score"], box["bbox"]) == (0.83, [15.0, 12.0, 10.0, 6.0])
    assert polygon["segmentation"] == [[4.0, 3.0, 20.0, 3.0, 20.0, 15.0]]
    assert "score" not in polygon
    assert (scored["score"], len(scored["segmentation"][0])) == (0.25, 8)


def test_yolo_faults_are_told_all_at_once(tmp_path):
    lines = ["0 0.5 0.5 0.25", "7 0.5 0.5 0.2 0.2", "0 a b c d", "0 nan 0 1"]
    source = yolo(tmp_path / "source", lines)
    found = faults_of("yolo", source, tmp_path)
    assert found[:4] == [
        (
            "train/labels/train0.txt: line 1: expected a class and 4 numbers or more, "
            "found 0 0.5 0.5 0.25"
        ),
        "train/labels/train0.txt: line 2: expected a class from 0 to 1, found 7",
        "train/labels/train0.txt: line 3: expected a class and 4 numbers or more, found 0 a b c d",
        "train/labels/train0.txt: line 4: expected a class and 4 numbers or more, found 0 nan 0 1",
    ]
    assert len(found) == 12


@pytest.mark.parametrize("entry", ["/etc", "../../elsewhere", "[a, b]", "missing"])
def test_yolo_folders_outside_the_source_are_refused(tmp_path, entry):
    source = yolo(tmp_path / "source")
    (tmp_path.parent / "elsewhere").mkdir(exist_ok=True)
    (source / "data.yaml").write_text(f"names: [disc, rod]\ntrain: {entry}\n")
    (found,) = faults_of("yolo", source, tmp_path)
    assert found.startswith("data.yaml: train: expected a folder of images below")


def test_yaml_runs_no_code(tmp_path):
    source = yolo(tmp_path / "source")
    (source / "data.yaml").write_text("names: !!python/object/apply:os.system ['touch ran']\n")
    (found, *_) = faults_of("yolo", source, tmp_path)
    assert found.startswith("data.yaml: expected a YAML file")
    assert not Path("ran").exists()


# Pascal VOC

OBJECT = """<object><name>{name}</name><difficult>1</difficult><pose>Left</pose>
<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"""


def voc(root, objects=(("rod", 3, 4, 20, 15), ("disc", 1, 1, 40, 30))):
    (root / "Annotations").mkdir(parents=True)
    for number in range(3):
        write_image(root / "JPEGImages" / f"{number}.png", number)
        keys = ("name", "x1", "y1", "x2", "y2")
        inner = "".join(OBJECT.format(**dict(zip(keys, it, strict=True))) for it in objects)
        text = f"<annotation><filename>{number}.png</filename>{inner}</annotation>"
        (root / "Annotations" / f"{number}.xml").write_text(text)
    return root


def test_voc_gives_what_supervision_reads(tmp_path):
    source = voc(tmp_path / "source")
    written = imported("voc", source, tmp_path / "root")["gold"]
    theirs = sv.DetectionDataset.from_pascal_voc(
        str(source / "JPEGImages"), str(source / "Annotations")
    )
    assert boxes_by_file(written) == boxes_by_supervision(theirs)
    assert {(row["difficult"], row["pose"]) for row in written["annotations"]} == {(1, "Left")}


def test_voc_splits_are_those_of_its_image_sets(tmp_path):
    source = voc(tmp_path / "source")
    sets = source / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("0\n2\n")
    (sets / "val.txt").write_text("1\n")
    written = imported("voc", source, tmp_path / "root")
    names = {split: [it["file_name"] for it in found["images"]] for split, found in written.items()}
    assert names == {"gold": ["0.png", "2.png"], "val": ["1.png"]}


def test_voc_entities_are_refused(tmp_path):
    source = voc(tmp_path / "source")
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb">]><annotation><filename>&b;</filename></annotation>'
    (source / "Annotations" / "1.xml").write_text(bomb)
    assert faults_of("voc", source, tmp_path) == [
        "1.xml: expected an XML file, found entities, which may do harm"
    ]


# labelme


def labelme(root, shapes):
    write_image(root / "a" / "1.png", 1)
    content = {"imagePath": "C:\\photos\\1.png", "flags": {"blurred": True}, "shapes": shapes}
    write_json(root / "a" / "1.json", content | {"imageHeight": 30, "imageWidth": 40})
    return root


def test_labelme_shapes_groups_and_flags(tmp_path):
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


def test_labelme_gives_what_supervision_reads(tmp_path):
    shapes = [
        {"label": "rod", "points": [[1, 2], [20, 2], [20, 9]], "shape_type": "polygon"},
        {"label": "disc", "points": [[5, 5], [9, 8]], "shape_type": "rectangle"},
    ]
    source = labelme(tmp_path / "source", shapes)
    written = imported("labelme", source, tmp_path / "root")["gold"]
    theirs = sv.DetectionDataset.from_labelme(str(source / "a"), str(source / "a"))
    ours = boxes_by_file(written)["1.png"]
    # supervision takes boxes of polygons from their pixels.
    assert [row[0] for row in ours] == [row[0] for row in boxes_by_supervision(theirs)["1.png"]]
    assert ours[0] == boxes_by_supervision(theirs)["1.png"][0]


def test_labelme_shapes_that_are_no_area_are_faults(tmp_path):
    shapes = [
        {"label": "rod", "points": [[1, 2], [3, 4]], "shape_type": "line"},
        {"label": "rod", "points": [[1, "x"]], "shape_type": "polygon"},
        {"points": []},
    ]
    found = faults_of("labelme", labelme(tmp_path / "source", shapes), tmp_path)
    assert [it.split(": expected")[0] for it in found] == [
        "a/1.json: shape 3",
        "a/1.json: shape 1",
        "a/1.json: shape 2",
    ]


# Masks, folders, CSV


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
    prepared = read_and_split(tmp_path / "root", TASKS["semantic"], splitting(0.5), 0)
    assert sum(len(prepared.splits[it].annotations) for it in ("gold", "val")) == 2


def test_masks_need_classes(tmp_path):
    assert faults_of("masks", tmp_path / "source", tmp_path) == [
        (
            f"{tmp_path / 'source'}: expected `--classes`, the names of the pixels' values 0, 1, "
            "..., found none"
        )
    ]


def test_folders_of_classes_with_splits(tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("train/cat", "train/dog", "val/dog")):
        write_image(source / name / f"{number}.png", number)
    written = imported("folders", source, tmp_path / "root")
    for split, expected in (("gold", ["cat", "dog"]), ("val", ["dog"])):
        names = {row["id"]: row["name"] for row in written[split]["categories"]}
        assert list(names.values()) == ["cat", "dog"]
        assert [names[row["category_id"]] for row in written[split]["annotations"]] == expected


def test_csv_of_classes_and_of_boxes(tmp_path):
    for number in range(2):
        write_image(tmp_path / "images" / f"{number}.png", number)
    path = tmp_path / "labels.csv"
    path.write_text("file,label\n0.png,rod\n1.png,disc\n")
    written = imported("csv", path, tmp_path / "one")["gold"]
    assert [row["category_id"] for row in written["annotations"]] == [2, 1]
    path.write_text(
        "file,label,x1,y1,x2,y2,score,seen_by\n0.png,rod,1,2,11,22,0.5,ann\n1.png,,,,,,,\n"
    )
    written = imported("csv", path, tmp_path / "two")["gold"]
    (row,) = written["annotations"]
    assert (row["bbox"], row["score"], row["seen_by"]) == ([1, 2, 10, 20], 0.5, "ann")
    assert len(written["images"]) == 2


def test_faults_of_a_csv(tmp_path):
    write_image(tmp_path / "images" / "0.png", 0)
    path = tmp_path / "labels.csv"
    path.write_text("file,label,x,y,width,height\n0.png,rod,1,a,2,3\n9.png,rod,1,1,2,3\n")
    assert faults_of("csv", path, tmp_path) == [
        "labels.csv: line 2: expected numbers in x, y, width, height, found [1, 'a', 2, 3]",
        "labels.csv: image '9.png': expected an image file, found no file",
    ]


# The layout


def test_another_split_joins_a_root_and_the_same_one_does_not(tmp_path, pictures):
    content = {
        "images": [{"id": 1, "file_name": "3.png", "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "disc"}],
        "annotations": [],
    }
    write_json(tmp_path / "labels.json", content)
    root = tmp_path / "root"
    imported("coco", tmp_path / "labels.json", root, images=pictures)
    imported("coco", tmp_path / "labels.json", root, split="test", images=pictures)
    before = (root / "gold.json").read_bytes()
    with pytest.raises(DataError, match="expected a root without this split, found one that has"):
        imported("coco", tmp_path / "labels.json", root, images=pictures)
    assert (root / "gold.json").read_bytes() == before


def test_an_image_of_another_content_is_not_written_over(tmp_path, pictures):
    content = {
        "images": [{"id": 1, "file_name": "3.png", "width": 40, "height": 30}],
        "categories": [],
        "annotations": [],
    }
    write_json(tmp_path / "labels.json", content)
    write_image(tmp_path / "root" / "images" / "3.png", 99)
    before = (tmp_path / "root" / "images" / "3.png").read_bytes()
    with pytest.raises(DataError, match="expected no file, or a copy"):
        imported("coco", tmp_path / "labels.json", tmp_path / "root", images=pictures)
    assert (tmp_path / "root" / "images" / "3.png").read_bytes() == before


@pytest.mark.parametrize("form", sorted(READERS))
def test_an_empty_source_is_a_fault_and_no_crash(form, tmp_path):
    (tmp_path / "source").mkdir()
    assert faults_of(form, tmp_path / "source", tmp_path)


def test_written_files_are_coco(tmp_path):
    written = voc(tmp_path / "source")
    imported("voc", written, tmp_path / "root")
    dataset, faults = parse_coco(tmp_path / "root" / "gold.json", Contract.BOX)
    assert not faults
    assert len(dataset.annotations) == 6
    assert orjson.loads((tmp_path / "root" / "gold.json").read_bytes())["categories"][0]["id"] == 1


# The command


def test_the_command_imports_split_by_split_with_the_classes_of_gold(tmp_path):
    for split, classes in (("one", "ab"), ("two", "b")):
        rows = ["file,label"]
        for number, kind in enumerate(classes):
            name = f"{split}{number}.png"
            write_image(tmp_path / split / name, number + len(classes))
            rows.append(f"{name},{kind}")
        (tmp_path / split / "labels.csv").write_text("\n".join(rows) + "\n")
    root = tmp_path / "root"
    status, said, _ = pseudolabel("import", "--from", "csv", tmp_path / "one" / "labels.csv", root)
    assert status == 0
    assert said.splitlines() == [
        f"gold: 2 images, 2 labels in {root}",
        f"next: python -m pseudolabel check {root}",
    ]
    second = ("import", "--from", "csv", tmp_path / "two" / "labels.csv", root, "--split", "val")
    assert pseudolabel(*second)[0] == 0
    gold, val = (json.loads((root / f"{it}.json").read_bytes()) for it in ("gold", "val"))
    assert gold["categories"] == val["categories"]
    assert [row["category_id"] for row in val["annotations"]] == [2]


def test_the_command_tells_faults_and_writes_nothing(tmp_path):
    status, _, messages = pseudolabel("import", "--from", "yolo", tmp_path, tmp_path / "root")
    assert status == 1
    assert "error: " in messages
    assert "data.yaml: expected a YAML file" in messages
    assert not (tmp_path / "root").exists()
