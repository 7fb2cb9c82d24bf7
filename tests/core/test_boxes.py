import numpy as np
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core import boxes, grouping


@st.composite
def scenes(draw):
    count, seed = draw(st.integers(0, 60)), draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 40, (count, 2))
    xyxy = np.concatenate([corners, corners + rng.uniform(1, 30, (count, 2))], axis=1)
    # Some scores are equal, as for real detectors.
    scores = rng.integers(0, 40, count) / 40
    return xyxy.astype(np.float32), scores.astype(np.float32), rng.integers(0, 4, count)


def usual_loop(xyxy, scores, groups, threshold):
    kept = []
    for row in np.argsort(-scores, kind="stable"):
        same_group = [other for other in kept if groups[other] == groups[row]]
        pairs = xyxy[same_group], np.repeat(xyxy[row][None], len(same_group), axis=0)
        if not (boxes._paired_iou(*pairs) > threshold).any():
            kept.append(row)
    return np.isin(np.arange(len(scores)), kept)


@settings(deadline=None)
@given(scenes(), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_nms_equals_the_usual_loop(scene, threshold):
    expected = usual_loop(*scene, threshold)
    assert np.array_equal(boxes.grouped_nms(*scene, threshold), expected)


def test_nms_equals_torchvision_on_a_crowded_scene():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 300, (2000, 2))
    xyxy = np.concatenate([corners, corners + rng.uniform(5, 60, (2000, 2))], axis=1)
    xyxy, scores = xyxy.astype(np.float32), rng.permutation(2000).astype(np.float32)
    groups = rng.integers(0, 5, 2000)
    kept = torchvision.ops.batched_nms(
        torch.from_numpy(xyxy), torch.from_numpy(scores), torch.from_numpy(groups), 0.5
    )
    result = boxes.grouped_nms(xyxy, scores, groups, 0.5)
    assert set(np.flatnonzero(result)) == set(kept.tolist())


def test_nms_in_small_chunks_gives_the_same_result(monkeypatch):
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, 50, (200, 2))
    xyxy = np.concatenate([corners, corners + 20], axis=1).astype(np.float32)
    scores, groups = rng.random(200).astype(np.float32), rng.integers(0, 3, 200)
    expected = boxes.grouped_nms(xyxy, scores, groups, 0.4)
    monkeypatch.setattr(grouping, "_PAIRS_PER_CHUNK", 7)
    assert np.array_equal(boxes.grouped_nms(xyxy, scores, groups, 0.4), expected)
    assert 0 < expected.sum() < 200


def test_iou_of_known_boxes():
    one = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [5, 5, 5, 5]], np.float32)
    other = np.array([[5, 0, 15, 10], [20, 20, 30, 30], [5, 5, 5, 5]], np.float32)
    assert boxes._paired_iou(one, other).tolist() == [np.float32(1 / 3), 0, 0]


def test_a_box_that_only_a_removed_box_overlaps_is_kept():
    xyxy = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)
    scores, groups = np.array([0.9, 0.8, 0.7], np.float32), np.zeros(3, np.int64)
    assert boxes.grouped_nms(xyxy, scores, groups, 0.4).tolist() == [True, False, True]
