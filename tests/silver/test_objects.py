import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import ParamsError
from pseudolabel.params.filter import ObjectFilter
from pseudolabel.silver.objects import _IMAGE_REASONS, BoxFilter
from pseudolabel.silver.thresholds import class_thresholds
from tests.builders import (
    CATEGORIES,
    images,
    open_filter,
    predictions,
    random_predictions,
    same_rows,
)


def filter_boxes(predicted, image_count=3, unreadable=(), **section):
    pool = images(image_count)
    box_filter = BoxFilter(CATEGORIES, open_filter(ObjectFilter, **section), 1)
    return box_filter.filter_rows(predicted, pool, np.isin(pool.ids, list(unreadable)))


ROWS = [
    (1, 1, (10, 10, 30, 30), 0.9),
    (1, 1, (11, 10, 31, 30), 0.8),
    (1, 2, (10, 10, 30, 30), 0.6),
    (2, 2, (0, 10, 30, 40), 0.5),
    (2, 3, (50, 50, 51, 60), 0.3),
]
CASES = [
    ("no filter", {}, [0, 1, 2, 3, 4]),
    ("one threshold", {"score": 0.6}, [0, 1, 2]),
    ("a score equal to the threshold is kept", {"score": 0.5}, [0, 1, 2, 3]),
    ("one threshold per class", {"score": {"disc": 0.85, "rod": 0.0, "star": 1.0}}, [0, 2, 3]),
    ("NMS within each class", {"nms_iou": 0.5}, [0, 2, 3, 4]),
    ("the smallest side", {"min_side": 2}, [0, 1, 2, 3]),
    ("at the edge", {"edge_margin": 0}, [0, 1, 2, 4]),
    ("near the edge", {"edge_margin": 10}, [4]),
    ("images with too few boxes", {"min_boxes": 3}, [0, 1, 2]),
    ("images with too many boxes", {"max_boxes": 2}, [3, 4]),
    ("boxes are counted after NMS", {"nms_iou": 0.5, "max_boxes": 2}, [0, 2, 3, 4]),
]


@pytest.mark.parametrize(
    ("section", "kept"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_boxes_that_pass_all_filters_are_kept(section, kept):
    expected = predictions([ROWS[row] for row in kept])
    assert same_rows(filter_boxes(predictions(ROWS), **section).silver, expected)


def test_the_report_counts_boxes_by_reason_and_class():
    section = {"score": 0.4, "nms_iou": 0.5, "min_boxes": 2}
    result = filter_boxes(predictions(ROWS), unreadable=[3], **section)
    report = result.counts.report(CATEGORIES)
    assert report["annotations"]["in"] == 5
    assert report["annotations"]["out_by_class"] == {"disc": 1, "rod": 1, "star": 0}
    assert report["annotations"]["dropped"]["score"] == {"disc": 0, "rod": 0, "star": 1}
    assert report["annotations"]["dropped"]["nms"] == {"disc": 1, "rod": 0, "star": 0}
    assert report["annotations"]["dropped"]["min_boxes"] == {"disc": 0, "rod": 1, "star": 0}
    assert report["images"] == {
        "in": 3,
        "out": 1,
        "dropped": dict.fromkeys(_IMAGE_REASONS, 0) | {"unreadable": 1, "min_boxes": 1},
    }
    assert result.labels_left.tolist() == [2, 1, 0]
    first, *others = result.image_reasons.tolist()
    assert first == -1
    assert [_IMAGE_REASONS[reason] for reason in others] == ["min_boxes", "unreadable"]


def test_thresholds_by_class_must_have_every_class():
    with pytest.raises(ParamsError, match="each of disc, rod, star; found disc, ball"):
        class_thresholds({"disc": 0.5, "ball": 0.5}, CATEGORIES)


sections = st.fixed_dictionaries(
    {
        "score": st.floats(0, 1),
        "nms_iou": st.floats(0, 1),
        "min_side": st.floats(1, 20),
        "edge_margin": st.none() | st.floats(0, 20),
        "min_boxes": st.integers(0, 4),
        "max_boxes": st.integers(4, 20),
        "hide_score": st.floats(0, 1),
        "min_confident_share": st.floats(0, 1),
        "max_hidden_area": st.floats(0, 1),
    }
)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 80), sections)
def test_counts_add_up_to_the_input(seed, count, section):
    predicted = random_predictions(np.random.default_rng(seed), count, 8)
    result = filter_boxes(predicted, image_count=8, **section)
    counts = result.counts
    assert counts.dropped.sum() + counts.hidden.sum() + counts.kept.sum() == count
    assert counts.kept.sum() == (~result.silver.crowds).sum()
    assert counts.hidden.sum() == result.silver.crowds.sum()
    assert counts.images_dropped.sum() + counts.images_kept == 8


