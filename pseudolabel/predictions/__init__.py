"""Model + images -> predictions: stage `pseudo_label`. Imports torch and the mm* packages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pseudolabel import models as models  # Must run before the mm* packages are imported.

if TYPE_CHECKING:
    from pseudolabel.predictions.task_predictor import TaskPredictor

_MODULES = {
    "detection": "objects",
    "instance": "masks",
    "semantic": "pixels",
    "classification": "classes",
}


def load_task_predictor(task: str) -> TaskPredictor:
    """Return the predictor of a task; only the package of its models is imported."""
    module = import_module(f"pseudolabel.predictions.{_MODULES[task]}")
    predictor: TaskPredictor = module.PREDICTOR
    return predictor
