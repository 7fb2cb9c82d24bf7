import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pseudolabel.core import grouping, masks
from pseudolabel.core.columns import object_array
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.evaluation.average_precision import interpolated_precision
from pseudolabel.evaluation.object_matching import match
from pseudolabel.evaluation.object_overlaps import box_overlaps, boxes_xywh
from pseudolabel.evaluation.objects import BoxScorer, MaskScorer
from tests.builders import CATEGORIES, dataset, images, predictions, random_predictions


def box_metrics(truth, predicted, max_boxes):
    scorer = BoxScorer(truth, max_boxes)
    scorer.add(predicted)
    overall, by_class = scorer.result()
    return overall, by_class["AP"]


def random_truth(rng):
    rows = random_predictions(rng, 40, 8)
    gold = Annotations.gold(
        np.arange(1, 41),
        rows.image_ids,
        rows.category_ids,
        rows.boxes_xyxy,
        rows.areas,
        rng.random(40) < 0.1,
    )
    return Dataset(images(8), gold, CATEGORIES)


def shift_boxes(truth, rng):
    """Predictions: the gold boxes moved by some pixels, some of them with another class."""
    gold = truth.annotations
    moved = gold.boxes_xyxy + rng.normal(0, 2, gold.boxes_xyxy.shape).astype(np.float32)
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    classes = np.where(rng.random(len(gold)) < 0.2, 1, gold.category_ids)
    scores = rng.permutation(len(gold)) / len(gold)
    return Annotations.predicted(gold.image_ids, classes, moved, scores, 1)


def coco_results(predicted):
    columns = {
        "image_id": predicted.image_ids.tolist(),
        "category_id": predicted.category_ids.tolist(),
        "bbox": boxes_xywh(predicted).tolist(),
        "score": predicted.scores.tolist(),
    }
    if all(predicted.masks):
        columns["segmentation"] = [
            {"size": [80, 100], "counts": mask.decode()} for mask in predicted.masks
        ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def evaluate_with_pycocotools(truth, predicted, kind="bbox", max_boxes=100):
    gold = truth.annotations
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [
                {"id": image_id, "width": 100, "height": 80}
                for image_id in truth.images.ids.tolist()
            ],
            "categories": [{"id": category.id, "name": category.name} for category in CATEGORIES],
            "annotations": [
                {
                    "id": int(gold.ids[row]),
                    "image_id": int(gold.image_ids[row]),
                    "category_id": int(gold.category_ids[row]),
                    "bbox": boxes_xywh(gold)[row].tolist(),
                    "area": float(gold.areas[row]),
                    "iscrowd": int(gold.crowds[row]),
                    "segmentation": {"size": [80, 100], "counts": gold.masks[row].decode()},
                }
                for row in range(len(gold))
            ],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(coco_results(predicted)), kind)
        evaluation.params.maxDets = [1, 2, max_boxes]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31))
def test_box_metrics_equal_those_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng)
    predicted = shift_boxes(truth, rng)
    overall, by_class = box_metrics(truth, predicted, max_boxes=100)
    assert_equal_metrics(overall, by_class, evaluate_with_pycocotools(truth, predicted))


def assert_equal_metrics(overall, by_class, expected):
    names = ("mAP", "mAP_50", "mAP_75", "mAP_small", "mAP_medium", "mAP_large")
    for name, value in zip(names, expected.stats, strict=False):
        assert overall[name] == (None if value < 0 else pytest.approx(value, abs=1e-6))
    for index, category in enumerate(CATEGORIES):
        precision = expected.eval["precision"][:, :, index, 0, -1]
        defined = precision[precision > -1]
        value = pytest.approx(defined.mean(), abs=1e-6) if defined.size else None
        assert by_class[category.name] == value


def crowded_scene(seed):
    """Images with objects of all sizes, crowds and equal scores; every third image is empty."""
    rng = np.random.default_rng(seed)
    image_ids = np.sort(rng.choice([1, 2, 4, 5, 7, 8], 60))
    sides = np.exp(rng.uniform(np.log(5), np.log(300), (60, 2)))
    corners = rng.uniform(0, 40, (60, 2))
    boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
    classes, crowds = rng.integers(1, 4, 60), rng.random(60) < 0.3
    areas = sides.prod(axis=1)
    gold = Annotations.gold(np.arange(1, 61), image_ids, classes, boxes, areas, crowds)
    gold = replace(gold, masks=object_array(masks.encode(np.zeros((1, 80, 100), bool)) * 60))
    truth = Dataset(images(9), gold, CATEGORIES)
    parts = [shift_boxes(truth, rng) for _ in range(3)]
    predicted = Annotations.concatenate(parts)[rng.permutation(180)]
    return truth, replace(predicted, scores=np.ceil(predicted.scores * 5).astype(np.float32) / 5)


