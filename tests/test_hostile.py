"""Harmful data is refused with a fault, or does no harm."""

import json
import os
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest
from PIL import PngImagePlugin

from pseudolabel.core.errors import DataError
from pseudolabel.raw import SPLIT_READERS
from pseudolabel.raw.repair import repair
from pseudolabel.splits.prepare import prepare, read_and_split
from tests.builders import coco, raw_root, splitting, write_image, write_json
from tests.raw.importers.importing import imported

SECTION = splitting(duplicate_distance=4)


def faults_of(root, task="detection"):
    with pytest.raises(DataError) as caught:
        read_and_split(root, task, SECTION, 0)
    return [str(fault) for fault in caught.value.faults]


def changed(tmp_path, change):
    """A raw root with a change in its gold.json."""
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{index}.png" for index in range(4)])
    change(content)
    write_json(root / "gold.json", content)
    return root


@pytest.mark.parametrize("name", ["../../secret.png", "gold/../../../secret.png", "./../x.png"])
def test_path_traversal(tmp_path, name):
    write_image(tmp_path / "secret.png", 1)
    root = changed(tmp_path, lambda content: content["images"][1].update(file_name=name))
    assert faults_of(root) == [
        f"gold.json: image id 2 ({name}): expected a path inside images/, found {name!r}"
    ]


def test_absolute_paths(tmp_path):
    secret = tmp_path / "secret.png"
    write_image(secret, 1)
    root = changed(tmp_path, lambda content: content["images"][1].update(file_name=str(secret)))
    (fault,) = faults_of(root)
    assert fault.startswith("gold.json: image id 2 (/")
    assert "): expected a path inside images/, found '/" in fault


def test_links_that_lead_out_of_the_root(tmp_path):
    write_image(tmp_path / "secret.png", 1)
    root = raw_root(tmp_path / "raw", gold_count=4)
    gold_image, pool_link = (
        root / "images" / "gold" / "1.png",
        root / "images" / "pool" / "link.png",
    )
    gold_image.unlink()
    gold_image.symlink_to(tmp_path / "secret.png")
    secret = str(tmp_path / "secret.png")
    inside = "expected a path inside images/, found the link 'gold/1.png' to"
    assert faults_of(root) == [f"gold.json: image id 2 (gold/1.png): {inside} {secret!r}"]
    gold_image.unlink()
    write_image(gold_image, 77)
    pool_link.symlink_to(secret)
    inside = "expected links to files inside images/, found the link 'pool/link.png' to"
    assert faults_of(root) == [f"images: {inside} {secret!r}"]


