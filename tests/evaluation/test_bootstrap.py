"""The score of a draw of images is that of a split with these images."""

from dataclasses import replace

import numpy as np
import pytest

from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.evaluation.bootstrap import draw_images, gain_interval, percentile_interval
from pseudolabel.evaluation.classes import ClassScorer
from pseudolabel.evaluation.objects import BoxScorer, MaskScorer
from pseudolabel.evaluation.pixels import PixelScorer
from pseudolabel.formats.split_folder import SplitFolder
from tests.builders import CATEGORIES, images
from tests.evaluation.test_classes import truth_of
from tests.evaluation.test_objects import random_truth, shift_boxes, with_masks

CLASSES = 3


def draw_rows(rows, image_ids, draw):
    """The rows of drawn images. Each drawn image has a new id, from 1 on, even if drawn twice."""
    parts = [rows[rows.image_ids == image_ids[row]] for row in draw]
    ids = [np.full(len(part), number + 1) for number, part in enumerate(parts)]
    return replace(Annotations.concatenate(parts), image_ids=np.concatenate(ids))


def objects_case(kind, rng, main="mAP", equal_scores=False):
    truth = random_truth(rng)
    predicted = shift_boxes(truth, rng)
    if equal_scores:
        predicted = replace(predicted, scores=np.ceil(predicted.scores * 2).astype(np.float32) / 2)
    if kind is MaskScorer:
        truth = replace(truth, annotations=with_masks(truth.annotations, rng, noise=0))
        predicted = with_masks(predicted, rng, noise=0.1)
    ids = truth.images.ids

    def make_scorer(draw):
        gold = draw_rows(truth.annotations, ids, draw)
        gold = replace(gold, ids=np.arange(1, len(gold) + 1))
        scorer = kind(Dataset(images(len(draw)), gold, CATEGORIES), 100, main)
        return scorer, draw_rows(predicted, ids, draw)

    return make_scorer, len(ids), main


def classes_case(rng):
    classes, values = rng.integers(0, CLASSES, 25), rng.random((25, CLASSES)).astype(np.float32)

    def make_scorer(draw):
        scorer = ClassScorer(truth_of(classes[draw], CLASSES))
        # In reverse order: predictions need not have the order of the split.
        rows = np.arange(len(draw))[::-1]
        return scorer, Probabilities(rows + 1, values[draw][::-1])

    return make_scorer, 25, "top1"


def pixels_case(rng, folder):
    truths, guesses = (rng.integers(0, CLASSES, (6, 5, 4)).astype(np.uint8) for _ in range(2))

    def make_scorer(draw):
        split = SplitFolder(folder / "_".join(map(str, draw)))
        dataset = Dataset(images(len(draw)), Annotations.empty(), CATEGORIES)
        for image_id, row in zip(dataset.images.ids, draw, strict=True):
            split.write_label_map(image_id, truths[row])
        maps = list(guesses[draw])
        return PixelScorer(dataset, split.path), LabelMaps(dataset.images.ids, maps, maps)

    return make_scorer, 6, "mIoU"


BOXES = ["boxes", "boxes at 0.50", "boxes at 0.75", "boxes of equal scores"]


@pytest.fixture(params=[*BOXES, "masks", "pixels", "classes"])
def case(request, tmp_path):
    rng = np.random.default_rng(3)
    return {
        "boxes": lambda: objects_case(BoxScorer, rng),
        "boxes at 0.50": lambda: objects_case(BoxScorer, rng, "mAP_50"),
        "boxes at 0.75": lambda: objects_case(BoxScorer, rng, "mAP_75"),
        "boxes of equal scores": lambda: objects_case(BoxScorer, rng, equal_scores=True),
        "masks": lambda: objects_case(MaskScorer, rng),
        "pixels": lambda: pixels_case(rng, tmp_path),
        "classes": lambda: classes_case(rng),
    }[request.param]()


def with_predictions(scorer, predictions):
    scorer.add(predictions)
    return scorer


def test_the_score_of_a_draw_is_that_of_a_split_with_its_images(case):
    make_scorer, count, metric = case
    draws = np.random.default_rng(0).integers(0, count, (4, count))
    draws[0] = np.arange(count)
    scores = with_predictions(*make_scorer(draws[0])).resampled(draws)
    expected = [with_predictions(*make_scorer(draw)).result()[0][metric] for draw in draws]
    assert len(set(expected)) > 1
    assert scores == pytest.approx(expected, abs=1e-6)


def test_a_scorer_reads_the_predictions_that_another_one_wrote(case, tmp_path):
    make_scorer, count, _ = case
    every_image = np.arange(count)
    first, (second, _) = with_predictions(*make_scorer(every_image)), make_scorer(every_image)
    first.write(tmp_path / "predictions")
    second.read(tmp_path / "predictions")
    assert second.result() == first.result()


def test_the_interval_contains_the_gain_and_depends_only_on_the_seed():
    classes = np.zeros(200, np.int64)
    truth = truth_of(classes, 2)
    before, now = ClassScorer(truth), ClassScorer(truth)
    for scorer, right in ((before, 100), (now, 140)):
        first = (np.arange(200) < right).astype(np.float32)
        scorer.add(Probabilities(truth.images.ids, np.stack([first, 1 - first], axis=1)))
    low, high = gain_interval(now, before, 200, seed=0)
    # The gain is 40 of 200 images. Its standard deviation is the root of 0.2 * 0.8 / 200.
    assert (low, high) == pytest.approx((0.2 - 1.96 * 0.0283, 0.2 + 1.96 * 0.0283), abs=0.008)
    assert gain_interval(now, before, 200, seed=0) == (low, high)
    assert gain_interval(now, now, 200, seed=0) == (0, 0)


def test_draws_without_a_score_are_left_out():
    assert percentile_interval(np.array([np.nan, 1.0, 1.0])) == (1, 1)
    assert percentile_interval(np.array([np.nan])) is None
    assert draw_images(5, 1).shape == (1000, 5)
    assert draw_images(2500, 1).shape == (400, 2500)
    assert draw_images(50_000, 1).shape == (200, 50_000)
