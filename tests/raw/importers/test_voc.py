import pytest
import supervision as sv

from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image
from tests.raw.importers.importing import boxes_by_file, boxes_by_supervision, faults_of, imported

OBJECT = """<object><name>{name}</name><difficult>1</difficult><pose>Left</pose>
<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"""


def voc(root, objects=(("rod", 3, 4, 20, 15), ("disc", 1, 1, 40, 30))):
    (root / "Annotations").mkdir(parents=True)
    for number in range(3):
        write_image(root / "JPEGImages" / f"{number}.png", number)
        keys = ("name", "x1", "y1", "x2", "y2")
        inner = "".join(OBJECT.format(**dict(zip(keys, values, strict=True))) for values in objects)
        text = f"<annotation><filename>{number}.png</filename>{inner}</annotation>"
        (root / "Annotations" / f"{number}.xml").write_text(text)
    return root


def test_boxes_equal_those_of_supervision(tmp_path):
    source = voc(tmp_path / "source")
    written = imported("voc", source, tmp_path / "root")["gold"]
    expected = sv.DetectionDataset.from_pascal_voc(
        str(source / "JPEGImages"), str(source / "Annotations")
    )
    assert boxes_by_file(written) == boxes_by_supervision(expected)
    assert {(row["difficult"], row["pose"]) for row in written["annotations"]} == {(1, "Left")}


def test_splits_come_from_the_image_sets(tmp_path):
    source = voc(tmp_path / "source")
    sets = source / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("0\n2\n")
    (sets / "val.txt").write_text("1\n")
    written = imported("voc", source, tmp_path / "root")
    names = {
        split: [row["file_name"] for row in content["images"]] for split, content in written.items()
    }
    assert names == {"gold": ["0.png", "2.png"], "val": ["1.png"]}


def test_entities_are_refused(tmp_path):
    source = voc(tmp_path / "source")
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb">]><annotation><filename>&b;</filename></annotation>'
    (source / "Annotations" / "1.xml").write_text(bomb)
    assert faults_of("voc", source, tmp_path) == [
        "1.xml: expected an XML file, found entities, which are not allowed"
    ]


def test_written_files_are_valid_coco(tmp_path):
    imported("voc", voc(tmp_path / "source"), tmp_path / "root")
    dataset, faults = parse_coco(tmp_path / "root" / "gold.json", Contract.BOX)
    assert not faults
    assert len(dataset.annotations) == 6
    assert dataset.categories[0].id == 1


def sets(source, **lines):
    """Write files of ImageSets/Main."""
    folder = source / "ImageSets" / "Main"
    folder.mkdir(parents=True)
    for name, text in lines.items():
        (folder / f"{name}.txt").write_text(text)
    return source


def read(source, **options):
    return IMPORTERS["voc"](ImportRequest(source, "gold", **options))


def files_of(found):
    return {split: sorted(row.files) for split, row in found.splits.items()}


def edit(source, number, old, new):
    path = source / "Annotations" / f"{number}.xml"
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        ("<width>80</width><height>60</height>", "80x60"),
        ("<width>30</width><height>40</height>", "30x40"),
        ("<width>40</width><height>30</height>", None),
        ("<width>40.0</width><height>30.0</height>", None),
        ("<width>0</width><height>0</height>", None),
        ("<width></width>", None),
    ],
)
def test_a_size_that_is_not_that_of_the_file_is_a_fault(tmp_path, size, fault):
    source = voc(tmp_path / "source")
    edit(source, 1, "<object>", f"<size>{size}</size><object>")
    expected = "1.xml: image '1.png': expected the size of its file, 40x30, found"
    found = [str(row) for row in read(source).faults]
    # The edit is before both objects, but only the first size counts.
    assert found == ([f"{expected} {fault}"] if fault else [])


def test_trainval_is_gold_if_there_is_no_train(tmp_path):
    found = read(sets(voc(tmp_path / "source"), trainval="0\n1\n", test="2\n"))
    assert files_of(found) == {"gold": ["0.png", "1.png"], "test": ["2.png"]}
    assert not found.faults


def test_train_is_gold_beside_trainval(tmp_path):
    lines = {"train": "0\n", "val": "1\n", "trainval": "0\n1\n", "cat_train": "0 1\n"}
    found = read(sets(voc(tmp_path / "source"), **lines))
    assert files_of(found) == {"gold": ["0.png"], "val": ["1.png"]}
    assert found.unused == {
        "XML files that no set names": ["2.xml"],
        "files of ImageSets/Main": ["cat_train.txt", "trainval.txt"],
        "images without a label file": ["2.png"],
    }


