from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel import masks
from pseudolabel.boxes import iou_matrix
from pseudolabel.records import Annotations, object_array
from pseudolabel.votes import joint_votes
from tests.builders import predictions, random_predictions


def rows_of(found):
    return [
        (int(image), int(kind), round(float(score), 4))
        for image, kind, score in zip(
            found.image_ids, found.category_ids, found.scores, strict=True
        )
    ]


def test_the_score_is_the_mean_over_all_models():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.9), (1, 2, (50, 50, 60, 60), 0.6)])
    other = predictions([(1, 1, (1, 0, 21, 20), 0.5)])
    third = predictions([])
    assert rows_of(joint_votes([one, other, third])) == [(1, 1, 0.4667), (1, 2, 0.2)]


def test_boxes_are_averaged_by_their_scores():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.5)])
    other = predictions([(1, 1, (2, 0, 22, 20), 0.75)])
    joint = joint_votes([one, other])
    assert joint.boxes_xyxy[0] == pytest.approx([1.2, 0, 21.2, 20], abs=1e-4)
    assert joint.scores[0] == pytest.approx(0.625)
    assert joint.areas[0] == pytest.approx(400, abs=1e-2)


def test_the_mask_that_fits_best_follows_with_its_box():
    parts = []
    for x, score in ((0, 0.9), (4, 0.3)):
        pixels = np.zeros((1, 80, 100), bool)
        pixels[0, :20, x : x + 20] = True
        box = (x, 0, x + 20, 20)
        mask = object_array(masks.encode(pixels))
        parts.append(replace(predictions([(1, 1, box, score)]), masks=mask))
    joint = joint_votes(parts)
    # The mean of the boxes begins at 1: nearer to the first.
    assert joint.masks.tolist() == parts[0].masks.tolist()
    assert joint.boxes_xyxy.tolist() == [[0, 0, 20, 20]]
    assert joint.scores[0] == pytest.approx(0.6)


def test_classes_and_images_do_not_vote_for_each_other():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.8), (2, 1, (0, 0, 20, 20), 0.8)])
    other = predictions([(1, 2, (0, 0, 20, 20), 0.8)])
    assert rows_of(joint_votes([one, other])) == [(1, 1, 0.4), (1, 2, 0.4), (2, 1, 0.4)]


def test_nothing_found_by_anybody():
    assert not len(joint_votes([Annotations.empty(), Annotations.empty()]))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_no_object_is_lost_or_surer_than_its_best_box(seed, voters):
    rng = np.random.default_rng(seed)
    found = [random_predictions(rng, int(rng.integers(0, 25)), 2, 2) for _ in range(voters)]
    joint = joint_votes(found)
    rows = Annotations.concatenate(found)
    assert len(joint) <= len(rows)
    for kind in (1, 2):
        for image in (1, 2):
            one, all_of = (
                (it.image_ids == image) & (it.category_ids == kind) for it in (joint, rows)
            )
            assert one.any() == all_of.any()
            if all_of.any():
                assert joint.scores[one].max() <= rows.scores[all_of].max() + 1e-6
                overlaps = iou_matrix(rows.boxes_xyxy[all_of], joint.boxes_xyxy[one])
                assert (overlaps.max(axis=1) > 0.3).all()


def test_equal_models_change_nothing_but_the_order():
    rng = np.random.default_rng(0)
    alone = joint_votes([random_predictions(rng, 30, 3)])
    twice = joint_votes([alone, alone])
    assert rows_of(twice) == rows_of(alone)
    assert twice.boxes_xyxy == pytest.approx(alone.boxes_xyxy, abs=1e-3)
