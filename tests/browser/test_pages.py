"""The pages in a real browser: filters, sorting, keys, links, names of HTML, many images."""

import re
import shutil

import pytest
from selenium.webdriver.common.keys import Keys

from pseudolabel.report.data_file import write_data
from tests.browser.conftest import EVIL
from tests.report.data import read_data

pytestmark = pytest.mark.slow
PAGES = ["index.html", "silver.html", "errors-val.html", "data.html"]
ID, NAME, RELIABILITY, COUNT, CHANGE, DOUBT, REASON, CLASSES, BINS = 0, 1, 5, 6, 7, 8, 9, 10, 11
TILES = """
return [...document.querySelectorAll(".tile")].map(function (tile) {
  const place = tile.getBoundingClientRect();
  return [Number(tile.dataset.id), place.top + scrollY, place.left];
}).sort((a, b) => a[1] - b[1] || a[2] - b[2]).map(row => row[0]);
"""
COUNT_TEXT = "return document.getElementById('count').textContent"
SETTLED = "return /images$/.test(document.getElementById('count').textContent)"
FILLED = "return [...document.querySelectorAll('.gallery')].every(g => g.children.length)"
OPENED = "return document.querySelector('dialog[open] .caption div')?.textContent"


def rows_of(report, number=2):
    return read_data(report / f"rounds/{number}/images-00000.js")[1]


def open_silver(browser, report, address=""):
    browser.open(report, f"silver.html{address}")
    browser.wait(SETTLED)


def shown(browser):
    """The number of images that the page says it shows."""
    return int(browser.run(COUNT_TEXT).split()[0].replace(",", ""))


@pytest.mark.parametrize("task", ["detection", "semantic", "classification"])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_complains_or_is_too_wide(browser, request, task, page):
    report = request.getfixturevalue(task)
    browser.open(report, page)
    browser.wait(FILLED)
    for width in (1200, 400):
        browser.resize(width)
        # The grid is laid out again when it hears of the new size.
        assert browser.wait("return document.documentElement.scrollWidth <= arguments[0]", width)
    assert browser.complaints() == []


def test_names_of_html_are_texts(browser, detection):
    for page in PAGES:
        browser.open(detection, page)
        browser.wait("return document.readyState === 'complete'")
        assert browser.run("return window.evil") is None
    open_silver(browser, detection)
    assert EVIL in browser.run("return document.getElementById('legend').textContent")
    browser.set("name", "onerror")
    assert browser.wait(TILES)
    assert EVIL in browser.run("return document.querySelector('.tile .caption').textContent")
    assert browser.run("return document.querySelectorAll('[onerror]').length") == 0
    assert browser.run("return window.evil") is None


@pytest.mark.parametrize(
    ("control", "value", "passes"),
    [
        ("class", "1", lambda row: 1 in row[CLASSES]),
        ("reason", "kept", lambda row: row[REASON] < 0),
        ("name", "003", lambda row: "003" in row[NAME]),
        ("low", "0.9", lambda row: row[BINS] >> 18),
        ("high", "0.55", lambda row: row[BINS] & ((1 << 11) - 1)),
    ],
)
def test_filters(browser, detection, control, value, passes):
    rows = rows_of(detection)
    open_silver(browser, detection)
    assert shown(browser) == len(rows)
    browser.set(control, value)
    wanted = {row[ID] for row in rows if passes(row)}
    assert 0 < len(wanted) < len(rows)
    assert shown(browser) == len(wanted)
    assert set(browser.run(TILES)) <= wanted


def test_an_outcome_shows_the_images_with_that_reason(browser, detection):
    open_silver(browser, detection)
    names = browser.run("return [...document.getElementById('reason').options].map(o => o.text)")
    place = names.index("dropped: min_boxes")
    browser.set("reason", str(place - 2))
    wanted = [row for row in rows_of(detection) if row[REASON] == place - 2]
    assert shown(browser) == len(wanted) > 0
    assert "dropped: min_boxes" in browser.run("return document.querySelector('.tile').textContent")


