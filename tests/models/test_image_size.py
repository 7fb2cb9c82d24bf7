import numpy as np
import pytest

from pseudolabel.core.errors import ModelError
from pseudolabel.core.records import Images
from pseudolabel.models.image_size import resolve_image_size
from tests.conftest import tiny_params


def resolved(sizes, **train):
    """The image size by auto, for gold images of these sizes."""
    widths, heights = np.array(sizes).reshape(-1, 2).T
    count = len(widths)
    names = np.array([f"{row}.png" for row in range(count)])
    images = Images.build(range(1, count + 1), names, widths, heights)
    params = tiny_params("raw", model={"image_size": "auto"}, train=train)
    return resolve_image_size(params, images).model.size


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(192, 160)], (192, 160)),
        ([(64, 64), (64, 64), (4000, 3000)], (64, 64)),
        ([(640, 480), (640, 480), (480, 640)], (256, 192)),
        ([(1080, 1920)], (160, 256)),
        ([(300, 10)], (256, 32)),
        ([(20, 20)], (32, 32)),
    ],
    ids=["sample", "one large", "photos", "upright", "a stripe", "icons"],
)
def test_auto_is_the_median_size_in_steps_of_32_up_to_256(sizes, expected):
    assert resolved(sizes) == expected


def test_a_given_size_stays():
    images = Images.build([1], np.array(["1.png"]), np.array([50]), np.array([50]))
    assert resolve_image_size(tiny_params("raw"), images).model.size == (96, 96)


def test_a_crop_that_is_larger_than_auto_is_an_error():
    assert resolved([(192, 160)], crop=[160, 160]) == (192, 160)
    with pytest.raises(ModelError, match=r"train\.crop: expected at most .*\[128, 64\] by auto"):
        resolved([(100, 60)], crop=[96, 96])


def test_auto_needs_an_image_of_gold():
    with pytest.raises(ModelError, match="auto needs images of gold"):
        resolved([])


def test_auto_or_a_schedule_is_no_size():
    for value in ("auto", [[64, 64], [96, 96]]):
        with pytest.raises(TypeError, match="expected the size of one round"):
            tiny_params("raw", model={"image_size": value}).model.size  # noqa: B018
