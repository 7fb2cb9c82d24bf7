"""Draws of images are scored as if each draw were a split of its own."""

from dataclasses import replace

import numpy as np
import pytest

from pseudolabel.formats.label_maps import map_path, write_map
from pseudolabel.metrics.images import ImageScorer
from pseudolabel.metrics.interval import draws_of, gain_interval, interval_of
from pseudolabel.metrics.objects import BoxScorer, MaskScorer
from pseudolabel.metrics.pixels import PixelScorer
from pseudolabel.records import Annotations, Dataset, LabelMaps, Probabilities
from tests.builders import CATEGORIES, images
from tests.metrics.test_images import truth_of
from tests.metrics.test_objects import near, random_truth, with_masks

CLASSES = 3


def redrawn(rows, own, draw):
    """The rows of drawn images, each time an image comes under an id of its own, from 1 on."""
    parts = [rows[rows.image_ids == own[row]] for row in draw]
    ids = [np.full(len(part), number + 1) for number, part in enumerate(parts)]
    return replace(Annotations.concatenate(parts), image_ids=np.concatenate(ids))


def objects_case(kind, rng, main="mAP"):
    truth = random_truth(rng)
    found = near(truth, rng)
    if kind is MaskScorer:
        truth = replace(truth, annotations=with_masks(truth.annotations, rng, torn=0))
        found = with_masks(found, rng, torn=0.1)
    own = truth.images.ids

    def scorer_of(draw):
        gold = redrawn(truth.annotations, own, draw)
        gold = replace(gold, ids=np.arange(1, len(gold) + 1))
        scorer = kind(Dataset(images(len(draw)), gold, CATEGORIES), 100, main)
        return scorer, redrawn(found, own, draw)

    return scorer_of, len(own), main


def images_case(rng):
    classes, values = rng.integers(0, CLASSES, 25), rng.random((25, CLASSES)).astype(np.float32)

    def scorer_of(draw):
        scorer = ImageScorer(truth_of(classes[draw], CLASSES))
        # Out of order, as nothing says that predictions come in the order of the split.
        back = np.arange(len(draw))[::-1]
        return scorer, Probabilities(back + 1, values[draw][::-1])

    return scorer_of, 25, "top1"


def pixels_case(rng, folder):
    truths, guesses = (rng.integers(0, CLASSES, (6, 5, 4)).astype(np.uint8) for _ in range(2))

    def scorer_of(draw):
        own = folder / "_".join(map(str, draw))
        dataset = Dataset(images(len(draw)), Annotations.empty(), CATEGORIES)
        for image_id, row in zip(dataset.images.ids, draw, strict=True):
            write_map(map_path(own, image_id), truths[row])
        maps = list(guesses[draw])
        return PixelScorer(dataset, own), LabelMaps(dataset.images.ids, maps, maps)

    return scorer_of, 6, "mIoU"


@pytest.fixture(params=["boxes", "boxes at 0.50", "boxes at 0.75", "masks", "pixels", "images"])
def case(request, tmp_path):
    rng = np.random.default_rng(3)
    return {
        "boxes": lambda: objects_case(BoxScorer, rng),
        "boxes at 0.50": lambda: objects_case(BoxScorer, rng, "mAP_50"),
        "boxes at 0.75": lambda: objects_case(BoxScorer, rng, "mAP_75"),
        "masks": lambda: objects_case(MaskScorer, rng),
        "pixels": lambda: pixels_case(rng, tmp_path),
        "images": lambda: images_case(rng),
    }[request.param]()


def filled(scorer, found):
    scorer.add(found)
    return scorer


def test_a_draw_scores_as_a_split_of_its_images(case):
    scorer_of, count, metric = case
    draws = np.random.default_rng(0).integers(0, count, (4, count))
    draws[0] = np.arange(count)
    scores = filled(*scorer_of(draws[0])).resampled(draws)
    expected = [filled(*scorer_of(draw)).result()[0][metric] for draw in draws]
    assert len(set(expected)) > 1
    assert scores == pytest.approx(expected, abs=1e-6)


def test_what_was_written_scores_the_same(case, tmp_path):
    scorer_of, count, _ = case
    first, (second, _) = filled(*scorer_of(np.arange(count))), scorer_of(np.arange(count))
    first.write(tmp_path / "found")
    second.read(tmp_path / "found")
    assert second.result() == first.result()


def test_the_interval_is_around_the_gain_and_the_same_each_time():
    classes = np.zeros(200, np.int64)
    truth = truth_of(classes, 2)
    before, now = ImageScorer(truth), ImageScorer(truth)
    for scorer, right in ((before, 100), (now, 140)):
        sure = (np.arange(200) < right).astype(np.float32)
        scorer.add(Probabilities(truth.images.ids, np.stack([sure, 1 - sure], axis=1)))
    low, high = gain_interval(now, before, 200, seed=0)
    # The gain is 40 of 200 images: its deviation is the root of 0.2 * 0.8 / 200.
    assert (low, high) == pytest.approx((0.2 - 1.96 * 0.0283, 0.2 + 1.96 * 0.0283), abs=0.008)
    assert gain_interval(now, before, 200, seed=0) == (low, high)
    assert gain_interval(now, now, 200, seed=0) == (0, 0)


def test_draws_without_a_measure_are_left_out():
    assert interval_of(np.array([np.nan, 1.0, 1.0])) == (1, 1)
    assert interval_of(np.array([np.nan])) is None
    assert draws_of(5, 1).shape == (1000, 5)
    assert draws_of(2500, 1).shape == (400, 2500)
    assert draws_of(50_000, 1).shape == (200, 50_000)
