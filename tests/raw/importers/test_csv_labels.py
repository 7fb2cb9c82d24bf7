import numpy as np
import pytest

from pseudolabel.raw.coco_splits import read_class_split
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from pseudolabel.raw.layout import read_raw
from tests.builders import write_image
from tests.raw.importers.importing import faults_of, imported


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


def test_each_fault_has_its_line(tmp_path):
    write_image(tmp_path / "images" / "0.png", 0)
    path = tmp_path / "labels.csv"
    path.write_text("file,label,x,y,width,height\n0.png,rod,1,a,2,3\n9.png,rod,1,1,2,3\n")
    assert faults_of("csv", path, tmp_path) == [
        "labels.csv: line 2: expected numbers in x, y, width, height, found [1, 'a', 2, 3]",
        "labels.csv: image '9.png': expected an image file, found no file",
    ]


def test_an_imported_csv_of_classes_is_read_as_gold(tmp_path):
    labels = {"a/1.png": "rod", "a/2.png": "disc", "b.png": "rod"}
    for number, name in enumerate((*labels, "pool/x.png")):
        folder = tmp_path / ("root" if name.startswith("pool") else "source")
        write_image(folder / "images" / name, number)
    path = tmp_path / "source" / "labels.csv"
    path.write_text("file,label\n" + "".join(f"{file},{name}\n" for file, name in labels.items()))
    imported("csv", path, tmp_path / "root")
    raw = read_raw(tmp_path / "root", read_class_split)
    names = np.array(raw.gold.class_names)[raw.gold.class_indices]
    assert dict(zip(raw.gold.images.file_names, names, strict=True)) == labels
    assert raw.gold.class_names == ["disc", "rod"]
    assert raw.gold.images.widths.tolist() == [40] * 3
    assert raw.pool.file_names.tolist() == ["pool/x.png"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("0.png,rod\n", {}, "line 1: expected the columns file and label, found 0.png,rod"),
        ("image,class\n0.png,rod\n", {}, "the columns file and label, found image,class"),
        ("", {}, "line 1: expected the columns file and label, found nothing"),
        ("file,label\n", {}, "line 2: expected a row for each label, found none"),
        ("file,label\nc.png,rod\n", {}, "image 'c.png': expected an image file, found no file"),
        (
            "file,label\n0.png,star\n",
            {"classes": ("disc", "rod"), "split": "val"},
            "line 2: expected a class of disc, rod, found 'star'",
        ),
    ],
    ids=["no header", "other columns", "an empty file", "no rows", "no image", "unknown class"],
)
def test_faults_of_a_csv_of_classes(tmp_path, text, options, message):
    write_image(tmp_path / "images" / "0.png", 0)
    path = tmp_path / "labels.csv"
    path.write_text(text)
    (fault,) = faults_of("csv", path, tmp_path, **options)
    assert fault.startswith("labels.csv: ")
    assert message in fault


def read(tmp_path, text, *names, encoding="utf-8", **options):
    """The result of a CSV beside images of 40x30 pixels."""
    for number, name in enumerate(names):
        write_image(tmp_path / "images" / name, number)
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return IMPORTERS["csv"](ImportRequest(path, "gold", **options))


def content_of(found):
    assert found.faults == []
    return found.splits["gold"].content


@pytest.mark.parametrize(
    "stated", ["a/0.png", ".\\a\\0.png", "images/a/0.png", "C:\\x\\a\\0.png", "a/0", "0"]
)
def test_files_are_found_by_the_ending_of_their_path(tmp_path, stated):
    found = read(tmp_path, f"file,label\n{stated},cat\n", "a/0.png", "b/1.png")
    assert [row["file_name"] for row in content_of(found)["images"]] == ["a/0.png"]
    assert found.unused == {"images without a row": ["b/1.png"]}


def test_two_spellings_of_a_file_are_one_image(tmp_path):
    content = content_of(read(tmp_path, "file,label\n0.png,cat\nimages\\0.png,dog\n", "0.png"))
    assert len(content["images"]) == 1
    assert [row["image_id"] for row in content["annotations"]] == [1, 1]


def test_a_name_of_several_files_is_a_fault(tmp_path):
    found = read(tmp_path, "file,label\n0.png,cat\n", "a/0.png", "b/0.png")
    assert list(map(str, found.faults)) == [
        "labels.csv: image '0.png': expected an image file, found 2 files of this name"
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["file,label", "File, Label ", "filename,class"])
def test_delimiters_and_headers(tmp_path, delimiter, header):
    text = f"{header}\r\n0.png,cat\r\n\r\n".replace(",", delimiter)
    content = content_of(read(tmp_path, text, "0.png"))
    assert [row["name"] for row in content["categories"]] == ["cat"]
    assert len(content["annotations"]) == 1


