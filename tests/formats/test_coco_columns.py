"""Files of this project are read as columns, with the result of reading them object by object."""

from dataclasses import fields, replace

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pseudolabel.core.records import Annotations, Dataset, Images
from pseudolabel.formats import coco_lines
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_columns import count_crowds, read_columns, read_image_columns
from pseudolabel.formats.coco_reader import parse_coco, read_coco
from pseudolabel.formats.coco_writer import write_coco
from pseudolabel.formats.split_folder import SplitFolder
from tests import builders

ROWS = 40


def mixed_dataset(boxes=True):
    """Gold, silver and reviewed rows with crowds, some boxes at the edge, names of all kinds."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, (ROWS, 2))
    ends = np.minimum(corners + rng.uniform(1, 60, (ROWS, 2)), [100, 80])
    rows = Annotations.gold(
        rng.permutation(ROWS) + 1,
        rng.integers(1, 9, ROWS),
        rng.integers(1, 4, ROWS),
        np.concatenate([corners, ends], axis=1) if boxes else np.full((ROWS, 4), np.nan),
        rng.uniform(1, 90, ROWS) if boxes else np.full(ROWS, np.nan),
        rng.random(ROWS) < 0.2,
    )
    rounds = rng.choice([-1, 0, 2], ROWS).astype(np.int16)
    rows = replace(rows, rounds=rounds, scores=rng.random(ROWS).astype(np.float32))
    images = builders.images(8)
    names = ["a.png", "b c/d.png", "é.png", '"q".png', "-x.png", ".y/z.png", "},.png", "n\\l.png"]
    hashes = ["ab", *[""] * 7]
    images = Images.build(images.ids, names, images.widths, images.heights, hashes)
    return Dataset(images, rows, builders.CATEGORIES)


def assert_same(found, expected):
    assert found.categories == expected.categories
    for table in ("images", "annotations"):
        one, other = getattr(found, table), getattr(expected, table)
        for field in fields(one):
            values, wanted = getattr(one, field.name), getattr(other, field.name)
            assert values.dtype == wanted.dtype
            assert np.array_equal(values, wanted, equal_nan=values.dtype.kind == "f")


@pytest.mark.parametrize("boxes", [True, False], ids=["boxes", "classes"])
@pytest.mark.parametrize("chunk", [1 << 25, 300], ids=["one chunk", "many chunks"])
def test_columns_are_those_of_reading_object_by_object(tmp_path, monkeypatch, boxes, chunk):
    path = tmp_path / "coco.json"
    write_coco(path, mixed_dataset(boxes), {2: "weights"})
    monkeypatch.setattr(coco_lines, "_CHUNK_BYTES", chunk)
    found = read_columns(path)
    expected, faults = parse_coco(path, Contract.ANY)
    assert not faults
    assert_same(found, expected)
    assert set(found.annotations.rounds.tolist()) == {-1, 0, 2}


@pytest.mark.parametrize("own_layout", [True, False], ids=["own layout", "another layout"])
def test_images_and_counts_are_read_without_the_annotations(tmp_path, own_layout):
    path, dataset = tmp_path / "coco.json", mixed_dataset()
    write_coco(path, dataset, {2: "weights"})
    if not own_layout:
        path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes())))
    assert (read_image_columns(path) is not None) == own_layout
    assert (count_crowds(path) is not None) == own_layout
    split = SplitFolder(tmp_path)
    assert split.read_images().file_names.tolist() == dataset.images.file_names.tolist()
    assert split.count_annotations() == (ROWS, int(dataset.annotations.crowds.sum()))


def test_a_file_without_rows_is_read(tmp_path):
    write_coco(tmp_path / "coco.json", Dataset.empty(builders.CATEGORIES))
    assert_same(read_columns(tmp_path / "coco.json"), Dataset.empty(builders.CATEGORIES))


TOKENS = [
    b"null",
    b"true",
    b"1e999",
    b"-1",
    b"0",
    b"1.5",
    b'"x"',
    b"{",
    b"},\n",
    b"\n",
    b"\xff",
    b" ",
]
SOURCE = b'"source":"gold"'
MORE = [b'"id":1,', b'"bbox":[1,2,3],', b'"bbox":null,', b'"score":"7",', b'"iscrowd":2,', b""]


@settings(deadline=None, max_examples=150)
@given(place=st.floats(0, 1), removed=st.sampled_from([0, 1, 4, 60]), added=st.sampled_from(TOKENS))
@example(place=0.999, removed=2, added=b" ")
def test_damaged_files_are_left_to_the_reader_that_lists_faults(
    tmp_path_factory, place, removed, added
):
    path = tmp_path_factory.mktemp("coco") / "coco.json"
    write_coco(path, mixed_dataset(), {2: "weights"})
    content = path.read_bytes()
    start = int(place * len(content))
    path.write_bytes(content[:start] + added + content[start + removed :])
    found = read_columns(path)
    expected, faults = parse_coco(path, Contract.ANY)
    if faults:
        assert found is None
    if found is not None:
        assert_same(found, expected)


@pytest.mark.parametrize("more", MORE)
def test_faults_of_single_rows_are_found(tmp_path, more):
    path = tmp_path / "coco.json"
    write_coco(path, mixed_dataset(), {2: "weights"})
    path.write_bytes(path.read_bytes().replace(SOURCE, more + SOURCE, 3))
    expected, faults = parse_coco(path, Contract.ANY)
    assert (read_columns(path) is None) == (more != b"")
    if not faults:
        assert_same(read_coco(path), expected)


CHANGES = [
    ("images", "width", 0),
    ("images", "height", 3),
    ("images", "file_name", "b c/d.png"),
    ("images", "file_name", "a\u202eb.png"),
    ("images", "id", 3),
    ("annotations", "image_id", 99),
    ("annotations", "category_id", 99),
    ("annotations", "bbox", [0, 0, 0, 5]),
    ("annotations", "bbox", [0, 0, 200, 5]),
    ("annotations", "bbox", [0, 0, 5, 5, 5]),
    ("annotations", "round", 40_000),
    ("annotations", "iscrowd", 3),
    ("categories", "name", "rod"),
]


@pytest.mark.parametrize(("table", "key", "value"), CHANGES)
def test_a_row_with_a_fault_is_left_to_the_reader_that_lists_faults(tmp_path, table, key, value):
    path = tmp_path / "coco.json"
    write_coco(path, mixed_dataset(), {2: "weights"})
    line = orjson.dumps(orjson.loads(path.read_bytes())[table][0])
    changed = orjson.dumps(orjson.loads(line) | {key: value})
    content = path.read_bytes()
    assert line in content
    path.write_bytes(content.replace(line, changed))
    assert read_columns(path) is None
    assert parse_coco(path, Contract.ANY)[1]
