"""The pages and their data, without a browser."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pseudolabel.core.files import hash_folder, read_json, write_json
from pseudolabel.core.project import REPORT, RoundFolder
from pseudolabel.formats.image_files import ChangedImageError
from pseudolabel.formats.shards import read_shards
from pseudolabel.formats.silver_folder import DECISIONS, kept_images, read_decisions
from pseudolabel.report.image_copies import THUMBNAIL
from pseudolabel.report.round_index import write_round_index
from tests.report.data import read_data
from tests.report.project import PREPARED, RAW, make_project

TASKS = ["detection", "instance", "semantic", "classification"]
EVIL = "</script><img src=x onerror=alert(1)>"
uses_project = pytest.mark.usefixtures("project")
EVIL_FILE = "<b onclick=alert(1)>&'\".png"
NAME, COUNT, CHANGE, REASON, CLASSES = 1, 6, 7, 9, 10


class Tags(HTMLParser):
    """Collects the tags of a page, and the names of their attributes."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.sources = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.sources += [value for name, value in attrs if name in ("src", "href")]


def tags_of(path):
    page = Tags()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.fixture(scope="module", params=TASKS)
def built(request, tmp_path_factory):
    """A project of each task with its report, and its folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp(request.param)
        patch.chdir(folder)
        # Data with such a name is refused. The pages must not depend on that.
        patch.setattr("pseudolabel.formats.coco_rows.describe_class_fault", lambda _: None)
        made = make_project(request.param, names=[EVIL], file_name=EVIL_FILE)
        made.write_report()
        yield made, folder


@pytest.fixture
def project(built, monkeypatch):
    """The project of a task; its folder is the working folder."""
    monkeypatch.chdir(built[1])
    return built[0]


def images_of(number):
    return read_data(REPORT / f"rounds/{number}/images-00000.js")[1]


def labels_of(number):
    return read_data(REPORT / f"rounds/{number}/labels-00000.js")[1]


@uses_project
def test_an_index_has_few_files_whatever_the_pool():
    names = {path.name for path in RoundFolder(2).index.iterdir()}
    assert names - {"maps"} == {"round.json", "pages.parquet"}


@uses_project
def test_every_page_links_to_files_that_exist():
    pages = sorted(REPORT.glob("*.html"))
    assert [path.name for path in pages] == [
        "data.html",
        "errors-val.html",
        "index.html",
        "silver.html",
    ]
    for path in pages:
        sources = [name for name in tags_of(path).sources if not name.startswith("../")]
        assert len(sources) > 6
        assert all((REPORT / name).is_file() for name in sources), path


@uses_project
def test_no_page_has_code_or_styles_of_its_own():
    for path in REPORT.glob("*.html"):
        page = tags_of(path)
        assert "style" not in page.tags + page.attributes
        assert "onerror" not in page.attributes
        assert not [name for name in page.attributes if name.startswith("on")]
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script[^>]*>[^<]", text)
        assert "default-src 'none'" in text
        assert "unsafe" not in text
        assert "http" not in re.sub(r"http-equiv|http://www.w3.org/2000/svg", "", text)


@uses_project
def test_no_text_of_the_data_means_something_to_html():
    for path in REPORT.rglob("*.js"):
        if "assets" not in path.parts:
            assert not set("<>&") & set(path.read_text(encoding="utf-8"))
    assert EVIL in read_data(REPORT / "site.js")[1]["classes"]
    assert "&lt;/script&gt;&lt;img" in (REPORT / "index.html").read_text(encoding="utf-8")


@uses_project
def test_the_index_has_every_image_of_the_pool_with_its_decision():
    folder = RoundFolder(2)
    rows, labels = images_of(2), labels_of(2)
    ids, reliabilities, reasons = read_decisions(folder.silver / DECISIONS)
    assert [row[0] for row in rows] == ids.tolist()
    assert len(labels) == len(rows) == 12
    assert [row[5] for row in rows] == pytest.approx(reliabilities, abs=6e-4)
    names = read_json(folder.index / "round.json")["reasons"]
    assert [names[row[REASON]] if row[REASON] >= 0 else "" for row in rows] == reasons
    assert sorted(row[0] for row in rows if row[REASON] < 0) == sorted(
        kept_images(folder.silver / DECISIONS)
    )


def test_an_index_has_shards_and_the_report_a_picture_of_each_label_map(project):
    ids = [row[0] for row in images_of(2)] if project.params.task == "semantic" else []
    assert not list(RoundFolder(2).index.rglob("*.png"))
    pictures = sorted(REPORT.glob("rounds/2/maps/*"))
    assert [path.name for path in pictures] == [f"{image_id:09d}.png" for image_id in sorted(ids)]
    for path in pictures:
        with Image.open(path) as picture:
            assert (picture.mode, picture.size) == ("P", (96, 80))


@uses_project
def test_counts_and_classes_are_those_of_the_silver():
    silver = read_shards(RoundFolder(2).silver)
    silver = silver[~silver.crowds]
    for row in images_of(2):
        own = silver[silver.image_ids == row[0]]
        assert row[COUNT] == len(own)
        assert len(row[CLASSES]) == len(np.unique(own.category_ids))


@uses_project
def test_every_image_has_a_thumbnail():
    for row in images_of(1):
        assert THUMBNAIL.path(REPORT, row[2]).is_file()


@uses_project
def test_the_images_whose_silver_changed_most_come_first():
    rows = images_of(2)
    _, changes = read_data(REPORT / "data/changes.js")
    assert changes
    assert all(len(item["panels"]) == 2 for item in changes)
    changed = {row[NAME] for row in rows if row[CHANGE] > 0}
    assert {item["image"][1] for item in changes} <= changed
    captions = [item["caption"] for item in changes]
    counts = [int(text.split()[0].rstrip("%")) for text in captions if "changed" in text]
    assert counts == sorted(counts, reverse=True)
    assert len(captions) == min(10, len(changed))


@uses_project
def test_what_changed_says_when_an_image_had_no_labels():
    _, changes = read_data(REPORT / "data/changes.js")
    titles = [panel["title"] for item in changes for panel in item["panels"]]
    drawn = [
        bool(panel.keys() & {"labels", "bars", "map"})
        for item in changes
        for panel in item["panels"]
    ]
    assert [not title.endswith(": no labels") for title in titles] == drawn


def tables_of(page):
    """The texts of a page about the data, up to the first sheet of images."""
    body = page.read_text(encoding="utf-8").split("</h1>")[1].split("<h2>gold</h2>")[0]
    return re.findall(r">\s*([^<>]*[^<>\s])\s*<", body)


@uses_project
def test_the_page_of_prepare_and_the_data_page_say_the_same():
    texts = tables_of(REPORT / "data.html")
    assert "Distributions" in texts
    assert len(texts) > 40
    assert texts == tables_of(PREPARED / "report.html")


def test_the_same_inputs_give_the_same_bytes(project):
    before = hash_folder(REPORT)
    shutil.rmtree(REPORT)
    for number in range(3):
        write_round_index(RoundFolder(number), PREPARED, project.params.task)
    project.write_report()
    assert hash_folder(REPORT) == before


def test_thumbnails_are_taken_from_the_report_before(project):
    def files():
        return {path.name: path.stat().st_ino for path in REPORT.rglob("*.jpg")}

    before = files()
    project.write_report()
    assert files() == before


def test_errors_on_test_are_shown_if_they_are_asked_for(project):
    section = project.params.report.model_copy(update={"test_errors": True})
    params = project.params.model_copy(update={"report": section})
    type(project)(params).write_report()
    assert (REPORT / "errors-test.html").is_file()
    assert 'href="errors-test.html"' in (REPORT / "index.html").read_text(encoding="utf-8")
    project.write_report()
    assert not (REPORT / "errors-test.html").exists()


@pytest.fixture
def detection(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_project("detection", rounds=1)


def test_the_labels_of_an_image_are_those_of_the_filter(detection):
    detection.write_report()
    report = read_json(RoundFolder(1).silver / "report.json")["annotations"]
    labels = [label for labels in labels_of(1) for label in labels]
    kept = {row[0] for row in images_of(1) if row[REASON] < 0}
    rows = dict(zip([row[0] for row in images_of(1)], labels_of(1), strict=True))
    outcomes = [label[2] for image in kept for label in rows[image]]
    assert outcomes.count(0) == report["out"]
    assert outcomes.count(1) == sum(report["hidden_by_class"].values())
    names = read_json(RoundFolder(1).index / "round.json")["reasons"]
    too_low = sum(label[2] - 2 == names.index("score") for label in labels)
    assert too_low == sum(report["dropped"]["score"].values())
    assert all(
        label[1] < 0.3 for label in labels if label[2] >= 2 and names[label[2] - 2] == "score"
    )


@pytest.mark.usefixtures("detection")
def test_an_index_changes_with_the_one_before():
    facts = read_json(RoundFolder(1).index / "round.json")
    assert facts["before"] == read_json(RoundFolder(0).index / "round.json")["content"]
    record = read_json(RoundFolder(0).model / "training.json") | {"weights": "other"}
    write_json(RoundFolder(0).model / "training.json", record)
    for number in (0, 1):
        write_round_index(RoundFolder(number), PREPARED, "detection")
    assert read_json(RoundFolder(1).index / "round.json")["content"] != facts["content"]


def test_a_report_of_round_0_has_no_silver(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "| round |" in make_project("detection", rounds=0).write_report()
    assert not (REPORT / "silver.html").exists()
    assert not (REPORT / "rounds").exists()
    assert (REPORT / "errors-val.html").is_file()


def test_an_image_that_changed_after_prepare_stops_the_report(detection):
    name = images_of_raw()[-1]
    (RAW / "images" / name).write_bytes((RAW / "images" / images_of_raw()[0]).read_bytes())
    with pytest.raises(ChangedImageError, match="dvc repro"):
        detection.write_report()
    assert not REPORT.exists()


def images_of_raw():
    return sorted(path.name for path in Path(RAW / "images").iterdir())


def test_an_image_that_cannot_be_decoded_has_a_grey_thumbnail(detection, monkeypatch):
    monkeypatch.setattr("pseudolabel.report.image_copies.decode_small", raise_unreadable)
    detection.write_report()
    sizes = {path.stat().st_size for path in REPORT.rglob("*.jpg")}
    assert len(sizes) == 1


def raise_unreadable(*_):
    from pseudolabel.formats.image_header import UnreadableImageError  # noqa: PLC0415

    raise UnreadableImageError
