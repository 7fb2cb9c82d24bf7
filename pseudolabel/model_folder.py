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
"""What it was trained on: files by hash, with their counts, the images by hash, and the seed."""


def images_seen(folder: Path) -> set[str]:
    """Return the content hashes of all images that a model was trained on, by any of its rounds."""
    return set(read_json(folder / RECORD)["images"])
