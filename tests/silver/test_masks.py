from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core import masks
from pseudolabel.core.columns import object_array
from pseudolabel.params.filter import InstanceFilter
from pseudolabel.silver.objects import MaskFilter
from tests.builders import CATEGORIES, images, open_filter, predictions, same_rows


def with_filled_masks(rows, stabilities):
    """Predictions (image, class, x1 y1 x2 y2, score) with masks that fill their boxes."""
    predicted = predictions(rows)
    grids = np.zeros((len(rows), 80, 100), bool)
    for grid, (_, _, (x1, y1, x2, y2), _) in zip(grids, rows, strict=True):
        grid[y1:y2, x1:x2] = True
    counts = object_array(masks.encode(grids) if rows else [])
    areas = masks.areas(counts, 80, 100)
    stable = np.array(stabilities, np.float32)
    return replace(predicted, masks=counts, areas=areas, stabilities=stable)


ROWS = [
    (1, 1, (10, 10, 30, 30), 0.9),
    (1, 2, (20, 10, 40, 30), 0.8),
    (1, 1, (60, 60, 63, 64), 0.7),
    (2, 3, (0, 10, 30, 40), 0.5),
]
STABILITIES = [0.9, 0.4, np.nan, 0.6]
CASES = [
    ("no filter", {}, [0, 1, 2, 3]),
    ("an unstable mask is dropped", {"min_stability": 0.5}, [0, 2, 3]),
    ("a mask without a stability is kept", {"min_stability": 1.0}, [2]),
    ("the smallest mask area", {"min_area": 13}, [0, 1, 3]),
    ("an area equal to the smallest area is kept", {"min_area": 12}, [0, 1, 2, 3]),
    (
        "a mask half covered by a better mask of another class is dropped",
        {"max_overlap": 0.4},
        [0, 2, 3],
    ),
    ("a mask half covered is kept at a limit of one half", {"max_overlap": 0.5}, [0, 1, 2, 3]),
    (
        "a mask that was dropped by its score covers nothing",
        {"max_overlap": 0.4, "score": {"disc": 1.0, "rod": 0, "star": 0}},
        [1, 3],
    ),
]


def filter_masks(predicted, **section):
    mask_filter = MaskFilter(CATEGORIES, open_filter(InstanceFilter, **section), 1)
    return mask_filter.filter_rows(predicted, images(3), np.zeros(3, bool))


@pytest.mark.parametrize(
    ("section", "kept"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_masks_that_pass_all_filters_are_kept(section, kept):
    predicted = with_filled_masks(ROWS, STABILITIES)
    assert same_rows(filter_masks(predicted, **section).silver, predicted[np.array(kept)])


def test_the_report_has_the_reasons_of_masks():
    result = filter_masks(with_filled_masks(ROWS, STABILITIES), min_stability=0.5, min_area=13)
    dropped = result.counts.report(CATEGORIES)["annotations"]["dropped"]
    assert dropped["min_stability"] == {"disc": 0, "rod": 1, "star": 0}
    assert dropped["min_area"] == {"disc": 1, "rod": 0, "star": 0}


def random_masks(seed, count=30):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        x, y, width, height = rng.integers(1, 40, 4).tolist()
        image_id, category_id = rng.integers(1, 4, 2).tolist()
        rows.append((image_id, category_id, (x, y, x + width, y + height), float(rng.random())))
    return with_filled_masks(rows, rng.random(count))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_order_of_rows_does_not_matter(seed, overlap, high, low):
    predicted = random_masks(seed)
    shuffled = predicted[np.random.default_rng(seed).permutation(len(predicted))]
    section = {"max_overlap": overlap, "score": high, "hide_score": low, "nms_iou": 0.6}
    outcomes = []
    for rows in (predicted, shuffled):
        silver = filter_masks(rows, **section).silver
        outcomes.append(sorted(zip(silver.scores.tolist(), silver.crowds.tolist(), strict=True)))
    assert outcomes[0] == outcomes[1]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_score_never_adds_a_mask(seed, overlap, first, second):
    predicted = random_masks(seed)
    section = {"max_overlap": overlap, "hide_score": 0.2, "nms_iou": 0.6}
    kept = []
    for score in sorted((first, second)):
        silver = filter_masks(predicted, score=score, **section).silver
        kept.append(set(silver.scores[~silver.crowds].tolist()))
    assert kept[1] <= kept[0]


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), st.integers(1, 400))
def test_counts_add_up_to_the_input(seed, overlap, stability, area):
    limits = {"max_overlap": overlap, "min_stability": stability, "min_area": area}
    result = filter_masks(random_masks(seed), min_boxes=2, **limits)
    assert result.counts.dropped.sum() + result.counts.kept.sum() == 30
    assert result.counts.kept.sum() == len(result.silver)
    assert (result.silver.areas >= area).all()
    assert all(result.silver.masks)
