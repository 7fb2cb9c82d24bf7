"""The mmengine config of one training: data, model, optimizer and hooks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import FUNCTIONS

from pseudolabel.core.per_round import gold_and_silver_per_step, round_seed
from pseudolabel.core.records import Category
from pseudolabel.core.shared_memory import LOADER_TIMEOUT, refuse_small_shared_memory
from pseudolabel.core.worker_processes import end_with_parent
from pseudolabel.models import PACKAGES
from pseudolabel.models.configs import model_config, unfreeze
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.params.common import Params
from pseudolabel.params.types import single_value
from pseudolabel.training.gold_silver_sampler import GoldSilverSampler
from pseudolabel.training.loss_curve import LossCurveHook
from pseudolabel.training.optimizers import (
    learning_rate_schedule,
    optimizer_wrapper,
    train_loop,
)
from pseudolabel.training.plain_runner import PlainCheckpointHook
from pseudolabel.training.random_numbers import SeededDataset, SeededStepsHook
from pseudolabel.training.sources import TrainingData, dataset_configs

FUNCTIONS.register_module(module=end_with_parent)

SNAPSHOT = "snapshot_{}.pth"
"""The file of weights that are kept during the training, by iteration."""


def build_config(
    sources: TrainingData,
    categories: Sequence[Category],
    scratch: Path,
    params: Params,
    weights: InitialWeights,
) -> Config:
    """Return the complete mmengine config of one training.

    Args:
        sources: the training data.
        categories: the classes.
        scratch: the folder for checkpoints and the curve.
        params: all parameters of the round.
        weights: the initial weights.

    Raises:
        ModelError: an augmentation does not exist or has no such argument.
        SharedMemoryError: the batches of `data.workers` do not fit into shared memory.
    """
    model = model_config(params, categories)
    if not weights.pretrained:
        model = unfreeze(model)
    seed = round_seed(params.seed, params.round)
    config = _wrapper_on_cpu() | {
        "default_scope": PACKAGES[params.task],
        "task": params.task,
        "work_dir": str(scratch),
        # mmengine shares its logs between trainings of one name that start in the same second.
        "experiment_name": str(scratch.resolve()),
        "model": model,
        "image_size": params.model.size,
        "categories": [{"id": category.id, "name": category.name} for category in categories],
        "randomness": {"seed": seed},
        "train_dataloader": _train_dataloader(sources, categories, params, seed),
        "train_cfg": train_loop(params),
        "optim_wrapper": optimizer_wrapper(params),
        "param_scheduler": learning_rate_schedule(params),
        "default_hooks": {"logger": None, "checkpoint": _checkpoint_hook(params)},
        "custom_hooks": _custom_hooks(params, seed),
        "find_unused_parameters": True,
        "launcher": "pytorch" if "LOCAL_RANK" in os.environ else "none",
        "log_level": "ERROR",
    }
    return Config(config)


def _wrapper_on_cpu() -> dict[str, Any]:
    """Return the wrapper of a model in several processes; on a GPU, mmengine's own is right."""
    if torch.cuda.is_available():
        return {}
    wrapper = {"type": "MMDistributedDataParallel", "device_ids": None}
    return {"model_wrapper_cfg": wrapper | {"find_unused_parameters": True}}


def _train_dataloader(
    sources: TrainingData, categories: Sequence[Category], params: Params, seed: int
) -> dict[str, Any]:
    """Return the data loader: a fixed number of gold and silver images per step."""
    section = params.train
    datasets = dataset_configs(sources, categories, params)
    gold, silver = gold_and_silver_per_step(
        section.batch_size // section.launcher.all_processes, single_value(section.gold_share)
    )
    width, height = params.model.size
    refuse_small_shared_memory(params.data.workers, (gold + silver) * width * height * 3)
    return {
        "batch_size": gold + silver,
        "num_workers": params.data.workers,
        "persistent_workers": params.data.workers > 0,
        "timeout": LOADER_TIMEOUT if params.data.workers else 0,
        # In place of mmengine's, which seeds: each image has its own random numbers here.
        "worker_init_fn": {"type": end_with_parent.__name__},
        "sampler": {
            "type": GoldSilverSampler.__name__,
            "batch_size": gold + silver,
            "seed": seed,
            "mixed_batches": round(section.iterations * (1 - section.gold_only_share)),
            "source_ratio": [gold, silver][: len(datasets)],
        },
        "dataset": {"type": SeededDataset.__name__, "seed": seed, "datasets": datasets},
    }


def _checkpoint_hook(params: Params) -> dict[str, Any]:
    """Return the hook that saves the checkpoints from which a killed training resumes."""
    return {
        "type": "CheckpointHook",
        "by_epoch": False,
        "interval": params.train.checkpoint_every,
        # Two: after a kill during saving, the previous checkpoint is still whole.
        "max_keep_ckpts": 2,
    }


def _custom_hooks(params: Params, seed: int) -> list[dict[str, Any]]:
    """Return the hooks for random numbers, the loss curve, snapshots and averaged weights."""
    hooks: list[dict[str, Any]] = [
        {"type": SeededStepsHook.__name__, "seed": seed},
        {"type": LossCurveHook.__name__},
        {"type": PlainCheckpointHook.__name__},
    ]
    if params.train.snapshots:
        hooks.append(
            {
                "type": "CheckpointHook",
                "by_epoch": False,
                "interval": max(1, params.train.iterations // (params.train.snapshots + 1)),
                "filename_tmpl": SNAPSHOT.format("{}"),
                "save_optimizer": False,
                "save_param_scheduler": False,
                "save_last": False,
                # Before the checkpoint of the same step: a training that is killed between the two
                # does not resume after a snapshot that it lacks.
                "priority": 89,
            }
        )
    if params.train.ema_momentum is not None:
        hooks.append(
            {
                "type": "EMAHook",
                "ema_type": "ExponentialMovingAverage",
                "momentum": params.train.ema_momentum,
                # The averaged model also needs the buffers: the statistics of batch norms.
                "update_buffers": True,
                "priority": 49,
            }
        )
    return hooks
