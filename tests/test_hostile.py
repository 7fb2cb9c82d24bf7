"""Data made to do harm is refused with a plain message, or contained."""

import json
import os
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from pseudolabel.errors import DataError
from pseudolabel.mending import mend
from pseudolabel.prepare import prepare, read_and_split
from pseudolabel.tasks import TASKS
from tests.builders import coco, raw_root, splitting, write_image, write_json

DETECTION = TASKS["detection"]
SECTION = splitting(duplicate_distance=4)


def faults_of(root, task="detection"):
    with pytest.raises(DataError) as caught:
        read_and_split(root, TASKS[task], SECTION, 0)
    return [str(fault) for fault in caught.value.faults]


def changed(tmp_path, change):
    """A raw root whose gold.json is changed."""
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{it}.png" for it in range(4)])
    change(content)
    write_json(root / "gold.json", content)
    return root


@pytest.mark.parametrize("name", ["../../secret.png", "gold/../../../secret.png", "./../x.png"])
def test_path_traversal(tmp_path, name):
    write_image(tmp_path / "secret.png", 1)
    root = changed(tmp_path, lambda it: it["images"][1].update(file_name=name))
    assert faults_of(root) == [
        f"gold.json: image id 2 ({name}): expected a path inside images/, found {name!r}"
    ]


def test_absolute_paths(tmp_path):
    secret = tmp_path / "secret.png"
    write_image(secret, 1)
    root = changed(tmp_path, lambda it: it["images"][1].update(file_name=str(secret)))
    assert faults_of(root) == [
        f"gold.json: image id 2 ({secret}): expected a path inside images/, found {str(secret)!r}"
    ]


def test_links_out_of_the_root(tmp_path):
    write_image(tmp_path / "secret.png", 1)
    root = raw_root(tmp_path / "raw", gold_count=4)
    named, pooled = root / "images" / "gold" / "1.png", root / "images" / "pool" / "link.png"
    named.unlink()
    named.symlink_to(tmp_path / "secret.png")
    assert faults_of(root) == [
        "gold.json: image id 2 (gold/1.png): expected a path inside images/, found 'gold/1.png'"
    ]
    named.unlink()
    write_image(named, 77)
    pooled.symlink_to(tmp_path / "secret.png")
    prepared = read_and_split(root, DETECTION, SECTION, 0)
    assert prepared.report["unreadable"] == ["pool/link.png"]