def outcome(silver):
    """The scores of kept and hidden objects, sorted."""
    return sorted(zip(silver.scores.tolist(), silver.crowds.tolist(), strict=True))


@settings(deadline=None)
@given(st.integers(0, 2**31), sections)
def test_the_order_of_rows_does_not_matter(seed, section):
    rng = np.random.default_rng(seed)
    predicted = random_predictions(rng, 50, 8)
    shuffled = predicted[rng.permutation(50)]
    first, second = (
        filter_boxes(rows, image_count=8, **section).silver for rows in (predicted, shuffled)
    )
    assert outcome(first) == outcome(second)


HIDDEN = [
    ("hide_score below score", 0.7, 0.4, [0, 1], [2, 3]),
    ("no hide_score", 0.7, None, [0, 1], []),
    ("hide_score above score", 0.5, 0.9, [0, 1, 2, 3], []),
]


@pytest.mark.parametrize(
    ("score", "hide_score", "kept", "hidden"),
    [case[1:] for case in HIDDEN],
    ids=[case[0] for case in HIDDEN],
)
def test_boxes_between_hide_score_and_score_are_hidden(score, hide_score, kept, hidden):
    silver = filter_boxes(predictions(ROWS), score=score, hide_score=hide_score).silver
    assert same_rows(silver[~silver.crowds], predictions([ROWS[row] for row in kept]))
    assert same_rows(silver[silver.crowds], predictions([ROWS[row] for row in hidden]))


def test_an_uncertain_box_of_another_class_over_a_confident_box_is_not_hidden():
    rows = [
        (1, 1, (10, 10, 30, 30), 0.9),
        (1, 2, (11, 10, 31, 30), 0.4),
        (1, 2, (60, 10, 80, 30), 0.4),
    ]
    silver = filter_boxes(predictions(rows), score=0.6, hide_score=0.2, nms_iou=0.6).silver
    assert silver.crowds.tolist() == [False, True]
    assert silver.boxes_xyxy[1].tolist() == [60, 10, 80, 30]


def test_images_with_too_many_hidden_boxes_are_dropped():
    # Image 1 has two confident boxes and a hidden one, image 2 has one of each.
    rows = predictions([*ROWS[:4], (2, 1, (60, 0, 80, 20), 0.95)])

    def result(**limit):
        return filter_boxes(rows, score=0.7, hide_score=0.4, **limit)

    assert set(result(min_confident_share=0.6).silver.image_ids) == {1}
    assert set(result(min_confident_share=0.5).silver.image_ids) == {1, 2}
    # Of 8,000 pixels, 400 are hidden in image 1 and 900 in image 2.
    assert set(result(max_hidden_area=0.05).silver.image_ids) == {1}
    strictest = result(max_hidden_area=0.04)
    assert not len(strictest.silver)
    assert strictest.counts.report(CATEGORIES)["images"]["dropped"]["max_hidden_area"] == 2


def test_reliabilities_do_not_depend_on_thresholds():
    low, high = (filter_boxes(predictions(ROWS), score=score).reliabilities for score in (0.1, 0.9))
    assert low.tolist() == high.tolist()
    assert low == pytest.approx([(0.81 + 0.64 + 0.36) / 2.3, (0.25 + 0.09) / 0.8, 0])


hide_scores = st.none() | st.floats(0, 1)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), hide_scores, st.floats(0, 1))
def test_a_higher_score_never_adds_an_object(seed, first, second, hide_score, iou):
    predicted = random_predictions(np.random.default_rng(seed), 50, 8)
    section = {"hide_score": hide_score, "nms_iou": iou, "min_boxes": 1}
    if hide_score is not None:
        section |= {"min_confident_share": 0.3, "max_hidden_area": 0.5}
    kept = []
    for score in sorted((first, second)):
        silver = filter_boxes(predicted, image_count=8, score=score, **section).silver
        kept.append(set(silver.scores[~silver.crowds].tolist()))
    assert kept[1] <= kept[0]
