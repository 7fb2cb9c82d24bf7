import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.errors import ParamsError
from pseudolabel.filters.counts import thresholds_of
from pseudolabel.filters.objects import IMAGE_REASONS, BoxRule
from pseudolabel.params.detection import ObjectFilter
from tests.builders import (
    CATEGORIES,
    images,
    open_filter,
    predictions,
    random_predictions,
    same_rows,
)


def run(found, image_count=3, unreadable=(), **section):
    pool = images(image_count)
    broken = np.isin(pool.ids, list(unreadable))
    return BoxRule(CATEGORIES, open_filter(ObjectFilter, **section)).judge_rows(found, pool, broken)


ROWS = [
    (1, 1, (10, 10, 30, 30), 0.9),
    (1, 1, (11, 10, 31, 30), 0.8),
    (1, 2, (10, 10, 30, 30), 0.6),
    (2, 2, (0, 10, 30, 40), 0.5),
    (2, 3, (50, 50, 51, 60), 0.3),
]
CASES = [
    ("nothing set", {}, [0, 1, 2, 3, 4]),
    ("one threshold", {"score": 0.6}, [0, 1, 2]),
    ("a threshold is kept by its equal", {"score": 0.5}, [0, 1, 2, 3]),
    ("a threshold a class", {"score": {"disc": 0.85, "rod": 0.0, "star": 1.0}}, [0, 2, 3]),
    ("NMS within a class only", {"nms_iou": 0.5}, [0, 2, 3, 4]),
    ("smallest side", {"min_side": 2}, [0, 1, 2, 3]),
    ("at the edge", {"edge_margin": 0}, [0, 1, 2, 4]),
    ("near the edge", {"edge_margin": 10}, [4]),
    ("images with too few boxes", {"min_boxes": 3}, [0, 1, 2]),
    ("images with too many boxes", {"max_boxes": 2}, [3, 4]),
    ("boxes are counted after NMS", {"nms_iou": 0.5, "max_boxes": 2}, [0, 2, 3, 4]),
]


@pytest.mark.parametrize(
    ("section", "kept"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_each_filter_keeps_what_it_says(section, kept):
    expected = predictions([ROWS[row] for row in kept])
    assert same_rows(run(predictions(ROWS), **section).silver, expected)


def test_the_report_says_why_by_class():
    judged = run(predictions(ROWS), score=0.4, nms_iou=0.5, min_boxes=2, unreadable=[3])
    report = judged.counts.report(CATEGORIES)
    assert report["annotations"]["in"] == 5
    assert report["annotations"]["out_by_class"] == {"disc": 1, "rod": 1, "star": 0}
    assert report["annotations"]["dropped"]["score"] == {"disc": 0, "rod": 0, "star": 1}
    assert report["annotations"]["dropped"]["nms"] == {"disc": 1, "rod": 0, "star": 0}
    assert report["annotations"]["dropped"]["min_boxes"] == {"disc": 0, "rod": 1, "star": 0}
    assert report["images"] == {
        "in": 3,
        "out": 1,
        "dropped": dict.fromkeys(IMAGE_REASONS, 0) | {"unreadable": 1, "min_boxes": 1},
    }
    assert judged.left.tolist() == [2, 1, 0]
    assert [IMAGE_REASONS[it] if it >= 0 else "" for it in judged.image_reasons] == [
        "",
        "min_boxes",
        "unreadable",
    ]


def test_thresholds_by_class_name_every_class():
    with pytest.raises(ParamsError, match="each of disc, rod, star; found disc, ball"):
        thresholds_of({"disc": 0.5, "ball": 0.5}, CATEGORIES)


sections = st.fixed_dictionaries(
    {
        "score": st.floats(0, 1),
        "nms_iou": st.floats(0, 1),
        "min_side": st.floats(1, 20),
        "edge_margin": st.none() | st.floats(0, 20),
        "min_boxes": st.integers(0, 4),
        "max_boxes": st.integers(4, 20),
        "hide_score": st.floats(0, 1),
        "min_sure": st.floats(0, 1),
        "max_hidden_area": st.floats(0, 1),
    }
)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 80), sections)
def test_counts_add_up_to_the_input(seed, count, section):
    found = random_predictions(np.random.default_rng(seed), count, 8)
    judged = run(found, image_count=8, unreadable=[], **section)
    counts = judged.counts
    assert counts.dropped.sum() + counts.hidden.sum() + counts.kept.sum() == count
    assert counts.kept.sum() == (~judged.silver.crowds).sum()
    assert counts.hidden.sum() == judged.silver.crowds.sum()
    assert counts.images_dropped.sum() + counts.images_kept == 8