def test_val_is_left_out_of_trainval(tmp_path):
    found = read(sets(voc(tmp_path / "source"), trainval="0\n1\n2\n", val="1\n"))
    assert files_of(found) == {"gold": ["0.png", "2.png"], "val": ["1.png"]}


def test_an_image_of_two_sets_is_a_fault(tmp_path):
    (fault,) = read(sets(voc(tmp_path / "source"), train="0\n1\n", val="1\n")).faults
    assert str(fault) == (
        "ImageSets/Main/train.txt: image '1': expected an image of one split, found val, too"
    )


@pytest.mark.parametrize(
    "text", ["\ufeff0\r\n1\r\n", "0.png\n1.PNG\n", "0  1\n1 -1\n\n", "JPEGImages/0.jpg\n/x/1.jpg\n"]
)
def test_lines_of_sets(tmp_path, text):
    found = read(sets(voc(tmp_path / "source"), train=text))
    assert files_of(found) == {"gold": ["0.png", "1.png"]}
    assert not found.faults


def test_a_name_of_a_set_without_xml_is_a_fault(tmp_path):
    (fault,) = read(sets(voc(tmp_path / "source"), train="0\nother\n")).faults
    assert str(fault) == "ImageSets/Main/train.txt: 'other': expected an XML file, found none"


@pytest.mark.parametrize("suffix", [".JPG", ".JPEG", ".tif", ".webp", ".PNG", ".bmp"])
@pytest.mark.parametrize("stated", ["1", "Unknown", "C:\\photos\\1.jpg", ""])
def test_images_have_any_suffix(tmp_path, suffix, stated):
    source = voc(tmp_path / "source")
    (source / "JPEGImages" / "1.png").unlink()
    # Pillow reads a PNG under any name.
    write_image(tmp_path / "1.png", 1)
    (tmp_path / "1.png").rename(source / "JPEGImages" / f"1{suffix}")
    edit(source, 1, "<filename>1.png", f"<filename>{stated}")
    assert files_of(read(source)) == {"gold": sorted(["0.png", f"1{suffix}", "2.png"])}


def test_folders_of_xml_and_images_tell_the_splits(tmp_path):
    for folder, numbers in (("train", (0, 1)), ("valid", (2,))):
        (tmp_path / folder).mkdir()
        plain = voc(tmp_path / "all" / folder)
        for number in numbers:
            (plain / "JPEGImages" / f"{number}.png").rename(tmp_path / folder / f"{number}.png")
            (plain / "Annotations" / f"{number}.xml").rename(tmp_path / folder / f"{number}.xml")
    for path in sorted((tmp_path / "all").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / "other.xml").write_text("<project/>")
    found = read(tmp_path)
    assert files_of(found) == {"gold": ["train/0.png", "train/1.png"], "val": ["valid/2.png"]}
    assert found.unused == {"XML files of another format": ["other.xml"]}


def test_files_outside_the_folders_of_splits_are_a_fault(tmp_path):
    source = voc(tmp_path / "source")
    (source / "Annotations" / "val").mkdir()
    (source / "Annotations" / "2.xml").rename(source / "Annotations" / "val" / "2.xml")
    (fault,) = read(source).faults
    assert fault.expected == "all label files in folders that tell a split, or none"
    assert fault.found == "files that are in no such folder, 2: '0.xml', '1.xml'"


def test_parts_are_not_used_and_numbers_must_be_finite(tmp_path):
    source = voc(tmp_path / "source", objects=[("rod", 3, 4, 20, 15)])
    part = "<part><name>end</name><bndbox><xmin>3</xmin></bndbox></part><name>rod"
    edit(source, 0, "<name>rod", part)
    edit(source, 1, "<xmin>3", "<xmin>inf")
    edit(source, 2, "<pose>Left</pose>", "<file>x</file><bbox>y</bbox><score>0.5</score>")
    found = read(source)
    assert found.unused == {"<part> of objects": ["0.xml: object 1"]}
    assert [str(row) for row in found.faults] == [
        "1.xml: object 1: expected a bndbox of 4 numbers, found inf, 4, 20, 15"
    ]
    assert found.splits["gold"].content["annotations"][1]["score"] == "0.5"


@pytest.mark.parametrize(
    "corners", [(3, 4, 20, 15), (20, 4, 3, 15), (3, 15, 20, 4), (20, 15, 3, 4)]
)
def test_swapped_corners_are_turned_round(tmp_path, corners):
    source = voc(tmp_path / "source", [("rod", *corners)])
    written = imported("voc", source, tmp_path / "root")["gold"]
    assert {tuple(row["bbox"]) for row in written["annotations"]} == {(2, 3, 18, 12)}
