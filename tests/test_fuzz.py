"""Readers accept any JSON or refuse it with faults: no content makes them crash."""

from contextlib import suppress

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import DataError
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from pseudolabel.raw.repair import repair
from pseudolabel.splits.prepare import read_and_split
from tests.builders import raw_root, splitting, write_image

KEYS = (
    *("id", "image_id", "category_id", "file_name", "width", "height", "bbox", "segmentation"),
    *("size", "counts", "score", "iscrowd", "area", "name", "hash", "round"),
    *("label", "points", "shape_type", "group_id"),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-1, 12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["0.png", "../0.png", "", "/", "polygon", "a" * 300, "\x00", "\ud7ff"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
ROWS = st.lists(
    st.one_of(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8), VALUES), max_size=4
)


@st.composite
def coco_like(draw):
    """An object with the three lists of COCO, in which some rows are nearly valid."""
    image = {"id": 1, "file_name": "0.png", "width": 40, "height": 30}
    label = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 12]}
    label["segmentation"] = [[1, 2, 10, 2, 10, 12]]
    rows = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3)
    return {
        "images": [image | draw(rows), *draw(ROWS)],
        "categories": [{"id": 1, "name": "disc"} | draw(rows), *draw(ROWS)],
        "annotations": [label | draw(rows), *draw(ROWS)],
    } | draw(
        st.dictionaries(st.sampled_from(["images", "annotations", "shapes"]), VALUES, max_size=1)
    )


fuzzed = settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    write_image(folder / "images" / "0.png", 1)
    return folder


@pytest.mark.parametrize("contract", Contract)
@fuzzed
@given(content=coco_like())
def test_coco_files(contract, content, folder):
    path = folder / "labels.json"
    path.write_bytes(orjson.dumps(content))
    dataset, faults = parse_coco(path, contract)
    assert all(str(fault) for fault in faults)
    rows = content["annotations"]
    assert len(dataset.annotations) <= (len(rows) if isinstance(rows, list) else 0)


@pytest.mark.parametrize("form", ["coco", "labelme"])
@pytest.mark.parametrize("similar", [True, False], ids=["similar", "anything"])
@fuzzed
@given(data=st.data())
def test_importers(form, similar, data, folder):
    content = data.draw(coco_like() if similar else VALUES)
    if form == "labelme" and similar:
        content = {"imagePath": "0.png", "shapes": content["annotations"]}
    source = folder / form
    source.mkdir(exist_ok=True)
    (source / "labels.json").write_bytes(orjson.dumps(content))
    found = IMPORTERS[form](ImportRequest(source, "gold", images=folder / "images"))
    assert all(str(fault) for fault in found.faults)


@fuzzed
@given(content=coco_like())
def test_repair_and_check(content, tmp_path_factory):
    folder = tmp_path_factory.mktemp("repair")
    root = raw_root(folder / "raw", gold_count=2, pool_count=1)
    (root / "gold.json").write_bytes(orjson.dumps(content))
    for task in ("detection", "instance", "classification"):
        new = folder / task
        assert all(repair(root, new, task))
        assert repair(new, folder / f"{task} again", task) == []
        # Any other error fails the test.
        with suppress(DataError):
            read_and_split(new, task, splitting(), 0)
