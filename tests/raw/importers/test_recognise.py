import json

import pytest

from pseudolabel.raw.importers.recognise import recognise
from tests.builders import write_image

COCO = {"images": [], "categories": [], "annotations": []}
BOX = "0 0.5 0.5 0.4 0.4\n"
XML = "<annotation><filename>0.png</filename></annotation>"
YAML = "names: [cat]\ntrain: images\n"
SHAPES = {"shapes": [], "imagePath": "0.png"}
REGIONS = {"0.png5": {"filename": "0.png", "regions": [], "size": 5}}

SOURCES = {
    "coco": [
        {"labels.json": COCO, "images/0.png": None},
        {"train/_annotations.coco.json": COCO, "train/0.png": None},
        {"labels/0.json": {"image": {}, "annotations": []}, "images/0.png": None},
        {"labels.json": {"coco": COCO}},
    ],
    "yolo": [
        {"data.yaml": YAML, "images/0.png": None, "labels/0.txt": BOX},
        {"set.yml": YAML, "images/0.png": None},
        {"obj.data": "names = obj.names\n", "obj.names": "cat\n", "train.txt": "a/0.png\n"},
        {
            "classes.txt": "cat\n",
            "notes.json": {"categories": [], "info": {}},
            "images/0.png": None,
            "labels/0.txt": BOX,
        },
        {"photos/0.png": None, "photos/0.txt": BOX, "classes.txt": "cat\n"},
    ],
    "voc": [
        {"Annotations/0.xml": XML, "JPEGImages/0.png": None},
        {"0.xml": XML, "0.png": None},
        {"train/0.xml": XML, "train/0.png": None},
    ],
    "cvat": [{"annotations.xml": "<annotations><version>1.1</version></annotations>"}],
    "labelme": [{"0.json": SHAPES, "0.png": None}, {"a/0.json": SHAPES, "a/0.png": None}],
    "label-studio": [{"export.json": [{"id": 1, "data": {"image": "x"}, "annotations": []}]}],
    "via": [{"via.json": {"_via_img_metadata": REGIONS}}, {"via.json": REGIONS}],
    "supervisely": [{"meta.json": {"classes": []}, "ds/ann/0.png.json": {"objects": []}}],
    "masks": [
        {"images/0.png": None, "masks/0.png": None},
        {"JPEGImages/0.png": None, "SegmentationClass/0.png": None, "labelmap.txt": "a:0,0,0::\n"},
    ],
    "csv": [{"images/0.png": None, "labels.csv": "file,label\n"}],
    "folders": [
        {"cat/0.png": None, "dog/1.png": None},
        {"Train/cat/0.png": None, "Train/dog/1.png": None, "val/dog/2.png": None},
    ],
}
CASES = [(form, files) for form, sources in SOURCES.items() for files in sources]


def write_files(root, files):
    root.mkdir(exist_ok=True)
    for number, (name, content) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            write_image(path, number)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


@pytest.mark.parametrize(("form", "files"), CASES)
def test_a_folder_is_recognised(tmp_path, form, files):
    assert list(recognise(write_files(tmp_path, files))) == [form]


@pytest.mark.parametrize(
    ("form", "name", "content"),
    [
        ("coco", "labels.json", COCO),
        ("labelme", "0.json", SHAPES),
        ("via", "via.json", REGIONS),
        ("voc", "0.xml", XML),
        ("yolo", "data.yaml", YAML),
        ("yolo", "obj.data", "names = obj.names\n"),
        ("csv", "labels.csv", "file,label\n"),
        ("csv", "labels.tsv", "file\tlabel\n"),
        ("coco", "labels.json", "\ufeff" + json.dumps(COCO)),
    ],
)
def test_a_file_is_recognised(tmp_path, form, name, content):
    assert list(recognise(write_files(tmp_path, {name: content}) / name)) == [form]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"0.png": None},
        {"images/0.png": None, "a.csv": "file,label\n", "b.csv": "file,label\n"},
        {"images/0.png": None, "data/1.png": None},
        {"labels.json": "no JSON", "0.xml": "<annotation", "data.yaml": "a: [", "cat/0.png": None},
        {"__MACOSX/labels.json": COCO, ".labels.json": COCO},
        {"config.json": {"images": 3}, "list.json": [], "cat/0.png": None, "dog/1.png": None},
    ],
)
def test_other_folders_are_not_recognised(tmp_path, files):
    assert recognise(write_files(tmp_path, files)) == {}


def test_two_formats_are_both_returned(tmp_path):
    files = {"Annotations/0.xml": XML, "JPEGImages/0.png": None, "SegmentationClass/0.png": None}
    assert set(recognise(write_files(tmp_path, files))) == {"voc", "masks"}