def test_another_delimiter_and_cells_too_many_are_refused(tmp_path):
    (fault,) = read(tmp_path, "file|label\n0.png|cat\n", "0.png").faults
    assert str(fault).endswith("expected the columns file and label, found file|label")
    (fault,) = read(tmp_path, "file,label\n0.png,cat,dog\n").faults
    assert str(fault) == "labels.csv: line 2: expected 2 cells as in the header, found 3 cells"


@pytest.mark.parametrize(
    ("encoding", "label", "found"),
    [
        ("euc-kr", "고양이", "another encoding, such as EUC-KR or Windows-1252"),
        ("cp1252", "café", "another encoding, such as EUC-KR or Windows-1252"),
        ("utf-16", "cat", "UTF-16"),
    ],
)
def test_other_encodings_are_refused(tmp_path, encoding, label, found):
    (fault,) = read(tmp_path, f"file,label\n0.png,{label}\n", encoding=encoding).faults
    assert str(fault).startswith(f"labels.csv: expected a CSV in UTF-8, found {found}")


@pytest.mark.parametrize("header", ["x1,y1,x2,y2", "x,y,width,height", "xmin,ymin,xmax,ymax"])
def test_boxes_as_shares_of_the_image_are_a_fault(tmp_path, header):
    rows = "0.png,cat,0.1,0.2,0.4,0.5\n1.png,dog,0,0,1,1\n0.png,,,,,\n"
    found = read(tmp_path, f"file,label,{header}\n{rows}", "0.png", "1.png")
    assert [fault.found for fault in found.faults] == [
        "numbers from 0 to 1 in all 2 boxes, so shares of the image"
    ]


def test_the_columns_of_open_images_are_shares(tmp_path):
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf"
    rows = "0,xclick,/m/01yrx,1,0.1,0.4,0.2,0.5,0\n0,xclick,/m/01yrx,1,0,1,0,0.5,1\n"
    one, crowd = content_of(read(tmp_path, f"{header}\n{rows}", "0.png"))["annotations"]
    assert (one["bbox"], one["Source"], one["Confidence"]) == ([4.0, 6.0, 12.0, 9.0], "xclick", 1)
    assert "iscrowd" not in one
    assert (crowd["bbox"], crowd["iscrowd"]) == ([0.0, 0.0, 40.0, 15.0], 1)


def test_labels_of_whole_images_of_open_images_are_refused(tmp_path):
    text = "ImageID,Source,LabelName,Confidence\n0,verification,/m/01yrx,0\n"
    (fault,) = read(tmp_path, text, "0.png").faults
    assert fault.expected == "the columns file and label"


def test_the_columns_of_tensorflow_state_the_size_of_the_image(tmp_path):
    header = "filename,width,height,class,xmin,ymin,xmax,ymax"
    found = read(tmp_path, f"{header}\n0.png,40,30,cat,10,12,30,22\n", "0.png")
    (row,) = content_of(found)["annotations"]
    assert row == {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 12, 20, 10]}
    (fault,) = read(tmp_path, f"{header}\n0.png,80,60,cat,10,12,30,22\n").faults
    assert str(fault) == (
        "labels.csv: image '0.png': expected the size of its file, 40x30, found 80x60"
    )
    (fault,) = read(tmp_path, f"{header}\n0.png,a,30,cat,10,12,30,22\n").faults
    assert str(fault) == "labels.csv: line 2: expected numbers in width, height, found ['a', 30]"


def test_the_only_csv_of_a_folder_is_read(tmp_path):
    read(tmp_path, "file,label\n0.png,cat\n", "0.png")
    found = IMPORTERS["csv"](ImportRequest(tmp_path, "gold"))
    assert len(content_of(found)["annotations"]) == 1
    (tmp_path / "more.csv").write_text("file,label\n")
    (fault,) = IMPORTERS["csv"](ImportRequest(tmp_path, "gold")).faults
    assert str(fault).endswith("expected one CSV file, found 2 files")


@pytest.mark.parametrize("corners", ["1,2,11,22", "11,2,1,22", "1,22,11,2", "11,22,1,2"])
def test_swapped_corners_are_turned_round(tmp_path, corners):
    write_image(tmp_path / "images" / "0.png", 0)
    path = tmp_path / "labels.csv"
    path.write_text(f"file,label,xmin,ymin,xmax,ymax\n0.png,rod,{corners}\n")
    (row,) = imported("csv", path, tmp_path / "root")["gold"]["annotations"]
    assert row["bbox"] == [1, 2, 10, 20]