def outcome(silver):
    """What was kept and what was hidden, in an order of its own."""
    return sorted(zip(silver.scores.tolist(), silver.crowds.tolist(), strict=True))


@settings(deadline=None)
@given(st.integers(0, 2**31), sections)
def test_the_order_of_rows_does_not_matter(seed, section):
    rng = np.random.default_rng(seed)
    found = random_predictions(rng, 50, 8)
    shuffled = rng.permutation(50)
    kept = run(found, image_count=8, **section).silver
    of_shuffled = run(found[shuffled], image_count=8, **section).silver
    assert outcome(kept) == outcome(of_shuffled)


BANDS = [
    ("between them", 0.7, 0.4, [0, 1], [2, 3]),
    ("no band", 0.7, None, [0, 1], []),
    ("the low one above the high one", 0.5, 0.9, [0, 1, 2, 3], []),
]


@pytest.mark.parametrize(
    ("high", "low", "kept", "hidden"), [it[1:] for it in BANDS[1:]], ids=[it[0] for it in BANDS[1:]]
)
def test_what_is_between_the_thresholds_is_hidden(high, low, kept, hidden):
    silver = run(predictions(ROWS), score=high, hide_score=low).silver
    assert same_rows(silver[~silver.crowds], predictions([ROWS[it] for it in kept]))
    assert same_rows(silver[silver.crowds], predictions([ROWS[it] for it in hidden]))


def test_doubt_about_the_class_of_a_sure_object_hides_nothing():
    rows = [
        (1, 1, (10, 10, 30, 30), 0.9),
        (1, 2, (11, 10, 31, 30), 0.4),
        (1, 2, (60, 10, 80, 30), 0.4),
    ]
    silver = run(predictions(rows), score=0.6, hide_score=0.2, nms_iou=0.6).silver
    assert silver.crowds.tolist() == [False, True]
    assert silver.boxes_xyxy[1].tolist() == [60, 10, 80, 30]


def test_images_with_too_much_doubt_go():
    # Image 1 has two sure boxes and one in doubt, image 2 one of each.
    rows = [*ROWS[:4], (2, 1, (60, 0, 80, 20), 0.95)]
    section = {"score": 0.7, "hide_score": 0.4}
    assert set(run(predictions(rows), **section, min_sure=0.6).silver.image_ids) == {1}
    assert set(run(predictions(rows), **section, min_sure=0.5).silver.image_ids) == {1, 2}
    # Of 8,000 pixels, 400 are hidden in image 1 and 900 in image 2.
    assert set(run(predictions(rows), **section, max_hidden_area=0.05).silver.image_ids) == {1}
    judged = run(predictions(rows), **section, max_hidden_area=0.04)
    assert not len(judged.silver)
    assert judged.counts.report(CATEGORIES)["images"]["dropped"]["max_hidden_area"] == 2


def test_certainty_does_not_depend_on_thresholds():
    low, high = (run(predictions(ROWS), score=it).reliabilities for it in (0.1, 0.9))
    assert low.tolist() == high.tolist()
    assert low == pytest.approx([(0.81 + 0.64 + 0.36) / 2.3, (0.25 + 0.09) / 0.8, 0])


doubts = st.none() | st.floats(0, 1)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), doubts, st.floats(0, 1))
def test_raising_the_score_never_adds_an_object(seed, one, other, hide, iou):
    found = random_predictions(np.random.default_rng(seed), 50, 8)
    limits = {} if hide is None else {"min_sure": 0.3, "max_hidden_area": 0.5}
    kept = []
    for score in sorted((one, other)):
        section = {"score": score, "hide_score": hide, "nms_iou": iou, "min_boxes": 1} | limits
        silver = run(found, image_count=8, **section).silver
        kept.append(set(silver.scores[~silver.crowds].tolist()))
    assert kept[1] <= kept[0]
