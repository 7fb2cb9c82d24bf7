"""Which images have large copies, and how large they are."""

import cv2
import pytest

from pseudolabel.core.project import REPORT
from pseudolabel.report import image_copies
from pseudolabel.report.image_copies import LARGE, MOST_LARGE, THUMBNAIL, Picture, choose_large
from tests.report.data import read_data
from tests.report.project import make_project


def test_only_images_larger_than_a_thumbnail_have_large_copies_each_once():
    small, first, second = (
        Picture("small.png", "a", THUMBNAIL.side),
        Picture("first.png", "b", THUMBNAIL.side + 1),
        Picture("second.png", "c", 5000),
    )
    copy = Picture("copy of first.png", "b", THUMBNAIL.side + 1)
    assert [picture.digest for picture in choose_large([small, first, second, copy])] == ["b", "c"]


def test_their_number_is_bounded_and_the_first_ones_are_chosen():
    pictures = [Picture(f"{number}.png", str(number), 900) for number in range(2 * MOST_LARGE)]
    assert choose_large(pictures) == pictures[:MOST_LARGE]


def test_equal_images_with_several_names_are_written_once(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(image_copies, "_copy", lambda path, *_: written.append(path) or b"jpeg")
    copies = [(THUMBNAIL, Picture(f"{number}.png", "d1", 10)) for number in range(50)]
    copies += [(LARGE, Picture("0.png", "d1", 10))]
    image_copies.write_copies(copies, tmp_path, tmp_path / "report", tmp_path / "scratch")
    assert len(written) == 2
    assert THUMBNAIL.path(tmp_path / "report", "d1").read_bytes() == b"jpeg"


@pytest.fixture
def large_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sample = {"gold": 3, "val": 4, "test": 2, "pool": 6, "width": 480, "height": 96}
    return make_project("detection", rounds=2, **sample)


def sizes_of(folder):
    return {path.stem: cv2.imread(str(path)).shape[:2] for path in folder.rglob("*.jpg")}


def test_images_of_galleries_and_of_the_pool_have_large_copies(large_images):
    large_images.write_report()
    large, small = (sizes_of(REPORT / size.folder) for size in (LARGE, THUMBNAIL))
    assert set(large.values()) == {(96, 480)}
    assert set(small.values()) == {(80, 400)}
    pool = {row[2] for row in read_data(REPORT / "rounds/2/images-00000.js")[1]}
    worst = {item["image"][2] for item in read_data(REPORT / "data/worst-val.js")[1]}
    assert pool | worst <= set(large)
    assert read_data(REPORT / "site.js")[1]["with_large"] == sorted(large)


def test_galleries_come_before_the_most_doubtful_images_of_the_pool(large_images, monkeypatch):
    large_images.write_report()
    names = ["worst-val", "unlabelled-val", "changes"]
    names += [f"sheet-{split}" for split in ("gold", "val", "tuning", "test", "pool")]
    shown = {
        item["image"][2] for name in names for item in read_data(REPORT / f"data/{name}.js")[1]
    }
    monkeypatch.setattr(image_copies, "MOST_LARGE", len(shown))
    large_images.write_report()
    assert set(sizes_of(REPORT / LARGE.folder)) == shown


def test_doubtful_images_of_a_large_pool_are_chosen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pseudolabel.report.round_index._MOST_DOUBTFUL", 3)
    sample = {"gold": 3, "val": 4, "test": 2, "pool": 30, "width": 480, "height": 96}
    make_project("detection", rounds=1, **sample).write_report()
    rows = read_data(REPORT / "rounds/1/images-00000.js")[1]
    doubtful = sorted(rows, key=lambda row: (-row[8], row[0]))[:3]
    with_large = read_data(REPORT / "site.js")[1]["with_large"]
    assert {row[2] for row in doubtful} <= set(with_large)
    assert not {row[2] for row in rows} <= set(with_large)
