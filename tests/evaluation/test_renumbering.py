"""Scores depend on the labels alone: not on ids, not on the order of rows, not on shards."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.boxes import covered_shares
from pseudolabel.core.datasets import select_images
from pseudolabel.core.records import Annotations, Category, Dataset
from pseudolabel.evaluation.objects import BoxScorer, MaskScorer
from pseudolabel.silver.matching import match_objects
from tests.builders import dataset
from tests.evaluation.test_objects import (
    evaluate_with_pycocotools,
    random_truth,
    shift_boxes,
    with_masks,
)


def perfect_predictions(truth):
    rows = truth.annotations
    predicted = Annotations.predicted(
        rows.image_ids, rows.category_ids, rows.boxes_xyxy, np.ones(len(rows), np.float32), 1
    )
    return replace(predicted, masks=rows.masks)


@pytest.mark.parametrize("first_id", [0, 1, 2**40], ids=["from 0", "from 1", "large"])
@pytest.mark.parametrize("scorer_type", [BoxScorer, MaskScorer])
def test_perfect_predictions_score_one_whatever_the_annotation_ids(scorer_type, first_id):
    truth = dataset(3)
    rows = with_masks(truth.annotations, np.random.default_rng(0), noise=0)
    truth = replace(truth, annotations=replace(rows, ids=np.arange(first_id, first_id + 3)))
    scorer = scorer_type(truth, 100)
    scorer.add(perfect_predictions(truth))
    overall, by_class = scorer.result()
    assert overall["mAP"] == 1
    assert by_class["AP"] == {"disc": 1, "rod": 1, "star": 1}
    assert scorer.resampled(np.array([[0, 1, 2]])).tolist() == [1]


def new_ids(rng, ids):
    """New ids for old ones, among them 0, in any order."""
    drawn = np.concatenate([[0], rng.choice(np.arange(1, 200), len(ids) - 1, replace=False)])
    return dict(zip(ids.tolist(), rng.permutation(drawn).tolist(), strict=True))


def renamed(ids, names):
    return np.array([names[old] for old in ids.tolist()], ids.dtype)


def disguised(rng, truth, predicted):
    """The same labels and predictions with other ids, in another order."""
    images = new_ids(rng, truth.images.ids)
    classes = new_ids(rng, np.array([category.id for category in truth.categories]))
    gold = truth.annotations
    gold = replace(gold, ids=renamed(gold.ids, new_ids(rng, gold.ids)))
    rows = [
        replace(
            part,
            image_ids=renamed(part.image_ids, images),
            category_ids=renamed(part.category_ids, classes),
        )[rng.permutation(len(part))]
        for part in (gold, predicted)
    ]
    changed = replace(truth.images, ids=renamed(truth.images.ids, images))
    categories = [Category(classes[old.id], old.name) for old in truth.categories]
    categories = sorted(categories, key=lambda category: category.id)
    changed = changed[rng.permutation(len(changed))]
    return Dataset(changed, rows[0], tuple(categories)), rows[1]


def scene(seed, masks):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng)
    predicted = shift_boxes(truth, rng)
    if masks:
        predicted = with_masks(predicted, rng, noise=0.1)
        truth = replace(truth, annotations=with_masks(truth.annotations, rng, noise=0))
    return rng, truth, predicted


def metrics_of(scorer_type, truth, shards):
    scorer = scorer_type(truth, 100)
    for shard in shards:
        scorer.add(shard)
    overall, by_class = scorer.result()
    return overall, dict(sorted(by_class["AP"].items()))


@pytest.mark.parametrize("scorer_type", [BoxScorer, MaskScorer])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_metrics_do_not_depend_on_ids_order_or_shards(scorer_type, seed):
    rng, truth, predicted = scene(seed, scorer_type is MaskScorer)
    other_truth, other = disguised(rng, truth, predicted)
    shards = [other[part] for part in np.array_split(np.arange(len(other)), rng.integers(1, 6))]
    expected = metrics_of(scorer_type, truth, [predicted])
    assert metrics_of(scorer_type, other_truth, shards) == expected


def matches_of(truth, shards):
    """The matched objects as sorted rows: score, class, right or wrong; and gold by class."""
    rows, totals = [], dict.fromkeys(truth.class_names, 0.0)
    for part, predicted in shards:
        matched = match_objects(predicted, part)
        names = [part.class_names[index] for index in matched.classes]
        rows += zip(matched.scores.tolist(), names, matched.hits.tolist(), strict=True)
        for name, total in zip(part.class_names, matched.totals.tolist(), strict=True):
            totals[name] += total
    return sorted(rows), totals


@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_matches_do_not_depend_on_ids_order_or_shards(masks, seed):
    rng, truth, predicted = scene(seed, masks)
    other_truth, other = disguised(rng, truth, predicted)
    shard_of_image = rng.integers(0, 3, len(other_truth.images))
    shards = []
    for number in range(3):
        part = select_images(other_truth, shard_of_image == number)
        shards.append((part, other[np.isin(other.image_ids, part.images.ids)]))
    expected = matches_of(truth, [(truth, predicted)])
    assert matches_of(other_truth, [(other_truth, other)]) == expected
    assert matches_of(other_truth, shards) == expected


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_matches_and_crowds_are_those_of_pycocotools(kind, seed):
    rng, truth, predicted = scene(seed, kind == "segm")
    if kind == "segm":
        predicted = predicted[predicted.areas > 0]
    # Half of gold is a crowd, so that many predictions lie on one.
    crowds = rng.random(len(truth.annotations)) < 0.5
    truth = replace(truth, annotations=replace(truth.annotations, crowds=crowds))
    evaluation = evaluate_with_pycocotools(truth, predicted, kind)
    expected = []
    for part in evaluation.evalImgs:
        if part is None or part["aRng"] != evaluation.params.areaRng[0]:
            continue
        name = next(row.name for row in truth.categories if row.id == part["category_id"])
        expected += [
            (np.float32(score), name, match > 0)
            for score, match, ignored in zip(
                part["dtScores"], part["dtMatches"][0], part["dtIgnore"][0], strict=True
            )
            if not ignored
        ]
    rows, _ = matches_of(truth, [(truth, predicted)])
    assert [(np.float32(score), name, hit) for score, name, hit in rows] == sorted(expected)


def test_the_share_of_a_box_inside_a_crowd():
    boxes = np.array([[0, 0, 10, 10], [15, 0, 25, 10], [5, 5, 5, 9]], np.float32)
    crowd = np.array([[0, 0, 20, 50]], np.float32)
    assert covered_shares(boxes, crowd)[:, 0].tolist() == [1, 0.5, 0]
