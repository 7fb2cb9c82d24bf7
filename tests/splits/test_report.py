import csv
import re

import cv2
import numpy as np
import pytest

from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.pages.drawing import draw_annotations
from pseudolabel.pages.palette import class_colour
from pseudolabel.splits.prepare import prepare
from tests.builders import CATEGORIES, gold, raw_root, splitting

TRAITS = {
    "class",
    "labels_per_image",
    "box_width_to_height",
    "label_side_px",
    "image_side_px",
    "share_covered",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    root = raw_root(folder / "raw", gold_count=12, val=4, test=3, pool_count=20)
    (root / "images" / "pool" / "0.png").write_bytes(
        (root / "images" / "test" / "1.png").read_bytes()
    )
    for name in ("one", "two"):
        prepare(root, folder / name, "detection", splitting(duplicate_distance=4), 0)
    return folder


def test_every_trait_has_a_table_whose_shares_add_up_in_each_split(prepared):
    tables = sorted((prepared / "one" / "plots").glob("*.csv"))
    assert {path.stem for path in tables} == TRAITS
    for path in tables:
        with path.open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for split in ("gold", "val", "test"):
            shares = [float(row["share"]) for row in rows if row["split"] == split]
            assert sum(shares) == pytest.approx(1, abs=1e-4)


def test_the_table_of_classes_has_the_shares_of_each_split(prepared):
    with (prepared / "one" / "plots" / "class.csv").open(encoding="utf-8") as stream:
        shares = {row["bin"]: float(row["share"]) for row in csv.DictReader(stream)}
    # The builder's n-th image has one box, of class 1 + n % 3; val has the images 13 to 16.
    assert shares["rod (val)"] == 0.5
    assert shares["disc (val)"] == shares["star (val)"] == 0.25
    assert shares["disc (gold)"] == pytest.approx(1 / 3, abs=1e-5)


def test_the_page_has_counts_removed_images_and_pictures_of_every_split(prepared):
    page = (prepared / "one" / "report.html").read_text()
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Distributions",
        "Removed images",
        "gold",
        "val",
        "test",
        "pool",
    ]
    assert "<td>pool/0.png</td><td>pool</td><td>test/1.png</td><td>test</td><td>copy</td>" in page
    assert "<td>gold</td><td>12</td><td>12</td>" in page
    # All images of test, val and gold, and twelve of the pool.
    assert page.count("<figure>") == 3 + 4 + 12 + 12


def test_the_same_data_gives_the_same_bytes(prepared):
    one, two = (sorted((prepared / name).rglob("*")) for name in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two]
    assert all(
        a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True) if a.is_file()
    )


def rgb(class_index):
    text = class_colour(class_index).lstrip("#")
    return [int(text[start : start + 2], 16) for start in (0, 2, 4)]


def test_boxes_are_drawn_in_the_colours_of_the_legend(tmp_path):
    grey = np.full((80, 100, 3), 128, np.uint8)
    rows = gold([(1, 1, (10, 10, 40, 40)), (1, 3, (50, 50, 90, 70))])
    drawn = draw_annotations(grey, rows, CATEGORIES, tmp_path)
    assert drawn[10, 20].tolist() == rgb(0)
    assert drawn[50, 70].tolist() == rgb(2)
    assert (grey == 128).all()


def test_label_maps_are_drawn_over_the_image(tmp_path):
    grey = np.full((80, 100, 3), 128, np.uint8)
    labels = np.full((80, 100), 255, np.uint8)
    labels[:40] = 1
    SplitFolder(tmp_path).write_label_map(1, labels)
    rows = gold([(1, 2, (np.nan,) * 4)])
    drawn = draw_annotations(grey, rows, CATEGORIES, tmp_path)
    assert (drawn[60] == 128).all()
    expected = 0.55 * 128 + 0.45 * np.array(rgb(1))
    assert drawn[10, 10] == pytest.approx(expected, abs=2)


def test_grey_16_bit_and_rgba_images_are_drawn(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    pixels = np.random.default_rng(9).integers(0, 255, (30, 40), np.uint8)
    cv2.imwrite(str(root / "images" / "gold" / "0.png"), pixels)
    cv2.imwrite(str(root / "images" / "gold" / "1.png"), pixels.astype(np.uint16) * 256)
    cv2.imwrite(str(root / "images" / "gold" / "2.png"), np.dstack([pixels] * 4))
    prepare(root, tmp_path / "out", "detection", splitting(), 0)
    assert (tmp_path / "out" / "report.html").exists()


def test_the_page_names_images_that_cannot_be_decoded(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4)
    path = root / "images" / "pool" / "1.png"
    path.write_bytes(path.read_bytes()[:300])
    prepare(root, tmp_path / "out", "detection", splitting(), 0)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<p>pool/1.png: cannot be decoded</p>" in page
