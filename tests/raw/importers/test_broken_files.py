"""Importers refuse files with wrong values by faults: no value makes them crash."""

import copy

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from tests.builders import write_image
from tests.raw.importers.test_label_studio import BOX, result, task
from tests.raw.importers.test_labelme import POLYGON, mask_shape
from tests.raw.importers.test_supervisely import RECTANGLE, bitmap, item
from tests.raw.importers.test_via import RECT, region

OUTLINE = [[1, 2], [20, 2], [20, 9]]
MASK = np.ones((3, 4), bool)
SIDES = {"width": 40, "height": 30}
FILES = {
    "coco": (
        "labels.json",
        {
            "images": [{"id": 1, "file_name": "x.png"} | SIDES],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        },
    ),
    "labelme": (
        "x.json",
        {
            "imagePath": "x.png",
            "imageWidth": 40,
            "imageHeight": 30,
            "shapes": [POLYGON, mask_shape(MASK, [2, 3], group_id=1), POLYGON | {"group_id": 1}],
        },
    ),
    "label-studio": (
        "project.json",
        [
            task(
                [
                    result(BOX),
                    result({"points": OUTLINE, "polygonlabels": ["a"]}, "polygonlabels"),
                    result({"choices": ["ripe"]}, "choices"),
                ],
                "/data/upload/1/x.png",
                predictions=[],
            )
        ],
    ),
    "via": (
        "via.json",
        {
            "x.png": {
                "filename": "x.png",
                "regions": [region(RECT), region({"name": "circle", "cx": 5, "cy": 5, "r": 3})],
                "file_attributes": {},
            }
        },
    ),
    "supervisely": (
        "set/ann/x.png.json",
        {
            "size": SIDES,
            "objects": [
                item("rectangle", RECTANGLE),
                item("polygon", {"exterior": OUTLINE, "interior": [OUTLINE]}),
                item("bitmap", bitmap=bitmap(MASK, [2, 3])),
            ],
        },
    ),
}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-3, 60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", " ", "x.png", "../x.png", "1", "1e999", "nan", "\x00", "a" * 300, "/"]),
    st.just([]),
    st.just({}),
    st.lists(st.integers(-3, 3), max_size=3),
    st.just([{}]),
    st.just({"name": "rect", "file": 1, "0": None}),
)


def places(value, path=()):
    """The paths of all values inside a value."""
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, part in inner:
        yield from places(part, (*path, key))


def replaced(value, path, new):
    """A copy of a value, with another value at a path."""
    if not path:
        return new
    found = copy.deepcopy(value)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("broken")


@pytest.mark.parametrize("form", FILES)
@settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_one_wrong_value_does_not_crash(form, data, folder):
    name, content = FILES[form]
    source = folder / form
    image = source / ("set/img/x.png" if form == "supervisely" else "x.png")
    if not image.exists():
        write_image(image, 1)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(places(content))))
        content = replaced(content, path, data.draw(VALUES))
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_bytes(orjson.dumps(content))
    found = IMPORTERS[form](ImportRequest(source, "gold"))
    assert all(str(fault) for fault in found.faults)
    for split in found.splits.values():
        orjson.dumps(split.content)
        assert set(split.files) <= {"x.png", "set/img/x.png"}


@pytest.mark.parametrize("form", FILES)
def test_the_sound_files_have_no_faults(form, tmp_path):
    name, content = FILES[form]
    write_image(tmp_path / ("set/img/x.png" if form == "supervisely" else "x.png"), 1)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(orjson.dumps(content))
    found = IMPORTERS[form](ImportRequest(tmp_path, "gold"))
    assert not found.faults
    assert found.splits["gold"].content["annotations"]