@pytest.mark.parametrize("max_boxes", [100, 3])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_precision_equals_that_of_pycocotools_with_crowds_and_equal_scores(max_boxes, seed):
    truth, predicted = crowded_scene(seed)
    matches = match(truth, predicted, max_boxes, box_overlaps)
    precision = interpolated_precision(matches, len(CATEGORIES))
    expected = evaluate_with_pycocotools(truth, predicted, max_boxes=max_boxes)
    wanted = expected.eval["precision"][..., -1]
    assert np.array_equal(np.isnan(precision), wanted < 0)
    assert np.nan_to_num(precision, nan=-1) == pytest.approx(wanted, abs=1e-12)


def test_pairs_in_several_chunks_match_as_in_one(monkeypatch):
    truth, predicted = crowded_scene(0)
    whole = match(truth, predicted, 100, box_overlaps)
    monkeypatch.setattr(grouping, "_PAIRS_PER_CHUNK", 7)
    chunked = match(truth, predicted, 100, box_overlaps)
    assert whole.hits.any()
    assert np.array_equal(whole.hits, chunked.hits)
    assert np.array_equal(whole.ignored, chunked.ignored)


def test_predictions_for_other_images_are_an_error():
    with pytest.raises(ValueError, match="found other images"):
        box_metrics(dataset(2), predictions([(3, 1, (0, 0, 9, 9), 0.5)]), max_boxes=100)


def test_masks_without_gold_in_their_image_are_wrong():
    rng = np.random.default_rng(0)
    truth = replace(dataset(2), annotations=with_masks(dataset(1).annotations, rng, noise=0))
    elsewhere = with_masks(predictions([(2, 1, (5, 5, 20, 20), 0.9)]), rng, noise=0)
    scorer = MaskScorer(truth, 100)
    scorer.add(elsewhere)
    assert scorer.result()[0]["mAP"] == 0


def test_a_prediction_without_a_mask_is_scored_as_its_box():
    rng = np.random.default_rng(0)
    truth = random_truth(rng)
    truth = replace(truth, annotations=with_masks(truth.annotations, rng, noise=0))
    predicted = shift_boxes(truth, rng)
    assert not any(predicted.masks)
    scorer = MaskScorer(truth, 100)
    scorer.add(predicted)
    overall, by_class = scorer.result()
    assert_equal_metrics(
        overall, by_class["AP"], evaluate_with_pycocotools(truth, predicted, "segm")
    )


def test_perfect_predictions_score_one():
    truth = dataset(4)
    gold = truth.annotations
    predicted = Annotations.predicted(
        gold.image_ids, gold.category_ids, gold.boxes_xyxy, np.ones(4, np.float32), 1
    )
    overall, by_class = box_metrics(truth, predicted, max_boxes=100)
    assert overall["mAP"] == 1
    assert overall["mAP_large"] is None
    assert by_class == {"disc": 1, "rod": 1, "star": 1}


def test_no_predictions_score_zero():
    overall, by_class = box_metrics(dataset(4), Annotations.empty(), max_boxes=100)
    assert overall["mAP"] == 0
    assert by_class == {"disc": 0, "rod": 0, "star": 0}


def test_only_the_best_boxes_per_image_and_class_count():
    truth = dataset(1)
    hit = (1, 1, truth.annotations.boxes_xyxy[0].tolist(), 0.1)
    predicted = predictions([(1, 1, (50, 50, 60, 60), 0.9), hit])
    assert box_metrics(truth, predicted, max_boxes=2)[0]["mAP"] == pytest.approx(0.5, abs=1e-3)
    assert box_metrics(truth, predicted, max_boxes=1)[0]["mAP"] == 0


def with_masks(rows, rng, noise):
    """The rows with masks: ellipses in their boxes, without a random share `noise` of pixels."""
    y, x = np.mgrid[0:80, 0:100]
    grids = []
    for x1, y1, x2, y2 in rows.boxes_xyxy:
        inside = ((x + 0.5 - (x1 + x2) / 2) / (x2 - x1)) ** 2
        inside = inside + ((y + 0.5 - (y1 + y2) / 2) / (y2 - y1)) ** 2
        grids.append((inside < 0.25) & (rng.random((80, 100)) >= noise))
    counts = masks.encode(np.array(grids, bool))
    boxes, areas = masks.boxes_xyxy(counts, 80, 100), masks.areas(counts, 80, 100)
    return replace(rows, masks=object_array(counts), boxes_xyxy=boxes, areas=areas)[areas > 0]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31))
def test_mask_metrics_equal_those_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng)
    predicted = with_masks(shift_boxes(truth, rng), rng, noise=0.15)
    truth = replace(truth, annotations=with_masks(truth.annotations, rng, noise=0))
    scorer = MaskScorer(truth, 100)
    scorer.add(predicted[: len(predicted) // 2])
    scorer.add(predicted[len(predicted) // 2 :])
    overall, by_class = scorer.result()
    expected = evaluate_with_pycocotools(truth, predicted, "segm")
    assert_equal_metrics(overall, by_class["AP"], expected)
    boxes = evaluate_with_pycocotools(truth, predicted, "bbox").stats
    for name, value in zip(("mAP", "mAP_50", "mAP_75"), boxes, strict=False):
        assert overall[f"box_{name}"] == pytest.approx(value, abs=1e-6)
