"""Merged data -> model: stages `train` and `final`. Imports torch and the mm* packages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pseudolabel import models as models  # Must run before the mm* packages are imported.

if TYPE_CHECKING:
    from pseudolabel.training.task_data import TaskData

_MODULES = {
    "detection": "objects",
    "instance": "objects",
    "semantic": "pixels",
    "classification": "classes",
}


def task_data(task: str) -> TaskData:
    """Return the training data of a task; only the package of its models is imported."""
    module = import_module(f"pseudolabel.training.{_MODULES[task]}")
    data: TaskData = module.TASK_DATA[task]
    return data
