from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel import masks
from pseudolabel.filters.objects import MaskRule
from pseudolabel.params.instance import InstanceFilter
from pseudolabel.records import object_array
from tests.builders import CATEGORIES, images, open_filter, predictions, same_rows


def masked(rows, stabilities):
    """Predictions of (image, class, x1 y1 x2 y2, score) whose masks fill their boxes."""
    found = predictions(rows)
    grids = np.zeros((len(rows), 80, 100), bool)
    for grid, (_, _, (x1, y1, x2, y2), _) in zip(grids, rows, strict=True):
        grid[y1:y2, x1:x2] = True
    counts = object_array(masks.encode(grids) if rows else [])
    areas = masks.areas(counts, 80, 100)
    return replace(found, masks=counts, areas=areas, stabilities=np.array(stabilities, np.float32))


ROWS = [
    (1, 1, (10, 10, 30, 30), 0.9),
    (1, 2, (20, 10, 40, 30), 0.8),
    (1, 1, (60, 60, 63, 64), 0.7),
    (2, 3, (0, 10, 30, 40), 0.5),
]
STEADY = [0.9, 0.4, np.nan, 0.6]
CASES = [
    ("nothing set", {}, [0, 1, 2, 3]),
    ("a mask that moves with its threshold goes", {"min_stability": 0.5}, [0, 2, 3]),
    ("no stability told, none asked for", {"min_stability": 1.0}, [2]),
    ("smallest mask area", {"min_area": 13}, [0, 1, 3]),
    ("an area is kept by its equal", {"min_area": 12}, [0, 1, 2, 3]),
    ("half covered by a better mask of another class", {"max_overlap": 0.4}, [0, 2, 3]),
    ("half covered is allowed", {"max_overlap": 0.5}, [0, 1, 2, 3]),
    (
        "the better one is gone by its score",
        {"max_overlap": 0.4, "score": {"disc": 1.0, "rod": 0, "star": 0}},
        [1, 3],
    ),
]


def run(found, **section):
    rule = MaskRule(CATEGORIES, open_filter(InstanceFilter, **section))
    return rule.judge_rows(found, images(3), np.zeros(3, bool))


@pytest.mark.parametrize(
    ("section", "kept"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_each_filter_keeps_what_it_says(section, kept):
    found = masked(ROWS, STEADY)
    assert same_rows(run(found, **section).silver, found[np.array(kept)])


def test_the_report_has_the_reasons_of_masks():
    judged = run(masked(ROWS, STEADY), min_stability=0.5, min_area=13)
    dropped = judged.counts.report(CATEGORIES)["annotations"]["dropped"]
    assert dropped["min_stability"] == {"disc": 0, "rod": 1, "star": 0}
    assert dropped["min_area"] == {"disc": 1, "rod": 0, "star": 0}


def random_masks(seed, count=30):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        x, y, width, height = rng.integers(1, 40, 4).tolist()
        image, kind = rng.integers(1, 4, 2).tolist()
        rows.append((image, kind, (x, y, x + width, y + height), float(rng.random())))
    return masked(rows, rng.random(count))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_order_of_rows_does_not_matter(seed, overlap, high, low):
    found = random_masks(seed)
    shuffled = np.random.default_rng(seed).permutation(len(found))
    section = {"max_overlap": overlap, "score": high, "hide_score": low, "nms_iou": 0.6}
    outcomes = [
        sorted(zip(silver.scores.tolist(), silver.crowds.tolist(), strict=True))
        for silver in (run(it, **section).silver for it in (found, found[shuffled]))
    ]
    assert outcomes[0] == outcomes[1]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_raising_the_score_never_adds_a_mask(seed, overlap, one, other):
    found = random_masks(seed)
    kept = []
    for score in sorted((one, other)):
        silver = run(found, max_overlap=overlap, score=score, hide_score=0.2, nms_iou=0.6).silver
        kept.append(set(silver.scores[~silver.crowds].tolist()))
    assert kept[1] <= kept[0]


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), st.integers(1, 400))
def test_counts_add_up_to_the_input(seed, overlap, steady, area):
    found = random_masks(seed)
    judged = run(found, max_overlap=overlap, min_stability=steady, min_area=area, min_boxes=2)
    counts = judged.counts
    assert counts.dropped.sum() + counts.kept.sum() == 30
    assert counts.kept.sum() == len(judged.silver)
    assert (judged.silver.areas >= area).all()
    assert all(judged.silver.masks)
