import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel import masks


def random_masks(seed, count=4, height=13, width=9):
    rng = np.random.default_rng(seed)
    return rng.random((count, height, width)) < rng.uniform(0, 1, (count, 1, 1))


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 6), st.integers(1, 40), st.integers(1, 40))
def test_encoding_keeps_every_pixel(seed, count, height, width):
    pixels = random_masks(seed, count, height, width)
    counts = masks.encode(pixels) if count else []
    assert np.array_equal(masks.decode(counts, height, width), pixels)
    assert masks.areas(counts, height, width).tolist() == pixels.sum(axis=(1, 2)).tolist()


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_run_lengths_are_those_of_the_columns(seed):
    (pixels,) = random_masks(seed, 1)
    (counts,) = masks.encode(pixels[None])
    runs = list(masks.run_lengths(counts))
    values = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool)
    assert np.array_equal(values.reshape(9, 13).T, pixels)
    assert masks.from_runs(runs, 13, 9) == counts


def test_more_masks_than_a_byte_counts_have_areas():
    pixels = np.ones((300, 4, 5), bool)
    assert masks.areas(masks.encode(pixels), 4, 5).tolist() == [20] * 300


def test_boxes_are_around_the_pixels():
    pixels = np.zeros((1, 10, 12), bool)
    pixels[0, 2:5, 3:9] = True
    assert masks.boxes_xyxy(masks.encode(pixels), 10, 12).tolist() == [[3, 2, 9, 5]]


def test_polygons_of_one_object_are_joined():
    squares = [[0, 0, 4, 0, 4, 4, 0, 4], [6, 6, 8, 6, 8, 8, 6, 8]]
    counts = masks.from_polygons(squares, 10, 10)
    assert masks.areas([counts], 10, 10).tolist() == [20]


OVERLAPS = [
    ("nothing is too much", 1.0, [True, True, True]),
    ("the better of two stays", 0.5, [True, False, True]),
    ("a third may go, too", 0.2, [True, False, False]),
]


@pytest.mark.parametrize(
    ("most", "kept"), [it[1:] for it in OVERLAPS], ids=[i[0] for i in OVERLAPS]
)
def test_what_a_better_mask_covers_goes(most, kept):
    pixels = np.zeros((3, 10, 10), bool)
    pixels[0, :, :6] = True
    pixels[1, :, 2:8] = True  # 4 of its 6 columns lie under the first
    pixels[2, :, 5:8] = True  # 1 of 3 under the first, all under the second
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert masks.uncovered(masks.encode(pixels), scores, 10, 10, most).tolist() == kept


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_no_kept_mask_is_covered_by_a_better_kept_one(seed, most):
    pixels = random_masks(seed, 6)
    pixels[:, 0, 0] = True
    scores = np.random.default_rng(seed).permutation(6).astype(np.float32)
    kept = np.flatnonzero(masks.uncovered(masks.encode(pixels), scores, 13, 9, most))
    for row in kept:
        for other in kept:
            if scores[other] > scores[row]:
                both = (pixels[row] & pixels[other]).sum()
                assert both / pixels[row].sum() <= most + 1e-9
