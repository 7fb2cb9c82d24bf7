"""Model -> scores, champion, table of rounds: stages `evaluate` and `compare`.

The table SCORERS has the scorer of each task.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pseudolabel.core.records import Dataset
from pseudolabel.evaluation.classes import ClassScorer
from pseudolabel.evaluation.objects import BoxScorer, MaskScorer
from pseudolabel.evaluation.pixels import PixelScorer
from pseudolabel.evaluation.scorer import Scorer

MakeScorer = Callable[[Dataset, Path, Any], Scorer]
"""Returns a scorer, given the gold of a split, the split's folder and all parameters."""


def _box_scorer(truth: Dataset, _: Path, params: Any) -> Scorer:
    return BoxScorer(truth, params.evaluate.max_boxes, params.evaluate.measure)


def _mask_scorer(truth: Dataset, _: Path, params: Any) -> Scorer:
    return MaskScorer(truth, params.evaluate.max_boxes, params.evaluate.measure)


def _pixel_scorer(truth: Dataset, folder: Path, _: Any) -> Scorer:
    return PixelScorer(truth, folder)


def _class_scorer(truth: Dataset, _: Path, __: Any) -> Scorer:
    return ClassScorer(truth)


SCORERS: dict[str, MakeScorer] = {
    "detection": _box_scorer,
    "instance": _mask_scorer,
    "semantic": _pixel_scorer,
    "classification": _class_scorer,
}
