"""The mmengine config of one training: data, model and hooks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from pseudolabel.engines.adapter import adapter_of
from pseudolabel.engines.augmentations import with_mixing
from pseudolabel.engines.curve import CurveHook
from pseudolabel.engines.first_weights import pretrained, trained_here
from pseudolabel.engines.model_config import read_config, thawed
from pseudolabel.engines.optimizers import optimizer_wrapper, schedule, train_loop
from pseudolabel.engines.sampling import GoldLastSampler
from pseudolabel.formats.images import IMAGES
from pseudolabel.params.sections import Params
from pseudolabel.records import Category

SNAPSHOT = "snapshot_{}.pth"
"""Weights kept on the way, by iteration."""


@dataclass(frozen=True)
class Sources:
    """The folders one model is trained on: gold, and silver where there is any."""

    gold: Path
    silver: Path | None

    @classmethod
    def of(cls, folder: Path) -> Sources:
        """Return the sources in a folder that prepare or merge wrote."""
        silver = folder / "silver"
        return cls(folder / "gold", silver if silver.exists() else None)

    @property
    def folders(self) -> list[Path]:
        """The folders, gold first."""
        return [self.gold] if self.silver is None else [self.gold, self.silver]


def build_config(
    sources: Sources, categories: Sequence[Category], scratch: Path, params: Params
) -> Config:
    """Return the whole mmengine config of one training."""
    adapter = adapter_of(params.task)
    model = adapter.adapt_model(read_config(params.model.config, adapter.scope), categories, params)
    if not pretrained(params):
        model = thawed(model)
    config = {
        "default_scope": adapter.scope,
        "task": params.task,
        "work_dir": str(scratch),
        "model": model,
        "image_size": params.model.image_size,
        "categories": [{"id": category.id, "name": category.name} for category in categories],
        "randomness": {"seed": params.seed},
        "train_dataloader": train_dataloader(sources, categories, params),
        "train_cfg": train_loop(params),
        "optim_wrapper": optimizer_wrapper(params),
        "param_scheduler": schedule(params),
        "default_hooks": {
            "logger": None,
            "checkpoint": {
                "type": "CheckpointHook",
                "by_epoch": False,
                "interval": params.train.checkpoint_every,
                # Two, so that a kill in the middle of saving leaves the one before.
                "max_keep_ckpts": 2,
            },
        },
        "custom_hooks": custom_hooks(params),
        "find_unused_parameters": True,
        "launcher": "pytorch" if "LOCAL_RANK" in os.environ else "none",
        "log_level": "ERROR",
    }
    if not torch.cuda.is_available():
        config["model_wrapper_cfg"] = {
            "type": "MMDistributedDataParallel",
            "device_ids": None,
            "find_unused_parameters": True,
        }
    return Config(config)


def train_dataloader(
    sources: Sources, categories: Sequence[Category], params: Params
) -> dict[str, Any]:
    """Return what loads the images of each source, so many of each a step."""
    section, adapter = params.train, adapter_of(params.task)
    pipeline, images = adapter.train_pipeline(params), params.data.root / IMAGES
    datasets = [
        with_mixing(
            adapter.source(folder, images, categories, pipeline),
            lambda source: oversampled(source, section.oversample_threshold),
        )
        for folder in sources.folders
    ]
    gold, silver = section.images_a_step
    # Rounds that go on from the same champion, with the same silver, differ in their order.
    seed = params.seed + (params.round if trained_here(params) else 0)
    return {
        "batch_size": gold + silver,
        "num_workers": params.data.workers,
        "persistent_workers": params.data.workers > 0,
        "sampler": {
            "type": GoldLastSampler.__name__,
            "batch_size": gold + silver,
            "seed": seed,
            "mixed_batches": section.mixed_iterations,
            "source_ratio": [gold, silver][: len(datasets)],
        },
        "dataset": {"type": "ConcatDataset", "datasets": datasets},
    }


def oversampled(dataset: dict[str, Any], threshold: float | None) -> dict[str, Any]:
    """Return a data set whose images of rare classes come more than once (Gupta et al. 2019).

    An image is repeated by the square root of the threshold over the share of images that show its
    rarest class, where that is below the threshold; without a threshold, none is.
    """
    if threshold is None:
        return dataset
    return {"type": "ClassBalancedDataset", "oversample_thr": threshold, "dataset": dataset}


def custom_hooks(params: Params) -> list[dict[str, Any]]:
    """Return the training curve's hook, what keeps earlier weights, and what averages them."""
    hooks: list[dict[str, Any]] = [{"type": CurveHook.__name__}]
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
            }
        )
    if params.train.ema_momentum is not None:
        hooks.append(
            {
                "type": "EMAHook",
                "ema_type": "ExponentialMovingAverage",
                "momentum": params.train.ema_momentum,
                # Without its buffers, an averaged model would keep stale batch norms.
                "update_buffers": True,
                "priority": 49,
            }
        )
    return hooks
