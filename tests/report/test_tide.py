"""Error kinds and their costs, compared with the definitions of Bolya et al. 2020, row by row."""

import itertools

import numpy as np
import pytest

from pseudolabel.core import boxes
from pseudolabel.evaluation.objects import BoxScorer
from pseudolabel.report.tide import IGNORED, KINDS, RIGHT, Judged, error_costs, judge_image, mean_ap
from tests import builders

NO_CROWDS = np.empty(0, np.int64)


def random_image(rng, most=6, classes=3):
    """Gold and predictions near it, with classes and scores."""
    count = int(rng.integers(0, most))
    corners = rng.uniform(0, 60, (count, 2))
    gold = np.concatenate([corners, corners + rng.uniform(8, 30, (count, 2))], axis=1)
    near = [row + rng.normal(0, 4, 4) for row in gold for _ in range(int(rng.integers(0, 4)))]
    corners = rng.uniform(0, 60, (3, 2))
    far = np.concatenate([corners, corners + rng.uniform(5, 30, (3, 2))], axis=1)
    found = np.array([*near, *far]).astype(np.float32)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    scores = rng.permutation(len(found) * 7)[: len(found)].astype(np.float32) / (len(found) * 7)
    guesses = rng.integers(0, classes, len(found))
    return gold.astype(np.float32), rng.integers(0, classes, count), found, guesses, scores


def judged_of(image):
    gold, gold_classes, found, guesses, scores = image
    ious = boxes.iou_matrix(found, gold)
    return judge_image(ious, np.empty((len(found), 0)), scores, guesses, gold_classes, NO_CROWDS)


def slow_kinds(image):
    """The kind of each prediction and the missed gold, as the paper defines them."""
    gold, gold_classes, found, guesses, scores = image
    iou = boxes.iou_matrix(found, gold)
    finder = {}
    for row in sorted(range(len(found)), key=lambda row: -scores[row]):
        fitting = [
            place
            for place in range(len(gold))
            if place not in finder
            and gold_classes[place] == guesses[row]
            and iou[row, place] >= 0.5
        ]
        if fitting:
            finder[max(fitting, key=lambda place: iou[row, place])] = row
    kinds, covered = [], set(finder)
    for row in range(len(found)):
        same = [(iou[row, at], at) for at in range(len(gold)) if gold_classes[at] == guesses[row]]
        rest = [(iou[row, at], at) for at in range(len(gold)) if gold_classes[at] != guesses[row]]
        best_same, best_rest = max(same, default=(0, -1)), max(rest, default=(0, -1))
        if row in finder.values():
            kinds.append("right")
        elif 0.1 <= best_same[0] < 0.5:
            kinds.append("localisation")
            covered.add(best_same[1])
        elif best_rest[0] >= 0.5:
            kinds.append("classification")
            covered.add(best_rest[1])
        elif best_same[0] >= 0.5:
            kinds.append("duplicate")
        elif max(best_same[0], best_rest[0]) < 0.1:
            kinds.append("background")
        else:
            kinds.append("both")
    return kinds, [place not in covered for place in range(len(gold))]


def corrected_detections(image, number, corrected):
    """The score, class, hit and gold of each prediction, after errors are corrected one by one."""
    gold, gold_classes, found, guesses, scores = image
    iou = boxes.iou_matrix(found, gold)
    judged = judged_of(image)
    for row, kind in enumerate(slow_kinds(image)[0]):
        guess = int(guesses[row])
        if kind == "right":
            yield float(scores[row]), guess, True, (number, int(judged.targets[row]))
        elif kind not in corrected:
            yield float(scores[row]), guess, False, None
        elif kind in ("classification", "localisation"):
            fits = (gold_classes == guess) == (kind == "localisation")
            target = int(np.where(fits, iou[row], -1).argmax())
            yield float(scores[row]), int(gold_classes[target]), True, (number, target)


