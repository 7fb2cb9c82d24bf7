"""What a person did with the labels that were sent."""

import numpy as np
import pytest

from pseudolabel.core import masks
from pseudolabel.review.comparison import compare_images, compare_labels
from pseudolabel.review.labels import Label, LabelledImage

SIZE = (40, 60)
DISC = Label("disc", (10.0, 10.0, 10.0, 10.0), score=0.9)
ROD = Label("rod", (30.0, 5.0, 12.0, 6.0), score=0.4)


def mask_of(box):
    left, top, width, height = box
    pixels = np.zeros(SIZE, bool)
    pixels[top : top + height, left : left + width] = True
    return masks.encode(pixels[None])[0]


@pytest.mark.parametrize(
    ("returned", "counts"),
    [
        ([DISC, ROD], {"confirmed": 2}),
        ([ROD, DISC], {"confirmed": 2}),
        ([DISC], {"confirmed": 1, "removed": 1}),
        ([], {"removed": 2}),
        ([DISC, ROD, Label("disc", (50.0, 30.0, 5.0, 5.0))], {"confirmed": 2, "added": 1}),
        ([Label("disc", (11.0, 10.0, 10.0, 10.0)), ROD], {"confirmed": 1, "moved": 1}),
        ([Label("rod", DISC.box), ROD], {"confirmed": 1, "renamed": 1}),
        ([Label("rod", (11.0, 10.0, 10.0, 10.0)), ROD], {"confirmed": 1, "renamed": 1}),
        # Too far away for the same object.
        ([Label("disc", (18.0, 10.0, 9.0, 9.0))], {"added": 1, "removed": 2}),
        # Label Studio rounds to a millionth of a percent.
        ([Label("disc", (10.000001, 10.0, 10.0, 9.999999)), ROD], {"confirmed": 2}),
    ],
)
def test_boxes(returned, counts):
    assert compare_labels([DISC, ROD], returned, SIZE) == counts


def test_masks_are_compared_by_their_pixels():
    sent = [Label("disc", mask=mask_of((10, 10, 10, 10)), score=0.8)]
    same = [Label("disc", mask=mask_of((10, 10, 10, 10)))]
    smaller = [Label("disc", mask=mask_of((10, 10, 10, 8)))]
    assert compare_labels(sent, same, SIZE) == {"confirmed": 1}
    assert compare_labels(sent, smaller, SIZE) == {"moved": 1}


def test_classes_of_images_are_confirmed_renamed_or_removed():
    sent = [Label("disc", score=0.6)]
    assert compare_labels(sent, [Label("disc")], SIZE) == {"confirmed": 1}
    assert compare_labels(sent, [Label("rod")], SIZE) == {"renamed": 1}
    assert compare_labels(sent, [], SIZE) == {"removed": 1}


def test_images_that_were_not_returned_do_not_count():
    sent = [LabelledImage(name, 60, 40, (DISC, ROD)) for name in ("a.png", "b.png")]
    returned = [LabelledImage("b.png", 60, 40, (DISC,))]
    assert compare_images(sent, returned) == {"confirmed": 1, "removed": 1}
