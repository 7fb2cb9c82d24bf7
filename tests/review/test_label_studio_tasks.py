"""COCO to Label Studio's tasks and back: nothing is lost."""

import math
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core import masks
from pseudolabel.core.errors import DataError
from pseudolabel.review.label_studio.tasks import from_results, labelling_config, to_task
from pseudolabel.review.labels import Label, LabelledImage

NAMES = ["disc", 'a "b" <c> & d', "=1+1", "ü"]
sides = st.integers(1, 3000)
classes = st.sampled_from(NAMES)


@st.composite
def images_with_boxes(draw):
    width, height = draw(sides), draw(sides)
    share = st.floats(0, 1)
    labels = []
    for _ in range(draw(st.integers(0, 5))):
        left, right = sorted((draw(share) * width, draw(share) * width))
        top, bottom = sorted((draw(share) * height, draw(share) * height))
        if right - left > 1e-3 and bottom - top > 1e-3:
            box = (left, top, right - left, bottom - top)
            labels.append(Label(draw(classes), box, score=draw(share)))
    return LabelledImage("some folder/ü 1%.png", width, height, tuple(labels))


@st.composite
def images_with_masks(draw):
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    labels = []
    for _ in range(draw(st.integers(0, 3))):
        pixels = np.random.default_rng(draw(st.integers(0, 999))).random((height, width)) > 0.6
        if pixels.any():
            labels.append(Label(draw(classes), mask=masks.encode(pixels[None])[0], score=0.5))
    return LabelledImage("a.png", width, height, tuple(labels))


def returned(image, task):
    """The labels that come back if a person submits the predictions unchanged."""
    made = to_task(image, task, 1, "round 1")
    return from_results(made["predictions"][0]["result"], image, NAMES)


@given(images_with_boxes())
def test_boxes_come_back_to_a_millionth_of_a_pixel(image):
    found = returned(image, "detection")
    assert [label.name for label in found] == [label.name for label in image.labels]
    for one, other in zip(image.labels, found, strict=True):
        assert np.allclose(one.box, other.box, rtol=0, atol=1e-6)


@settings(deadline=None)
@given(images_with_masks())
def test_masks_come_back_bit_by_bit(image):
    found = returned(image, "instance")
    assert [(label.name, label.mask) for label in found] == [
        (label.name, label.mask) for label in image.labels
    ]


@given(classes)
def test_classes_come_back(name):
    image = LabelledImage("a.png", 10, 10, (Label(name, score=0.7),))
    assert returned(image, "classification") == (Label(name),)


def test_a_task_names_its_image_and_its_batch():
    image = LabelledImage("some folder/ü 1%.png", 100, 50, (Label("disc", (1.0, 2.0, 3.0, 4.0)),))
    task = to_task(image, "detection", 7, "round 2")
    assert task["data"]["pseudolabel_file"] == image.file_name
    assert task["data"]["pseudolabel_batch"] == 7
    place = task["data"]["image"].removeprefix("/data/local-files/?d=")
    assert unquote(place) == f"images/{image.file_name}"
    assert task["predictions"][0]["model_version"] == "round 2"


@pytest.mark.parametrize("task", ["detection", "instance", "semantic", "classification"])
def test_the_labelling_page_has_all_classes_whatever_their_characters(task):
    page = ET.fromstring(labelling_config(task, NAMES))
    values = [node.get("value") for node in page.iter() if node.tag in ("Label", "Choice")]
    assert values == NAMES * (2 if task in ("instance", "semantic") else 1)


def region(kind, **value):
    return [{"type": kind, "value": {kind: ["disc"]} | value}]


def rectangle(**changes):
    value = {"x": 10, "y": 20, "width": 30, "height": 10, "rotation": 0}
    value |= {"rectanglelabels": ["disc"]} | changes
    return [{"type": "rectanglelabels", "value": value}]


IMAGE = LabelledImage("a.png", 200, 100, ())


def test_a_rotated_box_becomes_its_hull():
    # Turned by 90 degrees around its corner (20, 20): 60 wide and 10 high, it reaches to the left.
    (label,) = from_results(rectangle(x=50, rotation=90), IMAGE, NAMES)
    assert np.allclose(label.box, (90, 20, 10, 60), atol=1e-9)
    (label,) = from_results(rectangle(x=50, rotation=45), IMAGE, NAMES)
    half = math.sqrt(0.5)
    expected = (100 - 10 * half, 20, 70 * half, 70 * half)
    assert np.allclose(label.box, expected, atol=1e-9)


def test_a_box_is_cut_at_the_edge_of_the_image():
    (label,) = from_results(rectangle(x=-5, width=200), IMAGE, NAMES)
    assert label.box == (0.0, 20.0, 200.0, 10.0)


def test_a_polygon_becomes_a_mask():
    points = [[0, 0], [50, 0], [50, 100], [0, 100]]
    value = {"points": points, "polygonlabels": ["disc"]}
    (label,) = from_results([{"type": "polygonlabels", "value": value}], IMAGE, NAMES)
    (mask,) = masks.decode([label.mask], 100, 200)
    assert mask[:, :100].mean() > 0.99
    assert mask[:, 101:].sum() == 0


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([None], "result 1: expected one of the classes"),
        (rectangle(rectanglelabels=["other"]), "found ['other']"),
        (rectangle(rectanglelabels=["disc", "ü"]), "found ['disc', 'ü']"),
        (rectangle(width=0), "expected a shape with an area"),
        (rectangle(width="wide"), "expected a shape with an area"),
        (rectangle(x=float("nan")), "expected a shape with an area"),
        (rectangle(x=120), "expected a shape with an area"),
        (region("brushlabels", rle=[1, 2]), "with an area"),
        (region("brushlabels", rle="x"), "with an area"),
        (region("polygonlabels", points=[[1, 2]]), "with an area"),
        (region("ellipselabels"), "with an area"),
    ],
)
def test_each_unusable_result_is_a_plain_fault(results, message):
    with pytest.raises(DataError) as error:
        from_results(results, IMAGE, NAMES)
    assert message in str(error.value)
    assert "a.png" in str(error.value)


def test_all_faults_of_an_annotation_are_listed():
    with pytest.raises(DataError) as error:
        from_results([*rectangle(width=0), *rectangle(), *rectangle(x=None)], IMAGE, NAMES)
    assert [fault.record for fault in error.value.faults] == ["result 1", "result 3"]
