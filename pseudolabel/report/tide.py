"""The kinds of errors of a detector, and what each kind costs in AP.

After D. Bolya, S. Foley, J. Hays, J. Hoffman: TIDE: A General Toolbox for Identifying Object
Detection Errors, ECCV 2020. A prediction that is not right is of the first kind that applies:

- localisation: gold of its class overlaps it, with an IoU from 0.1 to below 0.5
- classification: gold of another class overlaps it, with an IoU of at least 0.5
- duplicate: gold of its class overlaps it, with an IoU of at least 0.5, and has a better prediction
- background: no gold overlaps it, the IoU is below 0.1
- both: the rest; gold of another class overlaps it, with an IoU from 0.1 to below 0.5

Gold that no prediction finds is missed, unless an error of localisation or of classification is
about it. The cost of a kind is the AP (at an IoU of 0.5) after all its errors are corrected, minus
the AP. Costs do not add up to 1 - AP: an error may hide behind another. If all kinds are corrected
one after the other, the AP is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOREGROUND_IOU, BACKGROUND_IOU = 0.5, 0.1
KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
RIGHT, IGNORED = -1, -2
"""The kind of a prediction that is right, or that is on a crowd and does not count."""
_CLASSIFICATION, _LOCALISATION, _BOTH, _DUPLICATE, _BACKGROUND, _MISSED = range(len(KINDS))
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Judged:
    """The predictions for all images, compared with gold.

    Attributes:
        scores: (p,) scores.
        classes: (p,) index of each prediction's class.
        kinds: (p,) index into KINDS, RIGHT or IGNORED.
        targets: (p,) row of the gold that a prediction finds, or that its error is about; -1 for
            none.
        gold_classes: (g,) index of each gold object's class; crowds are not among them.
        missed: (g,) gold that no prediction finds and that no error is about.
    """

    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    kinds: NDArray[np.int64]
    targets: NDArray[np.int64]
    gold_classes: NDArray[np.int64]
    missed: NDArray[np.bool_]

    @classmethod
    def concatenate(cls, parts: Sequence[Judged]) -> Judged:
        """Return the images of all parts together."""
        begins = np.cumsum([0, *(len(part.gold_classes) for part in parts)])
        targets = [
            np.where(part.targets >= 0, part.targets + begin, -1)
            for part, begin in zip(parts, begins, strict=False)
        ]
        return cls(
            np.concatenate([np.empty(0, np.float32), *(part.scores for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.classes for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.kinds for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *targets]),
            np.concatenate([np.empty(0, np.int64), *(part.gold_classes for part in parts)]),
            np.concatenate([np.empty(0, bool), *(part.missed for part in parts)]),
        )

    @property
    def found(self) -> NDArray[np.bool_]:
        """The (g,) gold objects that a prediction finds."""
        found = np.zeros(len(self.gold_classes), bool)
        found[self.targets[self.kinds == RIGHT]] = True
        return found

    def count_missed(self, threshold: float) -> int:
        """Return the gold objects that no prediction from a score on finds or is an error about."""
        targets = self.targets[self.scores >= threshold]
        return len(self.gold_classes) - len(np.unique(targets[targets >= 0]))


def judge_image(
    ious: NDArray[np.floating],
    crowd_shares: NDArray[np.floating],
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    gold_classes: NDArray[np.int64],
    crowd_classes: NDArray[np.int64],
) -> Judged:
    """Return the predictions for one image, compared with its gold as COCO's evaluation does.

    Args:
        ious: (p, g) IoU of predictions and gold.
        crowd_shares: (p, k) share of each prediction that lies in each crowd.
        scores: (p,) scores.
        classes: (p,) index of each prediction's class.
        gold_classes: (g,) index of each gold object's class.
        crowd_classes: (k,) index of each crowd's class.
    """
    own = classes[:, None] == gold_classes[None]
    fits = own & (ious >= FOREGROUND_IOU)
    kinds = np.full(len(scores), _BOTH, np.int64)
    targets = np.full(len(scores), -1, np.int64)
    free = np.ones(len(gold_classes), bool)
    for row in np.argsort(-scores, kind="stable"):
        left = fits[row] & free
        if left.any():
            targets[row] = np.where(left, ious[row], -1.0).argmax()
            kinds[row], free[targets[row]] = RIGHT, False
    wrong = kinds != RIGHT
    same, other = np.where(own, ious, 0.0), np.where(own, 0.0, ious)
    best_same, best_other = same.max(axis=1, initial=0.0), other.max(axis=1, initial=0.0)
    in_crowd = (classes[:, None] == crowd_classes[None]) & (crowd_shares >= FOREGROUND_IOU)
    # In reverse order: what comes later replaces what comes earlier.
    kinds[wrong & (np.maximum(best_same, best_other) < BACKGROUND_IOU)] = _BACKGROUND
    kinds[wrong & (best_same >= FOREGROUND_IOU)] = _DUPLICATE
    kinds[wrong & (best_other >= FOREGROUND_IOU)] = _CLASSIFICATION
    badly_placed = (best_same >= BACKGROUND_IOU) & (best_same < FOREGROUND_IOU)
    kinds[wrong & badly_placed] = _LOCALISATION
    kinds[wrong & in_crowd.any(axis=1)] = IGNORED
    if len(gold_classes):
        for kind, overlaps in ((_LOCALISATION, same), (_CLASSIFICATION, other)):
            targets[kinds == kind] = overlaps.argmax(axis=1)[kinds == kind]
    missed = free.copy()
    missed[targets[targets >= 0]] = False
    return Judged(scores, classes, kinds, targets, gold_classes, missed)


def mean_ap(judged: Judged, corrected: Sequence[str] = ()) -> float:
    """Return the mean AP of the classes in gold at an IoU of 0.5, with errors corrected.

    A correction may give gold a second prediction: the one with the lower score is removed.

    Args:
        judged: the predictions.
        corrected: the kinds of errors to correct.
    """
    fixed = {KINDS.index(name) for name in corrected}
    moved = np.isin(judged.kinds, [*(fixed & {_CLASSIFICATION, _LOCALISATION})])
    removed = np.isin(judged.kinds, [IGNORED, *(fixed & {_BOTH, _DUPLICATE, _BACKGROUND})])
    classes = judged.classes.copy()
    classes[moved] = judged.gold_classes[judged.targets[moved]]
    right = (judged.kinds == RIGHT) | moved
    order = np.argsort(-judged.scores, kind="stable")
    rows = order[right[order]]
    _, first = np.unique(judged.targets[rows], return_index=True)
    is_best = np.zeros(len(classes), bool)
    is_best[rows[first]] = True
    left = order[(~removed & (is_best | ~right))[order]]
    counted = ~judged.missed if _MISSED in fixed else np.ones(len(judged.missed), bool)
    values = []
    for index in np.unique(judged.gold_classes):
        of_class = left[classes[left] == index]
        total = int((counted & (judged.gold_classes == index)).sum())
        if total or len(of_class):
            values.append(_average_precision(right[of_class], total))
    return float(np.mean(values)) if values else 1.0


def error_costs(judged: Judged) -> dict[str, float]:
    """Return the increase of the mean AP if all errors of one kind were corrected, by kind."""
    now = mean_ap(judged)
    return {kind: mean_ap(judged, [kind]) - now for kind in KINDS}


def precision_recall(
    hits: NDArray[np.bool_], total: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (n,) precision and recall after each prediction, the best score first.

    Args:
        hits: (n,) whether each prediction is right.
        total: number of gold objects.
    """
    found = np.cumsum(hits)
    return found / np.arange(1, len(hits) + 1), found / max(1, total)


def _average_precision(hits: NDArray[np.bool_], total: int) -> float:
    """Return COCO's AP: the mean of the best precision at 101 recalls; 0 without gold."""
    if not total or not len(hits):
        return 0.0
    precision, recall = precision_recall(hits, total)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    # Sums of shares such as 3 / 10 may be a little below the recall that they reach.
    places = np.searchsorted(recall, _RECALLS - 1e-12, "left")
    return float(np.append(best, 0.0)[places].mean())
