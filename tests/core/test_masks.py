import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core import masks


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
    runs = list(masks.decode_run_lengths(counts))
    values = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool)
    assert np.array_equal(values.reshape(9, 13).T, pixels)
    assert masks.from_runs(runs, 13, 9) == counts


def test_more_than_255_masks_have_areas():
    pixels = np.ones((300, 4, 5), bool)
    assert masks.areas(masks.encode(pixels), 4, 5).tolist() == [20] * 300


def test_boxes_enclose_the_pixels():
    pixels = np.zeros((1, 10, 12), bool)
    pixels[0, 2:5, 3:9] = True
    assert masks.boxes_xyxy(masks.encode(pixels), 10, 12).tolist() == [[3, 2, 9, 5]]


def test_polygons_of_one_object_are_united():
    squares = [[0, 0, 4, 0, 4, 4, 0, 4], [6, 6, 8, 6, 8, 8, 6, 8]]
    counts = masks.from_polygons(squares, 10, 10)
    assert masks.areas([counts], 10, 10).tolist() == [20]


OVERLAPS = [
    ("no limit", 1.0, [True, True, True]),
    ("the higher score of two is kept", 0.5, [True, False, True]),
    ("a third mask is removed, too", 0.2, [True, False, False]),
]


@pytest.mark.parametrize(
    ("max_overlap", "kept"), [case[1:] for case in OVERLAPS], ids=[case[0] for case in OVERLAPS]
)
def test_a_mask_covered_by_one_of_higher_score_is_removed(max_overlap, kept):
    pixels = np.zeros((3, 10, 10), bool)
    pixels[0, :, :6] = True
    pixels[1, :, 2:8] = True  # the first mask covers 4 of its 6 columns
    pixels[2, :, 5:8] = True  # the first covers 1 of 3 columns, the second all
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert masks.uncovered(masks.encode(pixels), scores, 10, 10, max_overlap).tolist() == kept


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_no_kept_mask_is_covered_by_a_kept_one_of_higher_score(seed, max_overlap):
    pixels = random_masks(seed, 6)
    pixels[:, 0, 0] = True
    scores = np.random.default_rng(seed).permutation(6).astype(np.float32)
    kept = np.flatnonzero(masks.uncovered(masks.encode(pixels), scores, 13, 9, max_overlap))
    for row in kept:
        for other in kept:
            if scores[other] > scores[row]:
                both = (pixels[row] & pixels[other]).sum()
                assert both / pixels[row].sum() <= max_overlap + 1e-9
