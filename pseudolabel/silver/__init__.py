"""Predictions -> silver -> merged: stages `filter` and `merge`.

Every filter counts the labels and images that it drops, by reason. The counts in the report add up
to the number of predictions.
"""

from pseudolabel.silver.classes import ClassFilter
from pseudolabel.silver.objects import BoxFilter, MaskFilter
from pseudolabel.silver.pixels import PixelFilter
from pseudolabel.silver.task_filter import TaskFilter

FILTERS: dict[str, type[TaskFilter]] = {
    "detection": BoxFilter,
    "instance": MaskFilter,
    "semantic": PixelFilter,
    "classification": ClassFilter,
}
"""The filter of each task."""