@pytest.mark.parametrize(
    ("sort", "column"),
    [("reliability", RELIABILITY), ("objects", COUNT), ("change", CHANGE), ("doubt", DOUBT)],
)
def test_sorting(browser, detection, sort, column):
    rows = {row[ID]: row for row in rows_of(detection)}
    open_silver(browser, detection)
    browser.set("sort", sort)
    values = [rows[image][column] for image in browser.run(TILES)]
    assert values == sorted(values, reverse=True)
    assert values[0] == max(row[column] for row in rows.values())
    browser.set("order", "up")
    values = [rows[image][column] for image in browser.run(TILES)]
    assert values == sorted(values)


def test_keys_step_through_the_images_and_the_address_follows(browser, detection):
    open_silver(browser, detection)
    first, second = browser.run(TILES)[:2]
    names = {row[ID]: row[NAME] for row in rows_of(detection)}
    browser.run("document.querySelector(`.tile[data-id='${arguments[0]}']`).click()", first)
    assert browser.wait(OPENED) == names[first]
    browser.press(Keys.ARROW_RIGHT)
    browser.wait(f"{OPENED} === arguments[0]", names[second])
    assert browser.run("return location.hash") == f"#image={second}"
    browser.press(Keys.ARROW_LEFT)
    browser.wait(f"{OPENED} === arguments[0]", names[first])
    browser.press(Keys.ARROW_LEFT)
    assert browser.run(OPENED) == names[first]
    browser.press(Keys.ESCAPE)
    # The address follows the dialog by an event of its own.
    browser.wait("return !document.querySelector('dialog[open]') && location.hash === ''")
    assert browser.complaints() == []


def test_a_link_opens_its_image_and_its_filters(browser, detection):
    row = rows_of(detection, 1)[-1]
    open_silver(browser, detection, f"#round=1&sort=doubt&name={row[NAME]}&image={row[ID]}")
    assert browser.wait(OPENED) == row[NAME]
    assert shown(browser) == 1
    assert browser.run("return document.getElementById('sort').value") == "doubt"
    assert browser.run("return document.querySelector('.tile').getAttribute('href')") == (
        f"#round=1&image={row[ID]}"
    )


def test_labels_are_drawn_by_outcome_and_say_why(browser, detection):
    open_silver(browser, detection)
    count = "return document.querySelectorAll('.tile .shape.{}').length"
    browser.wait(count.format("kept"))
    assert browser.run(count.format("dropped")) == 0
    browser.set("dropped", True)
    browser.wait(count.format("dropped"))
    title = browser.run("return document.querySelector('.tile .shape.dropped title').textContent")
    assert "dropped: " in title
    browser.set("kept", False)
    browser.wait(f"{count.format('kept')} === 0")
    stroke = "return document.querySelector('.tile .shape.dropped').getAttribute('stroke')"
    before = browser.wait(stroke)
    browser.set("colour", "score")
    browser.wait(
        "const now = document.querySelector('.tile .shape.dropped'); "
        "return now && now.getAttribute('stroke') !== arguments[0]",
        before,
    )


def test_every_label_lies_where_the_index_says(browser, detection):
    labels = read_data(detection / "rounds/2/labels-00000.js")[1]
    image, own = next(
        (row, own) for row, own in zip(rows_of(detection), labels, strict=True) if row[REASON] < 0
    )
    open_silver(browser, detection, f"#image={image[ID]}")
    browser.wait("return document.querySelector('dialog[open] .shape')")
    drawn = browser.run(
        "return [...document.querySelectorAll('dialog[open] .shape.kept')].map(s => "
        "['x', 'y', 'width', 'height'].map(n => Number(s.getAttribute(n))))"
    )
    kept = [label[3] for label in own if label[2] == 0]
    wanted = [[x, y, right - x, bottom - y] for x, y, right, bottom in reversed(kept)]
    assert drawn == [pytest.approx(box) for box in wanted]
    assert len(drawn) >= 9


