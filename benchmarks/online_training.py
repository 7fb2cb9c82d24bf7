"""Runs an online semi-supervised training, and writes its model as a model folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pseudolabel.core.files import hash_file, read_json, write_json, written_aside
from pseudolabel.core.per_round import gold_and_silver_per_step
from pseudolabel.formats.model_folder import CONFIG, CURVE, RECORD, WEIGHTS
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.params.common import Params
from pseudolabel.params.types import single_value
from pseudolabel.training.gold_silver_sampler import GoldSilverSampler
from pseudolabel.training.train import build_runner, last_checkpoint


def gold_per_batch(params: Params) -> int:
    """Return the number of gold images in a batch: as many as in a batch of a student."""
    share = single_value(params.train.gold_share)
    return gold_and_silver_per_step(params.train.batch_size, share)[0]


def gold_and_pool_sampler(params: Params) -> dict[str, Any]:
    """Return the config of a sampler of gold and the pool, in the shares of gold and silver."""
    gold, batch = gold_per_batch(params), params.train.batch_size
    return {
        "type": GoldSilverSampler.__name__,
        "batch_size": batch,
        "mixed_batches": params.train.iterations,
        "source_ratio": [gold, batch - gold],
        "seed": params.seed,
    }


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