def test_links_are_not_followed_when_mending(tmp_path):
    write_image(tmp_path / "secret.png", 1)
    root = raw_root(tmp_path / "raw", gold_count=4)
    (root / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    mend(root, tmp_path / "new")
    assert (tmp_path / "new" / "images" / "link.png").is_symlink()


def test_a_folder_that_links_to_itself(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    (root / "images" / "again").symlink_to(root / "images")
    prepared = read_and_split(root, DETECTION, SECTION, 0)
    assert len(prepared.splits["pool"].images) == 3


def png_header(width, height):
    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def test_a_header_of_50000_x_50000_pixels(tmp_path):
    def sides(content):
        content["images"][1].update(width=50_000, height=50_000)

    root = changed(tmp_path, sides)
    (root / "images" / "gold" / "1.png").write_bytes(png_header(50_000, 50_000))
    (root / "images" / "pool" / "huge.png").write_bytes(png_header(50_000, 50_000))
    (fault,) = faults_of(root)
    assert fault.startswith(
        "gold.json: image id 2 (gold/1.png): expected a readable image, found Image size "
        "(2500000000 pixels) exceeds limit"
    )
    write_image(root / "images" / "gold" / "1.png", 1)
    write_json(root / "gold.json", coco([f"gold/{it}.png" for it in range(4)]))
    prepared = read_and_split(root, DETECTION, SECTION, 0)
    assert prepared.report["unreadable"] == ["pool/huge.png"]


@pytest.mark.parametrize("huge", [2**63, 2**64 - 1, 10**30, -1, 1e300])
@pytest.mark.parametrize("kind", ["images", "categories", "annotations"])
def test_huge_ids(tmp_path, kind, huge):
    def identify(content):
        content[kind][1]["id"] = huge

    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{it}.png" for it in range(4)])
    identify(content)
    # orjson writes no integer of more than 64 bits.
    text = orjson.dumps(content, default=str) if huge != 10**30 else json.dumps(content).encode()
    (root / "gold.json").write_bytes(text)
    found = faults_of(root)
    assert any("expected an `id`, a whole number from 0 up, found" in fault for fault in found)


@pytest.mark.parametrize("category_id", [2**31, 2**62])
def test_category_ids_that_fit_no_column(tmp_path, category_id):
    def number(content):
        content["categories"][1]["id"] = category_id
        for row in content["annotations"]:
            row["category_id"] = category_id

    (fault, *_) = faults_of(changed(tmp_path, number))
    expected = "expected an `id` below 2147483648"
    assert fault == f"gold.json: category id {category_id}: {expected}, found {category_id}"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_boxes_that_are_no_numbers(tmp_path, text):
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = (root / "gold.json").read_text()
    (root / "gold.json").write_text(content.replace("[2,3,10,12]", f"[{text},3,10,12]"))
    (fault,) = faults_of(root)
    assert fault.startswith("gold.json: expected JSON, found ")


def test_boxes_too_large_for_any_number(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = (root / "gold.json").read_text()
    (root / "gold.json").write_text(content.replace("[2,3,10,12]", "[1e999,3,10,12]", 1))
    assert len(faults_of(root)) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("score", "high"), ("score", [1]), ("round", 10**9), ("round", "one"), ("iscrowd", {})],
)
def test_columns_of_another_kind(tmp_path, key, value):
    root = changed(tmp_path, lambda it: it["annotations"][1].update({key: value}))
    (fault,) = faults_of(root)
    assert fault.replace("an `", "a `").startswith(
        f"gold.json: annotation id 2: expected a `{key}`, "
    )


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deeply_nested_json(tmp_path, depth):
    nested = "[" * depth + "]" * depth
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = (root / "gold.json").read_text()
    (root / "gold.json").write_text(content.replace("[2,3,10,12]", nested, 1))
    (fault,) = faults_of(root)
    assert len(fault) < 400
    (root / "gold.json").write_text(content.replace('"bbox":', f'"segmentation":{nested},"bbox":'))
    assert all(len(fault) < 400 for fault in faults_of(root, "instance"))


def test_names_that_are_no_utf_8(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    source = root / "images" / "pool" / "0.png"
    target = os.fsencode(root / "images" / "pool") + b"/\xff\xfe.png"
    Path(os.fsdecode(target)).write_bytes(source.read_bytes())
    prepare(root, tmp_path / "out", DETECTION, SECTION, 0)
    report = orjson.loads((tmp_path / "out" / "report.json").read_bytes())
    assert report["unreadable"] == ["pool/\\udcff\\udcfe.png"]
    assert report["images"]["pool"] == 3


def test_surrogates_in_names_of_the_json(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = (root / "gold.json").read_text()
    (root / "gold.json").write_text(content.replace("gold/1.png", "gold/\\ud800.png"))
    assert len(faults_of(root)) == 1


@pytest.mark.parametrize("name", ["a\0b.png", "", "images", "gold", ".", "gold/1.png/"])
def test_names_that_are_no_files(tmp_path, name):
    root = changed(tmp_path, lambda it: it["images"][1].update(file_name=name))
    assert faults_of(root)


EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'&$\\frac{'


class Tags(HTMLParser):
    """Counts the tags and attributes of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_html_in_class_names_and_file_names(tmp_path):
    def name(content):
        content["categories"][1]["name"] = EVIL
        content["images"][0]["file_name"] = "gold/<b onclick=x>.png"

    root = changed(tmp_path, name)
    (root / "images" / "gold" / "0.png").rename(root / "images" / "gold" / "<b onclick=x>.png")
    prepare(root, tmp_path / "out", DETECTION, SECTION, 0)
    text = (tmp_path / "out" / "report.html").read_text()
    page = Tags()
    page.feed(text)
    assert not page.tags & {"script", "b"}
    assert not {it for it in page.attributes if it.startswith("on")}
    assert "&lt;script&gt;alert(1)" in text
    assert "default-src 'none'" in text


def test_terminals_see_no_control_characters(tmp_path):
    name = "gold/\x1b[2J\x07.png"
    (fault,) = faults_of(changed(tmp_path, lambda it: it["images"][1].update(file_name=name)))
    assert fault == (
        "gold.json: image id 2 (gold/\\x1b[2J\\x07.png): expected an image file, found no file"
    )