def test_errors_are_enlarged_with_gold_beside_the_prediction(browser, detection):
    browser.open(detection, "errors-val.html")
    browser.wait("return document.querySelector('[data-source=worst-val] button')").click()
    titles = (
        "return [...document.querySelectorAll('dialog[open] .panel-title')].map(t => t.textContent)"
    )
    assert browser.wait(titles) == ["gold", "prediction"]
    first = browser.run(OPENED)
    browser.press(Keys.ARROW_RIGHT)
    browser.wait(f"{OPENED} !== arguments[0]", first)


LARGE_PICTURE = """
const image = document.querySelector("dialog[open] .picture img");
return image && image.complete && image.naturalWidth && [image.naturalWidth, image.clientWidth];
"""


@pytest.mark.parametrize("page", ["silver.html", "errors-val.html"])
def test_enlarged_images_are_larger_than_thumbnails_and_have_an_actual_size(
    browser, large_images, page
):
    browser.open(large_images, page, width=800)
    browser.wait("return document.querySelector('.tile, .gallery button')").click()
    assert browser.wait(LARGE_PICTURE)[0] == 480
    text = "return document.querySelector('dialog[open]').textContent"
    assert "480 x 96 pixels" in browser.run(text)
    assert "shown from" not in browser.run(text)
    browser.press("1")
    assert browser.wait(LARGE_PICTURE) == [480, 480]
    browser.press("1")
    assert browser.wait(LARGE_PICTURE)[1] != 480
    assert browser.complaints() == []


TAGS = """
return [...document.querySelectorAll("dialog[open] .tag")].map(function (tag) {
  const place = tag.getBoundingClientRect();
  return [tag.textContent, place.left, place.top, place.right, place.bottom];
});
"""


@pytest.mark.parametrize("width", [1200, 400])
def test_tags_do_not_cover_each_other(browser, detection, width):
    browser.open(detection, "silver.html#sort=objects", width=width)
    browser.wait(SETTLED)
    browser.wait("return document.querySelector('.tile')").click()
    tags = browser.wait(TAGS)
    assert len(tags) > 3
    for place, (_, left, top, right, bottom) in enumerate(tags):
        for _, other_left, other_top, other_right, other_bottom in tags[place + 1 :]:
            assert (
                left >= other_right
                or other_left >= right
                or top >= other_bottom
                or (other_top >= bottom)
            )


def test_the_name_of_the_only_class_is_not_written(browser, detection, tmp_path):
    report = shutil.copytree(detection, tmp_path / "report")
    name, site = read_data(report / "site.js")
    for classes in (site["classes"], site["classes"][:1]):
        write_data(report / "site.js", name, site | {"classes": classes})
        browser.open(report, "silver.html")
        browser.wait(SETTLED)
        browser.wait("return document.querySelector('.tile')").click()
        texts = [tag[0] for tag in browser.wait(TAGS)]
        assert all(re.fullmatch(r"0\.\d\d|1\.00", text) for text in texts) == (len(classes) == 1)


def test_wrong_regions_say_which_class_was_taken_for_which(browser, semantic):
    browser.open(semantic, "errors-val.html")
    browser.wait("return document.querySelector('[data-source=worst-val] button')").click()
    tags = {tag[0] for tag in browser.wait(TAGS)}
    caption = browser.run("return document.querySelector('dialog[open] .quiet').textContent")
    assert tags <= set(caption.split(": ")[1].split(", "))
    legend = "return document.querySelector('dialog[open] .legend').children.length"
    assert browser.run(legend) == len(read_data(semantic / "site.js")[1]["classes"])


