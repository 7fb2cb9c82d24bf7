"""The files of a finished model: weights, snapshots, config and the record of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from pseudolabel.core.files import hash_file, hash_folder, write_json
from pseudolabel.formats.model_folder import CONFIG, EARLIER, RECORD, REVIEWED_IMAGES, WEIGHTS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.params.common import Params
from pseudolabel.training.mmengine_config import SNAPSHOT
from pseudolabel.training.sources import TrainingData


def write_model(
    checkpoint: Path, sources: TrainingData, config: Config, params: Params, weights: InitialWeights
) -> None:
    """Write the finished model's files beside its last checkpoint.

    Args:
        checkpoint: the last checkpoint, in the scratch folder.
        sources: the training data.
        config: the config of the training.
        params: all parameters of the round.
        weights: the initial weights.
    """
    scratch = checkpoint.parent
    record = _record(sources, params, weights)
    save_weights(scratch / WEIGHTS, load_weights(checkpoint), record)
    step = max(1, params.train.iterations // (params.train.snapshots + 1))
    for number in range(1, params.train.snapshots + 1):
        snapshot = load_weights(scratch / SNAPSHOT.format(number * step))
        own_record = record | {"iterations": number * step}
        save_weights(scratch / EARLIER.format(number), snapshot, own_record)
    kept = {key: config[key] for key in ("task", "model", "image_size", "categories")}
    write_json(scratch / CONFIG, Config(kept).to_dict())
    write_json(scratch / RECORD, record | {"weights": hash_file(scratch / WEIGHTS)})


def _record(sources: TrainingData, params: Params, weights: InitialWeights) -> dict[str, Any]:
    """Return the record of a training: its data, the images seen in any round, and its origin."""
    counts, seen = {}, weights.images_seen()
    for folder in sources.folders:
        images = SplitFolder(folder).read_images()
        annotations, hidden = SplitFolder(folder).count_annotations()
        seen.update(images.hashes)
        counts[folder.name] = {
            "images": len(images),
            "annotations": annotations - hidden,
            "hidden": hidden,
            "hash": hash_folder(folder),
            REVIEWED_IMAGES: SplitFolder(folder).reviewed_images,
        }
    record: dict[str, Any] = {"seed": params.seed, "iterations": params.train.iterations}
    return record | {"data": counts, "images": sorted(seen)} | weights.record()