def test_repair_does_not_follow_links(tmp_path):
    write_image(tmp_path / "secret.png", 1)
    root = raw_root(tmp_path / "raw", gold_count=4)
    (root / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    repair(root, tmp_path / "new", "detection")
    assert (tmp_path / "new" / "images" / "link.png").is_symlink()


def test_a_folder_that_links_to_itself(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    (root / "images" / "again").symlink_to(root / "images")
    prepared = read_and_split(root, "detection", SECTION, 0)
    assert len(prepared.splits["pool"].images) == 3


def png_header(width, height, colour=2):
    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
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
    write_json(root / "gold.json", coco([f"gold/{index}.png" for index in range(4)]))
    prepared = read_and_split(root, "detection", SECTION, 0)
    assert prepared.report["unreadable"] == ["pool/huge.png"]


def test_the_largest_image_is_a_parameter(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=2)
    large = png_header(9_000, 9_000)
    (root / "images" / "gold" / "1.png").write_bytes(large)
    (root / "images" / "pool" / "large.png").write_bytes(large)
    with pytest.raises(DataError) as caught:
        read_and_split(root, "detection", splitting(max_pixels=80_999_999), 0)
    (fault,) = caught.value.faults
    assert fault.record == "image id 2 (gold/1.png)"
    assert fault.expected == "at most 80,999,999 pixels (prepare.max_pixels)"
    assert fault.found == "9,000 x 9,000"
    write_image(root / "images" / "gold" / "1.png", 1)
    prepared = read_and_split(root, "detection", splitting(max_pixels=80_999_999), 0)
    assert prepared.report["unreadable"] == ["pool/large.png"]


def test_a_label_map_of_another_size_is_not_decoded(tmp_path, monkeypatch):
    root = raw_root(tmp_path / "raw", gold_count=2)
    (root / "masks" / "gold").mkdir(parents=True)
    for number in range(2):
        (root / "masks" / "gold" / f"{number}.png").write_bytes(png_header(9_000, 9_000, colour=0))
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", None)
    _, faults = SPLIT_READERS["semantic"](root, "gold")
    expected = "a label map of the image's size, 40x30"
    assert {(fault.expected, fault.found) for fault in faults} == {(expected, "9000x9000")}


@pytest.mark.parametrize("huge", [2**63, 2**64 - 1, 10**30, -1, 1e300])
@pytest.mark.parametrize("kind", ["images", "categories", "annotations"])
def test_huge_ids(tmp_path, kind, huge):
    def identify(content):
        content[kind][1]["id"] = huge

    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{index}.png" for index in range(4)])
    identify(content)
    # orjson cannot write integers of more than 64 bits.
    text = orjson.dumps(content, default=str) if huge != 10**30 else json.dumps(content).encode()
    (root / "gold.json").write_bytes(text)
    found = faults_of(root)
    assert any("expected an `id`, a whole number from 0 up, found" in fault for fault in found)


@pytest.mark.parametrize("category_id", [2**31, 2**62])
def test_category_ids_that_are_too_large_for_their_column(tmp_path, category_id):
    def number(content):
        content["categories"][1]["id"] = category_id
        for row in content["annotations"]:
            row["category_id"] = category_id

    (fault, *_) = faults_of(changed(tmp_path, number))
    expected = "expected an `id` below 2147483648"
    assert fault == f"gold.json: category id {category_id}: {expected}, found {category_id}"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_boxes_that_are_not_finite(tmp_path, text):
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = (root / "gold.json").read_text()
    (root / "gold.json").write_text(content.replace("[2,3,10,12]", f"[{text},3,10,12]"))
    (fault,) = faults_of(root)
    assert fault.startswith("gold.json: expected JSON, found ")


def test_boxes_that_overflow(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = (root / "gold.json").read_text()
    (root / "gold.json").write_text(content.replace("[2,3,10,12]", "[1e999,3,10,12]", 1))
    assert len(faults_of(root)) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("score", "high"), ("score", [1]), ("round", 10**9), ("round", "one"), ("iscrowd", {})],
)
def test_columns_of_another_type(tmp_path, key, value):
    root = changed(tmp_path, lambda content: content["annotations"][1].update({key: value}))
    (fault,) = faults_of(root)
    assert fault.replace("an `", "a `").startswith(
        f"gold.json: annotation id 2 on gold/1.png: expected a `{key}`, "
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


def test_names_that_are_not_utf_8(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    source = root / "images" / "pool" / "0.png"
    target = os.fsencode(root / "images" / "pool") + b"/\xff\xfe.png"
    Path(os.fsdecode(target)).write_bytes(source.read_bytes())
    prepare(root, tmp_path / "out", "detection", SECTION, 0)
    report = orjson.loads((tmp_path / "out" / "report.json").read_bytes())
    assert report["unreadable"] == ["pool/\\udcff\\udcfe.png"]
    assert report["images"]["pool"] == 3


def test_surrogates_in_names_in_the_json(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = (root / "gold.json").read_text()
    (root / "gold.json").write_text(content.replace("gold/1.png", "gold/\\ud800.png"))
    assert len(faults_of(root)) == 1


@pytest.mark.parametrize("name", ["a\0b.png", "", "images", "gold", ".", "gold/1.png/"])
def test_names_that_are_not_files(tmp_path, name):
    root = changed(tmp_path, lambda content: content["images"][1].update(file_name=name))
    assert faults_of(root)


EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'&$\\frac{'
EVIL_FILE = '<script><img src=x onerror="alert(2)">.png'


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_html_in_file_names(tmp_path):
    def name(content):
        content["categories"][1]["name"] = "\"'&$\\frac{"
        content["images"][0]["file_name"] = f"gold/{EVIL_FILE}"

    root = changed(tmp_path, name)
    (root / "images" / "gold" / "0.png").rename(root / "images" / "gold" / EVIL_FILE)
    prepare(root, tmp_path / "out", "detection", SECTION, 0)
    text = (tmp_path / "out" / "report.html").read_text()
    page = Tags()
    page.feed(text)
    assert "script" not in page.tags
    assert not {name for name in page.attributes if name.startswith("on")}
    assert "&lt;script&gt;&lt;img src=x onerror=&quot;" in text
    assert "default-src 'none'" in text


def test_messages_have_no_control_characters(tmp_path):
    name = "gold/\x1b[2J\x07.png"
    (fault,) = faults_of(
        changed(tmp_path, lambda content: content["images"][1].update(file_name=name))
    )
    assert fault == (
        "gold.json: image id 2: expected a name without control characters, "
        "found 'gold/\\x1b[2J\\x07.png'"
    )


WEB, CONTROL = "without < and >", "without control characters"
SHEET = "begins with none of = + - @"
UNSAFE_CLASSES = [(EVIL, WEB), ("</script>", WEB), ("<img src=x onerror=alert(1)>", WEB)]
UNSAFE_CLASSES += [(name, SHEET) for name in ("=cmd|' /C calc'!A0", "+1", "-x", "@sum(1)")]
UNSAFE_CLASSES += [(name, CONTROL) for name in ("a\nb", "a\x00b", "\x1b[2J", "a\tb", "a\u2028b")]
UNSAFE_CLASSES += [
    ("a\u202eb", CONTROL),
    ("a\u2066b", CONTROL),
    ("x" * 201, "at most 200 characters"),
]
SAFE = [
    "a+b",
    "T-shirt",
    "größe 雪",
    "a = b",
    "e@b",
    "x" * 200,
    "مرحبا",
    "👩\u200d🔬",
    "R&D",
    "'a'",
]


@pytest.mark.parametrize(("name", "expected"), UNSAFE_CLASSES)
def test_class_names_that_would_act_are_faults_of_check_and_import(tmp_path, name, expected):
    root = changed(tmp_path, lambda content: content["categories"][1].update(name=name))
    (fault,) = faults_of(root)
    assert fault.startswith("gold.json: category id 2: expected a name")
    assert expected in fault
    assert not set(fault) & set("\n\0\t\x1b\u2028\u202e\u2066")
    with pytest.raises(DataError, match=expected.replace("+", r"\+")):
        imported("coco", root, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", SAFE)
def test_ordinary_class_names_stay(tmp_path, name):
    root = changed(tmp_path, lambda content: content["categories"][1].update(name=name))
    prepared = read_and_split(root, "detection", SECTION, 0)
    assert name in prepared.splits["gold"].class_names


@pytest.mark.parametrize("name", ["a\nb.png", "a\u202egnp.exe.png", "=cmd|'x'!A0.png", "@f(1).png"])
def test_image_names_that_would_act_are_faults_and_left_out_of_the_pool(tmp_path, name):
    root = changed(tmp_path, lambda content: content["images"][1].update(file_name=name))
    write_image(root / "images" / name, 1)
    (fault,) = faults_of(root)
    assert fault.startswith("gold.json: image id 2: expected a name ")
    write_json(root / "gold.json", coco([f"gold/{index}.png" for index in range(4)]))
    assert read_and_split(root, "detection", SECTION, 0).report["unreadable"] == [name]


def test_image_names_like_numbers_stay(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=0)
    for name in ("-1.png", "+2.png", "@3.png", "a (1).png"):
        write_image(root / "images" / name, len(name))
    assert len(read_and_split(root, "detection", SECTION, 0).splits["pool"].images) == 4


@pytest.mark.parametrize("group", ["=f(1)", "a\u202eb"])
def test_group_names_that_would_act_are_faults(tmp_path, group):
    root = raw_root(tmp_path / "raw", gold_count=4)
    (root / "groups.csv").write_text(f"file,group\ngold/0.png,{group}\n", encoding="utf-8")
    (fault,) = faults_of(root)
    assert fault.startswith("groups.csv: 'gold/0.png': expected a name ")
