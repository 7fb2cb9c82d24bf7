"""Runs an online semi-supervised training, and writes its model as a model folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from mmengine.config import Config

from pseudolabel.core.files import hash_file, read_json, write_json, written_aside
from pseudolabel.formats.model_folder import CONFIG, CURVE, RECORD, WEIGHTS
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.training.train import build_runner, last_checkpoint


def train_online(
    config: Config, scratch: Path, first: Path, initial: Path, output: Path, prefix: str
) -> None:
    """Train, from the last checkpoint if there is one, and write the model folder.

    Args:
        config: the training, with a model that has the trained model as a part.
        scratch: the folder for checkpoints; it is removed at the end.
        first: the model folder that the training starts from; its config and record are kept.
        initial: the file of the initial weights, by the names of the config's model.
        output: the folder to write.
        prefix: the prefix of the trained model's weights.
    """
    checkpoint = last_checkpoint(scratch)
    if checkpoint is not None:
        config.resume, config.load_from = True, str(checkpoint)
    else:
        config.load_from = str(initial)
    build_runner(config).train()
    checkpoint = last_checkpoint(scratch)
    assert checkpoint is not None
    trained = {
        name.removeprefix(prefix): value
        for name, value in load_weights(checkpoint).items()
        if name.startswith(prefix)
    }
    record = read_json(first / RECORD)
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        save_weights(aside / WEIGHTS, trained, record)
        shutil.copy(first / CONFIG, aside / CONFIG)
        shutil.copy(scratch / CURVE, aside / CURVE)
        write_json(aside / RECORD, record | {"weights": hash_file(aside / WEIGHTS)})
    shutil.rmtree(scratch)
