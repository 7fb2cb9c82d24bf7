import re
import shutil

import pytest

from pseudolabel.errors import DataError
from pseudolabel.formats.raw import read_raw
from pseudolabel.prepare import prepare
from pseudolabel.tasks import TASKS
from tests.builders import CATEGORIES, coco, raw_root, splitting, write_image, write_json

CLASSIFICATION = TASKS["classification"]
LABELS = {"a/1.png": "rod", "a/2.png": "disc", "b.png": "rod"}


def with_images(root, *names):
    for number, name in enumerate((*names, "pool/x.png")):
        write_image(root / "images" / name, number)
    return root


def read(root):
    return read_raw(root, CLASSIFICATION.read_split)


def labels_of(dataset):
    """File names and class names."""
    names = {category.id: category.name for category in dataset.categories}
    files = dict(zip(dataset.images.ids.tolist(), dataset.images.file_names, strict=True))
    rows = dataset.annotations
    pairs = zip(rows.image_ids.tolist(), rows.category_ids.tolist(), strict=True)
    return {files[image]: names[category] for image, category in pairs}


def test_coco_annotations_without_boxes(tmp_path):
    root = raw_root(tmp_path, gold_count=2)
    content = coco(["gold/0.png", "gold/1.png"])
    for row in content["annotations"]:
        del row["bbox"]
    write_json(root / "gold.json", content)
    raw = read(root)
    assert raw.gold.categories == CATEGORIES
    assert labels_of(raw.gold) == {"gold/0.png": "rod", "gold/1.png": "star"}


def csv_root(root, labels=LABELS, val=None):
    with_images(root, *labels, *(val or {}))
    for split, rows in (("gold", labels), ("val", val)):
        if rows is not None:
            lines = "".join(f"{name},{label}\n" for name, label in rows.items())
            (root / f"{split}.csv").write_text("file,label\n" + lines, encoding="utf-8")
    return root


def test_a_csv_of_file_and_label(tmp_path):
    raw = read(csv_root(tmp_path, val={"v.png": "disc"}))
    assert labels_of(raw.gold) == LABELS
    assert [it.name for it in raw.gold.categories] == ["disc", "rod"]
    assert raw.gold.images.widths.tolist() == [40] * 3
    assert labels_of(raw.val) == {"v.png": "disc"}
    assert raw.val.categories == raw.gold.categories
    assert raw.pool.file_names.tolist() == ["pool/x.png"]


def test_a_folder_a_class(tmp_path):
    root = with_images(tmp_path, "gold/rod/1.png", "gold/disc/deep/2.png", "val/disc/3.png")
    raw = read(root)
    assert labels_of(raw.gold) == {"gold/rod/1.png": "rod", "gold/disc/deep/2.png": "disc"}
    assert labels_of(raw.val) == {"val/disc/3.png": "disc"}
    assert raw.pool.file_names.tolist() == ["pool/x.png"]


def csv_of(text):
    def spoil(root):
        (root / "gold.csv").write_text(text, encoding="utf-8")

    return spoil


def two_labels(root):
    (root / "gold.csv").unlink()
    content = coco(["b.png"])
    content["annotations"].append(dict(content["annotations"][0], id=99))
    write_json(root / "gold.json", content)


FAULTS = [
    ("no header", csv_of("b.png,rod\n"), "gold.csv: line 1: expected the columns file,label"),
    ("an empty file", csv_of(""), "expected the columns file,label, found nothing"),
    ("no label", csv_of("file,label\nb.png,\n"), "gold.csv: line 2: expected a file and a label"),
    (
        "a file twice",
        csv_of("file,label\nb.png,rod\nb.png,disc\n"),
        "gold.csv: line 3: expected a file of its own, found 'b.png' again",
    ),
    (
        "no such image",
        csv_of("file,label\nc.png,rod\n"),
        "(c.png): expected an image file, found no file",
    ),
    ("no rows", csv_of("file,label\n"), "expected at least one image with its class, found none"),
    (
        "a class that gold has not",
        lambda root: (root / "val.csv").write_text("file,label\npool/x.png,star\n"),
        "val.csv: pool/x.png: expected one of gold's classes, disc, rod, found 'star'",
    ),
    (
        "two classes of one image",
        two_labels,
        "gold.json: image id 1: expected one annotation, its class, found 2",
    ),
    (
        "no gold at all",
        lambda root: (root / "gold.csv").unlink(),
        "gold: expected gold labels, such as gold.json, found none",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "message"), [it[1:] for it in FAULTS], ids=[it[0] for it in FAULTS]
)
def test_faults_name_the_line(tmp_path, spoil, message):
    root = csv_root(tmp_path)
    spoil(root)
    with pytest.raises(DataError, match=re.escape(message)):
        read(root)


def test_images_without_a_class_are_left_out_and_classes_without_gold_are_told(tmp_path, capsys):
    root = raw_root(tmp_path / "raw", gold_count=3, val=1)
    content = coco([f"gold/{it}.png" for it in range(3)])
    content["annotations"] = content["annotations"][:1]
    write_json(root / "gold.json", content)
    prepare(root, tmp_path / "out", CLASSIFICATION, splitting(0.5), 0)
    report = (tmp_path / "out" / "report.json").read_text()
    assert re.search(r'"gold": \[\s*"gold/1.png",\s*"gold/2.png"\s*\]', report)
    out = capsys.readouterr().out
    assert "no gold label is of the class 'disc', 'star': what has none is not learnt" in out
    shutil.rmtree(tmp_path / "out")
