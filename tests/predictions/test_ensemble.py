"""Weighted boxes fusion."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core import masks
from pseudolabel.core.boxes import iou_matrix
from pseudolabel.core.columns import object_array
from pseudolabel.core.records import Annotations
from pseudolabel.predictions.ensemble import fuse_boxes
from tests.builders import predictions, random_predictions


def to_tuples(rows):
    """Image id, category id and score of each row."""
    columns = zip(rows.image_ids, rows.category_ids, rows.scores, strict=True)
    return [
        (int(image), int(category), round(float(score), 4)) for image, category, score in columns
    ]


def test_the_score_is_the_mean_over_all_models():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.9), (1, 2, (50, 50, 60, 60), 0.6)])
    other = predictions([(1, 1, (1, 0, 21, 20), 0.5)])
    third = predictions([])
    assert to_tuples(fuse_boxes([one, other, third])) == [(1, 1, 0.4667), (1, 2, 0.2)]


def test_boxes_are_averaged_with_their_scores_as_weights():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.5)])
    other = predictions([(1, 1, (2, 0, 22, 20), 0.75)])
    fused = fuse_boxes([one, other])
    assert fused.boxes_xyxy[0] == pytest.approx([1.2, 0, 21.2, 20], abs=1e-4)
    assert fused.scores[0] == pytest.approx(0.625)
    assert fused.areas[0] == pytest.approx(400, abs=1e-2)


def test_the_mask_that_fits_the_box_best_is_kept_with_its_own_box():
    parts = []
    for x, score in ((0, 0.9), (4, 0.3)):
        pixels = np.zeros((1, 80, 100), bool)
        pixels[0, :20, x : x + 20] = True
        box = (x, 0, x + 20, 20)
        mask = object_array(masks.encode(pixels))
        parts.append(replace(predictions([(1, 1, box, score)]), masks=mask))
    fused = fuse_boxes(parts)
    # The mean of the boxes begins at 1, which is closer to the first box.
    assert fused.masks.tolist() == parts[0].masks.tolist()
    assert fused.boxes_xyxy.tolist() == [[0, 0, 20, 20]]
    assert fused.scores[0] == pytest.approx(0.6)


def test_objects_of_different_classes_or_images_are_not_fused():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.8), (2, 1, (0, 0, 20, 20), 0.8)])
    other = predictions([(1, 2, (0, 0, 20, 20), 0.8)])
    assert to_tuples(fuse_boxes([one, other])) == [(1, 1, 0.4), (1, 2, 0.4), (2, 1, 0.4)]


def test_no_predictions_give_no_objects():
    assert not len(fuse_boxes([Annotations.empty(), Annotations.empty()]))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_no_object_is_lost_or_scored_higher_than_its_best_box(seed, models):
    rng = np.random.default_rng(seed)
    parts = [random_predictions(rng, int(rng.integers(0, 25)), 2, 2) for _ in range(models)]
    fused, rows = fuse_boxes(parts), Annotations.concatenate(parts)
    assert len(fused) <= len(rows)
    for category, image in ((1, 1), (1, 2), (2, 1), (2, 2)):
        after, before = (
            part[(part.image_ids == image) & (part.category_ids == category)]
            for part in (fused, rows)
        )
        assert bool(len(after)) == bool(len(before))
        if len(before):
            assert after.scores.max() <= before.scores.max() + 1e-6
            overlaps = iou_matrix(before.boxes_xyxy, after.boxes_xyxy)
            assert (overlaps.max(axis=1) > 0.3).all()


def test_two_equal_models_give_the_same_objects_as_one():
    rng = np.random.default_rng(0)
    once = fuse_boxes([random_predictions(rng, 30, 3)])
    twice = fuse_boxes([once, once])
    assert to_tuples(twice) == to_tuples(once)
    assert twice.boxes_xyxy == pytest.approx(once.boxes_xyxy, abs=1e-3)