@pytest.mark.parametrize("task", ["detection", "semantic", "classification"])
def test_galleries_with_colours_of_classes_have_a_legend(browser, request, task):
    report = request.getfixturevalue(task)
    counts = []
    for page in ("index.html", "errors-val.html", "data.html"):
        browser.open(report, page)
        browser.wait(FILLED)
        counts.append(
            browser.run(
                "return [document.querySelectorAll('.gallery').length,"
                " document.querySelectorAll('.legend + .gallery').length]"
            )
        )
    galleries, legends = zip(*counts, strict=True)
    assert sum(galleries) > 3
    assert legends == ((0, 0, 0) if task == "classification" else galleries)


def test_a_tile_shows_what_images_are_sorted_by(browser, detection):
    open_silver(browser, detection)
    caption = "return document.querySelector('.tile:not(.is-dropped) .quiet').textContent"
    for sort, text in (
        ("doubt", "doubt "),
        ("reliability", "reliability "),
        ("change", "% changed"),
    ):
        browser.set("sort", sort)
        assert text in browser.wait(caption)


def test_the_opacity_of_label_maps_can_be_changed(browser, semantic):
    open_silver(browser, semantic)
    opacity = "return getComputedStyle(document.querySelector('.tile .map')).opacity"
    browser.wait("return document.querySelector('.tile .map')")
    assert browser.run(opacity) == "0.6"
    browser.set("opacity", "0.25")
    browser.wait("return document.querySelector('.tile .map')")
    assert browser.run(opacity) == "0.25"
    assert browser.run("return location.hash") == "#opacity=0.25"


def test_classes_have_three_bars(browser, classification):
    open_silver(browser, classification)
    bars = "return document.querySelectorAll('.tile:first-child .chances svg').length"
    assert browser.wait(bars) == 3


@pytest.fixture(scope="module")
def many(detection, tmp_path_factory):
    """The report with 10,000 images in the last round: the same ones again and again."""
    report = tmp_path_factory.mktemp("many") / "report"
    shutil.copytree(detection, report)
    rows, labels = rows_of(detection), read_data(detection / "rounds/2/labels-00000.js")[1]
    images = [
        [number, f"{number:05d}.png", *rows[number % len(rows)][2:]] for number in range(10000)
    ]
    for first in range(0, 10000, 2000):
        name = f"images-{first // 2000:05d}"
        write_data(report / f"rounds/2/{name}.js", f"rounds/2/{name}", images[first : first + 2000])
    for first in range(0, 10000, 200):
        name = f"labels-{first // 200:05d}"
        part = [labels[number % len(labels)] for number in range(first, first + 200)]
        write_data(report / f"rounds/2/{name}.js", f"rounds/2/{name}", part)
    _, site = read_data(report / "site.js")
    site["rounds"]["2"]["images"] = 10000
    write_data(report / "site.js", "site", site)
    return report


GAPS = """
const grid = document.getElementById("grid").getBoundingClientRect();
const tiles = [...document.querySelectorAll(".tile")].map(t => t.getBoundingClientRect());
let gaps = 0;
for (let y = Math.max(grid.top, 0) + 20; y < Math.min(grid.bottom, innerHeight); y += 150) {
  for (let x = grid.left + 50; x < grid.right - 100; x += 150) {
    const inside = tiles.some(t => x > t.left - 20 && x < t.right + 20
      && y > t.top - 20 && y < t.bottom + 20);
    gaps += inside ? 0 : 1;
  }
}
return gaps;
"""
FRAME = "return new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true))))"


def test_ten_thousand_images_are_scrolled_without_gaps(browser, many):
    open_silver(browser, many)
    assert shown(browser) == 10000
    whole = browser.run("return document.documentElement.scrollHeight")
    for share in (0, 0.1, 0.5, 0.55, 0.999, 0.2):
        browser.run("scrollTo(0, arguments[0])", int(share * (whole - 900)))
        browser.run(FRAME)
        assert browser.run(GAPS) == 0
        assert browser.run("return document.querySelectorAll('.tile').length") < 200
    browser.wait("return document.querySelectorAll('.tile .shape').length > 20")
    browser.set("sort", "name")
    browser.set("name", "09999")
    assert browser.run(TILES) == [9999]
    assert browser.complaints() == []
