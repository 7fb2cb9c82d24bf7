"""What all metrics have in common: predictions go in batch by batch, numbers come out."""

from __future__ import annotations

from typing import Any, Protocol

Metrics = dict[str, float | None]
"""A value for each metric by name; None where there is nothing to measure it on."""
ByClass = dict[str, Metrics]
"""For each metric that classes have: its value for each class by name."""


class Scorer(Protocol):
    """Compares a model's predictions with gold."""

    def add(self, found: Any) -> None:
        """Count the predictions for some of the images."""

    def result(self) -> tuple[Metrics, ByClass]:
        """Return the metrics over all that was added, and those of each class."""
