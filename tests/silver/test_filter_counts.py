import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.records import Category
from pseudolabel.silver.filter_counts import Counts, Reasons
from tests.builders import predictions

REASONS = Reasons("labels", ("score", "size"), ("unreadable", "few"))
CATEGORIES = (Category(1, "disc"), Category(2, "rod"))


def test_a_label_counts_under_its_first_reason():
    label_reasons = np.array([0, 1, -1, -1, -1])
    image_rows = np.array([0, 1, 1, 0, 0])
    image_reasons = np.array([-1, 1, 0])
    hidden = np.array([True, True, True, True, False])
    classes = np.array([0, 1, 1, 0, 1])
    counts = Counts.from_rows(REASONS, label_reasons, image_reasons, image_rows, hidden, classes, 2)
    # The rows of `dropped` are score, size, unreadable and few.
    assert counts.dropped.tolist() == [[1, 0], [0, 1], [0, 0], [0, 1]]
    assert counts.hidden.tolist() == [1, 0]
    assert counts.kept.tolist() == [0, 1]
    assert counts.images_dropped.tolist() == [1, 1]
    assert counts.images_kept == 1


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 40), st.integers(1, 8))
def test_every_row_and_every_image_counts_exactly_once(seed, rows, images):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, rows)
    counts = Counts.from_rows(
        REASONS,
        rng.integers(-1, 2, rows),
        rng.integers(-1, 2, images),
        rng.integers(0, images, rows),
        rng.random(rows) < 0.5,
        classes,
        2,
    )
    by_class = counts.dropped.sum(axis=0) + counts.hidden + counts.kept
    assert by_class.tolist() == np.bincount(classes, minlength=2).tolist()
    assert counts.images_dropped.sum() + counts.images_kept == images
    report = (counts + Counts.zero(REASONS, 2)).report(CATEGORIES)
    assert report["labels"]["in"] == rows
    assert report["images"]["in"] == images


def test_images_dropped_later_take_their_labels_with_them():
    kept = Counts(
        REASONS, np.zeros((4, 2), int), np.array([1, 0]), np.array([2, 3]), np.zeros(2, int), 3
    )
    rows = predictions([(1, 1, (0, 0, 9, 9), 0.9), (1, 2, (0, 0, 9, 9), 0.9)])
    hidden = predictions([(1, 1, (0, 0, 9, 9), 0.2)])
    hidden.crowds[:] = True
    after = kept.drop_images(rows, np.array([0, 1]), "few", 1)
    after = after.drop_images(hidden, np.array([0]), "few", 0)
    assert after.kept.tolist() == [1, 2]
    assert after.hidden.tolist() == [0, 0]
    assert after.dropped.tolist() == [[0, 0], [0, 0], [0, 0], [2, 1]]
    assert after.images_dropped.tolist() == [0, 1]
    assert after.images_kept == 2
