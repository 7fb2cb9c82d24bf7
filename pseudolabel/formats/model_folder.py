"""The files of a finished model folder."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudolabel.formats.weights_record import parse_record, read_record

CONFIG = "config.json"
"""The model config for mmengine, its image size and its classes: plain JSON without code."""
WEIGHTS = "weights.pth"
"""The weights without optimizer state, with the record of their training inside."""
EARLIER = "earlier_{}.pth"
"""The weights at equal intervals of the training, if they were kept."""
CURVE = "curve.csv"
"""Loss and learning rate over the training."""
RECORD = "training.json"
"""The same record to read: training data (hashes and counts), images by hash, seed, origin."""
INITIAL_WEIGHTS = "initial_weights"
"""In the record: the weights that the training started from; a file is given by its hash."""
PRETRAINED = "pretrained"
"""In the record: whether any weights were pretrained before round 0."""
EARLIER_ITERATIONS = "earlier_iterations"
"""In the record: the iterations that the initial weights were trained for, if known."""
UNKNOWN_ORIGIN = "unknown_origin"
"""In the record: whether training began, in any round, from weights without a record."""


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of the training of some weights, in all rounds.

    Attributes:
        images: content hashes of the images that they were trained on.
        iterations: the training iterations, including those of the initial weights.
        pretrained: whether any of the weights were learned before round 0.
        unknown_origin: whether some began as weights without a record.
        data: counts and hashes of the training data, by folder.
    """

    images: frozenset[str]
    iterations: int
    pretrained: bool
    unknown_origin: bool
    data: dict[str, Any]


def weights_record(weights: Path) -> TrainingRecord | None:
    """Return the record of a file of weights; None if there is none.

    The record is in the file itself, and goes wherever the file is copied to. training.json in the
    same folder is the copy to read; what only one of the two has counts as well.

    Raises:
        DataError: a record is damaged.
    """
    inside = read_record(weights) if weights.is_file() else None
    known = [record for record in (inside, _read_beside(weights)) if record is not None]
    if not known:
        return None
    return TrainingRecord(
        frozenset(digest for record in known for digest in record["images"]),
        max(record["iterations"] + record.get(EARLIER_ITERATIONS, 0) for record in known),
        any(bool(record.get(PRETRAINED, True)) for record in known),
        any(bool(record.get(UNKNOWN_ORIGIN, False)) for record in known),
        known[-1].get("data", {}),
    )


def _read_beside(weights: Path) -> dict[str, Any] | None:
    path = weights.parent / RECORD
    return parse_record(path.read_bytes(), path) if path.is_file() else None


def images_seen(folder: Path) -> set[str]:
    """Return the content hashes of all images that a model was trained on, in any round.

    Without a record, a line says that they are not known.
    """
    record = weights_record(folder / WEIGHTS)
    if record is None:
        print(f"{folder}: no record of its training: it may have seen any image", file=sys.stderr)
    return set(record.images) if record else set()
