"""What a finished model folder holds."""

from __future__ import annotations

from pathlib import Path

from pseudolabel.files import read_json

CONFIG = "config.json"
"""The model as mmengine builds it, its image size and its classes; plain JSON, so no code."""
WEIGHTS = "weights.pth"
"""The weights alone, loaded with weights_only."""
EARLIER = "earlier_{}.pth"
"""The weights at equal steps of the training, where they were kept."""
CURVE = "curve.csv"
"""Loss and learning rate over the training."""
RECORD = "training.json"
"""What it was trained on: files by hash with their counts, images by hash, seed, first weights."""
PRETRAINED = "pretrained"
"""In the record: whether anything in its weights was learned before round 0."""
EARLIER_ITERATIONS = "earlier_iterations"
"""In the record: those that its first weights had been trained for, as far as that is known."""


def images_seen(folder: Path) -> set[str]:
    """Return the content hashes of all images that a model was trained on, by any of its rounds."""
    return set(read_json(folder / RECORD)["images"])


def iterations_in_all(folder: Path) -> int:
    """Return how many iterations a model was trained for, those of its first weights included."""
    record = read_json(folder / RECORD)
    return int(record["iterations"] + record.get(EARLIER_ITERATIONS, 0))