def slow_class_ap(hits, total):
    """The mean over 101 recalls of the best precision at that recall or a higher one."""
    if not total:
        return 0.0
    ends = range(1, len(hits) + 1)
    curve = [(sum(hits[:end]) / total, sum(hits[:end]) / end) for end in ends]
    points = [
        max((precision for recall, precision in curve if recall >= at / 100 - 1e-12), default=0)
        for at in range(101)
    ]
    return sum(points) / 101


def slow_ap(images, corrected):
    """The mean AP with errors corrected one by one, in plain loops."""
    detections, totals = [], {}
    for number, image in enumerate(images):
        detections += corrected_detections(image, number, corrected)
        for index, missed in zip(image[1].tolist(), slow_kinds(image)[1], strict=True):
            totals[index] = totals.get(index, 0) + (not (missed and "missed" in corrected))
    taken, hits = set(), {index: [] for index in totals}
    for _, guess, right, target in sorted(detections, key=lambda row: -row[0]):
        if right and target in taken:
            continue
        taken.add(target)
        hits.setdefault(guess, []).append(right)
    values = [
        slow_class_ap(hits[index], totals[index])
        for index in totals
        if hits[index] or totals[index]
    ]
    return sum(values) / len(values) if values else 1.0


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [random_image(rng) for _ in range(60)]


def test_kinds_agree_with_the_definitions(images):
    seen = set()
    for image in images:
        judged = judged_of(image)
        kinds, missed = slow_kinds(image)
        names = ["right" if kind == RIGHT else KINDS[kind] for kind in judged.kinds]
        assert names == kinds
        assert judged.missed.tolist() == missed
        seen |= {*kinds, *["missed"] * any(missed)}
    assert seen == {*KINDS, "right"}


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.6, 2.0])
def test_missed_gold_is_that_of_the_predictions_from_a_score_on(images, threshold):
    judged = Judged.concatenate([judged_of(image) for image in images])
    cut = []
    for gold, gold_classes, found, guesses, scores in images:
        given = scores >= threshold
        cut.append(judged_of((gold, gold_classes, found[given], guesses[given], scores[given])))
    assert judged.count_missed(threshold) == Judged.concatenate(cut).missed.sum()


def test_costs_agree_with_a_direct_correction_of_each_error(images):
    judged = Judged.concatenate([judged_of(image) for image in images])
    now = slow_ap(images, ())
    assert mean_ap(judged) == pytest.approx(now, abs=1e-9)
    for kind, cost in error_costs(judged).items():
        assert cost == pytest.approx(slow_ap(images, (kind,)) - now, abs=1e-9)
        assert cost >= 0


def test_all_corrections_one_after_the_other_lead_to_an_ap_of_1(images):
    judged = Judged.concatenate([judged_of(image) for image in images])
    steps = [KINDS[:end] for end in range(len(KINDS) + 1)]
    values = [mean_ap(judged, step) for step in steps]
    assert values[-1] == 1.0
    gains = [after - before for before, after in itertools.pairwise(values)]
    assert sum(gains) == pytest.approx(1 - values[0])


def test_the_ap_is_that_of_coco(images):
    rows, gold = [], []
    for number, image in enumerate(images, start=1):
        rows += [
            (number, 1 + guess, box, score)
            for box, guess, score in zip(image[2].tolist(), image[3], image[4], strict=True)
        ]
        gold += [(number, 1 + index, box) for box, index in zip(image[0], image[1], strict=True)]
    dataset = builders.Dataset(
        builders.images(len(images)), builders.gold(gold), builders.CATEGORIES
    )
    scorer = BoxScorer(dataset, 100)
    scorer.add(builders.predictions(rows))
    judged = Judged.concatenate([judged_of(image) for image in images])
    assert mean_ap(judged) == pytest.approx(scorer.result()[0]["mAP_50"], abs=1e-6)


def test_a_prediction_on_a_crowd_does_not_count():
    judged = judge_image(
        np.zeros((2, 0)),
        np.array([[0.9], [0.9]]),
        np.array([0.9, 0.8], np.float32),
        np.array([0, 1]),
        np.empty(0, np.int64),
        np.array([0]),
    )
    assert judged.kinds.tolist() == [IGNORED, KINDS.index("background")]
