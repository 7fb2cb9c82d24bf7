import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import DataError
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco, read_coco
from pseudolabel.formats.coco_writer import write_coco
from tests import builders


def test_gold_is_the_same_after_writing_and_reading(tmp_path):
    before = builders.dataset(5)
    write_coco(tmp_path / "gold.json", before)
    after = read_coco(tmp_path / "gold.json")
    assert after.categories == before.categories
    assert builders.same_rows(after.annotations, before.annotations)
    assert after.images.file_names.tolist() == before.images.file_names.tolist()
    rows = orjson.loads((tmp_path / "gold.json").read_bytes())["annotations"]
    assert {row["source"] for row in rows} == {"gold"}


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 30))
def test_silver_keeps_its_source_round_and_teacher(tmp_path_factory, seed, count):
    path = tmp_path_factory.mktemp("coco") / "silver.json"
    found = builders.random_predictions(np.random.default_rng(seed), count, 6)
    # The file has two decimals, so that equal labels give equal bytes.
    found = Annotations.predicted(
        found.image_ids,
        found.category_ids,
        found.boxes_xyxy.round(2),
        found.scores.round(4),
        round_number=3,
    )
    found.ids[:] = np.arange(1, count + 1)
    write_coco(
        path,
        Dataset(builders.images(6, width=200, height=200), found, builders.CATEGORIES),
        {3: "abc"},
    )
    after = read_coco(path).annotations
    assert np.allclose(after.boxes_xyxy, found.boxes_xyxy, atol=0.011)
    assert np.array_equal(after.scores, found.scores)
    rows = orjson.loads(path.read_bytes())["annotations"]
    provenance = {(row["source"], row["round"], row["teacher"]) for row in rows}
    assert provenance == ({("silver", 3, "abc")} if count else set())


def test_a_missing_area_is_computed_and_a_small_overhang_is_clipped(tmp_path):
    content = builders.coco(["a.png"])
    content["annotations"][0]["bbox"] = [-0.5, 3, 20, 27.5]
    builders.write_json(tmp_path / "gold.json", content)
    annotations = read_coco(tmp_path / "gold.json").annotations
    assert annotations.boxes_xyxy.tolist() == [[0, 3, 19.5, 30]]
    assert annotations.areas.tolist() == [19.5 * 27]


def change(content, table, **values):
    content[table][0].update(values)


FAULTS = [
    ("no list", lambda c: c.update(images=7), "images: expected a list, found int"),
    ("no categories", lambda c: c.pop("categories"), "categories: expected a list, found nothing"),
    ("no object", lambda c: c["images"].append(3), "images[2]: expected an object, found int"),
    (
        "duplicate image id",
        lambda c: change(c, "images", id=2),
        "image id 2: expected a unique id, found a duplicate id",
    ),
    (
        "duplicate annotation id",
        lambda c: change(c, "annotations", id=2),
        "annotation id 2: expected a unique id, found a duplicate id",
    ),
    (
        "an id that is no number",
        lambda c: change(c, "images", id="x"),
        "images[0]: expected an `id`, a whole number from 0 up, found 'x'",
    ),
    (
        "a huge id",
        lambda c: change(c, "annotations", id=2**63),
        "annotations[0]: expected an `id`, a whole number from 0 up, found 9223372036854775808",
    ),
    (
        "unknown category",
        lambda c: change(c, "annotations", category_id=9),
        "annotation id 1 on a.png: expected a `category_id` of [1, 2, 3], found 9",
    ),
    (
        "unknown image",
        lambda c: change(c, "annotations", image_id=9),
        "annotation id 1: expected an `image_id` of the images, found 9",
    ),
    (
        "box outside",
        lambda c: change(c, "annotations", bbox=[35, 3, 10, 12]),
        "annotation id 1 on a.png: expected a box inside the image (40x30), found [35, 3, 10, 12]",
    ),
    (
        "box without area",
        lambda c: change(c, "annotations", bbox=[5, 3, 0, 12]),
        "annotation id 1 on a.png: expected a box with an area, found width 0 and height 12",
    ),
    (
        "box of three",
        lambda c: change(c, "annotations", bbox=[5, 3]),
        (
            "annotation id 1 on a.png: "
            "expected a `bbox` of 4 finite numbers, x, y, width, height, found [5, 3]"
        ),
    ),
    (
        "no file name",
        lambda c: change(c, "images", file_name=""),
        "image id 1: expected a `file_name`, a text, found ''",
    ),
    (
        "one file twice",
        lambda c: change(c, "images", file_name="b.png"),
        "image id 2: expected a unique file, found 'b.png' again",
    ),
    (
        "no width",
        lambda c: change(c, "images", width=None),
        "image id 1: expected `width` and `height`, whole numbers of pixels, found None and 30",
    ),
    (
        "one class twice",
        lambda c: change(c, "categories", name="rod"),
        "category id 2: expected a unique name, found 'rod' again",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "message"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_each_fault_has_its_message(tmp_path, spoil, message):
    content = builders.coco(["a.png", "b.png"])
    spoil(content)
    builders.write_json(tmp_path / "gold.json", content)
    with pytest.raises(DataError) as caught:
        read_coco(tmp_path / "gold.json")
    assert f"gold.json: {message}" in {str(fault) for fault in caught.value.faults}


def test_all_faults_are_reported_together(tmp_path):
    content = builders.coco(["a.png", "b.png", "c.png"])
    content["annotations"][0]["category_id"] = 9
    content["annotations"][1]["bbox"] = [0, 0, -1, 5]
    content["images"][2]["width"] = 0
    builders.write_json(tmp_path / "gold.json", content)
    with pytest.raises(DataError, match="3 faults in the data") as caught:
        read_coco(tmp_path / "gold.json")
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"images": NaN}', b"[" * 5000, b"\xff"])
def test_a_file_that_is_no_coco_is_refused(tmp_path, content):
    (tmp_path / "gold.json").write_bytes(content)
    with pytest.raises(DataError, match="gold.json"):
        read_coco(tmp_path / "gold.json")


@pytest.mark.parametrize(
    ("table", "key", "change"),
    [
        ("images", "image_id", {"width": 40.0}),
        ("images", "image_id", {"file_name": None}),
        ("images", "image_id", {"id": "1"}),
        ("images", "image_id", {"id": 1.0}),
        ("categories", "category_id", {"name": None}),
        ("categories", "category_id", {"id": "1"}),
    ],
)
def test_labels_of_an_image_or_category_with_a_fault_are_no_faults(tmp_path, table, key, change):
    content = builders.coco(["a.png", "b.png"])
    for row in content["annotations"]:
        row[key] = 1
    content[table][0] |= change
    path = tmp_path / "gold.json"
    for written in {1, change.get("id", 1)}:
        content["annotations"][0][key] = written
        builders.write_json(path, content)
        dataset, faults = parse_coco(path, Contract.BOX)
        assert (len(faults), len(dataset.annotations)) == (1, 0)
    for wrong in (9, "9", [1], None, {"a": 1}):
        content["annotations"][0][key] = wrong
        builders.write_json(path, content)
        _, faults = parse_coco(path, Contract.BOX)
        place = "" if key == "image_id" else " on a.png"
        assert [fault.record for fault in faults[1:]] == [f"annotation id 1{place}"]


def test_an_image_id_as_text_is_a_fault_beside_a_sound_image(tmp_path):
    content = builders.coco(["a.png"])
    content["annotations"][0]["image_id"] = "1"
    builders.write_json(tmp_path / "gold.json", content)
    with pytest.raises(DataError, match="an `image_id` of the images, found '1'"):
        read_coco(tmp_path / "gold.json")
