"""The files of a finished model folder."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import hash_file, write_json
from pseudolabel.formats.weights_record import parse_record, read_record

CONFIG = "config.json"
"""The model config for mmengine, its image size and its classes: plain JSON without code."""
WEIGHTS = "weights.pth"
"""The weights without optimizer state, with the record of their training inside."""
EARLIER = "earlier_{}.pth"
"""The weights at equal intervals of the training, if they were kept."""
LATER = "later_{}.pth"
"""The weights after those of the model, if the model is not the last of its training."""
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
REVIEWED_IMAGES = "reviewed"
"""In the record of gold: how many of its images were reviewed by a person."""
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
        # The record inside: training.json is about the weights of the model, not about the others.
        known[0]["iterations"] + known[0].get(EARLIER_ITERATIONS, 0),
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


def kept_weights(folder: Path) -> list[Path]:
    """Return the files of all weights of a model's training that were kept, in their order."""
    earlier, later = (_numbered(folder, name) for name in (EARLIER, LATER))
    return [*earlier, folder / WEIGHTS, *later]


def own_iterations(weights: Path) -> int:
    """Return the iterations of the training of some weights, without those before it.

    Raises:
        ModelError: the file has no record of its training.
        DataError: the record is damaged.
    """
    record = read_record(weights)
    if record is None:
        raise ModelError(f"{weights}: expected weights with a record of their training, found none")
    iterations: int = record["iterations"]
    return iterations


def copy_model(model: Path, weights: str, output: Path) -> None:
    """Copy a model folder, with other weights of its training as those of the model.

    All weights that were kept stay. They are renamed: those before the new ones are earlier ones,
    and those after them are later ones.

    Args:
        model: the model folder.
        weights: the name of the file of weights.
        output: the folder to write.

    Raises:
        ModelError: the weights have no record of their training.
    """
    if weights == WEIGHTS:
        shutil.copytree(model, output)
        return
    shutil.copytree(model, output, ignore=shutil.ignore_patterns("*.pth"))
    files = kept_weights(model)
    chosen = files.index(model / weights)
    for index, file in enumerate(files):
        name = (EARLIER if index < chosen else LATER).format(index + 1)
        shutil.copyfile(file, output / (WEIGHTS if index == chosen else name))
    new = output / WEIGHTS
    record = {"iterations": own_iterations(new), "weights": hash_file(new)}
    write_json(output / RECORD, (_read_beside(new) or read_record(new) or {}) | record)


def _numbered(folder: Path, name: str) -> list[Path]:
    """Return the files with a numbered name, such as `earlier_{}.pth`, in order of their number."""
    numbers = {path: path.stem.rpartition("_")[2] for path in folder.glob(name.format("*"))}
    numbered = [path for path, number in numbers.items() if number.isdecimal()]
    return sorted(numbered, key=lambda path: int(numbers[path]))
