"""Label files that are made to fill the memory, to read other files, or to take for ever."""

import re
import tracemalloc

import pytest

from pseudolabel.core.regular_files import MOST_BYTES, UnsuitableFileError, read_content
from pseudolabel.raw.importers.recognise import recognise
from tests.raw.importers.importing import faults_of

ALIASES = "a0: &a0 [1, 1]\n" + "".join(
    f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 12)
)
LAUGHS = '<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{number} "{f"&a{number - 1};" * 10}">' for number in range(1, 12)
)
VOC = "<annotation><filename>3.png</filename><object><name>{}</name></object></annotation>"
DEEP = "[" * 3_000_000
FILES = [
    ("yolo", "data.yaml", ALIASES + "names: *a11\n", "a YAML file, found more than can be read"),
    ("yolo", "data.yaml", "names: &a [*a]\n", "a YAML file, found more than can be read (at most"),
    ("yolo", "data.yaml", f"names: {'[' * 500_000}", "a YAML file, found too many levels"),
    ("yolo", "data.yaml", "#" * 1_000_001, "a YAML file, found 1,000,001 characters; at most"),
    ("yolo", "data.yaml", "names: [a]\nnc: 0x" + "f" * 9000, "(numbers of at most 1,000 bits)"),
    ("labelme", "3.json", '{"shapes": ' + DEEP, "JSON, found"),
    ("coco", "3.json", '{"images": ' + DEEP, "JSON, found"),
    ("via", "3.json", '{"a": ' + DEEP, "JSON, found"),
    ("voc", "3.xml", f"<!DOCTYPE x [{LAUGHS}]>{VOC.format('&a11;')}", "found entities"),
    (
        "voc",
        "3.xml",
        f'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>{VOC.format("&a;")}',
        "found entities",
    ),
    ("cvat", "3.xml", f"<!DOCTYPE x [{LAUGHS}]><annotations>&a11;</annotations>", "found entities"),
    ("voc", "3.xml", "<annotation>" + "<a>" * 200_000, "an XML file, found"),
    ("csv", "3.csv", "file,label\n3.png," + "x" * 200_000, "found field larger than field limit"),
]


@pytest.mark.parametrize(
    ("form", "name", "text", "expected"), FILES, ids=[f"{row[1]} {row[3][-20:]}" for row in FILES]
)
def test_a_file_of_ill_will_is_a_fault_of_one_line(form, name, text, expected, photos, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / name).write_text(text)
    tracemalloc.start()
    (fault,) = faults_of(form, source, tmp_path, images=photos, classes=("a",))
    recognise(source)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert expected in fault
    assert "\n" not in fault
    assert "root:" not in fault
    assert most < 300_000_000


def test_a_file_larger_than_any_label_file_is_not_read(tmp_path):
    path = tmp_path / "labels.json"
    with path.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    with pytest.raises(UnsuitableFileError, match=re.escape("more than 4,000,000,000 cannot be")):
        read_content(path)
    (fault,) = faults_of("coco", path, tmp_path)
    assert "labels.json: expected JSON, found 4,000,000,001 bytes; more than" in fault
