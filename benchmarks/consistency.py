"""FixMatch, FreeMatch and UniMatch on prepared data: alternatives to rounds.

A model learns gold's labels and, for images of the pool, its own confident predictions on a weakly
augmented view as the labels of a strongly augmented one. The weak view has `train.augmentations`;
the strong one is the same view with `train.silver_augmentations` on top, so that pixels stay in
their place. Batches have the same share of gold as those of students. Training goes on from the
model of gold.

- fixmatch: one threshold of the confidence (Sohn et al. 2020).
- freematch: thresholds that follow the model's confidence in all and in single classes (Wang et
  al. 2023); its fairness loss is left out.
- unimatch: pixels above one threshold; half of the loss comes from the weak view with half of its
  feature maps set to 0 (Yang et al. 2023). One strong view instead of two.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose
from mmengine.config import Config
from mmengine.registry import TRANSFORMS

from benchmarks.consistency_model import ConsistencyModel
from benchmarks.online_training import gold_and_pool_sampler, gold_per_batch, train_online
from pseudolabel.core.files import written_aside
from pseudolabel.core.records import Annotations, Category
from pseudolabel.core.workdir import scratch_folder
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.label_maps import UNLABELLED, map_path, write_map
from pseudolabel.formats.model_folder import WEIGHTS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.models.image_size import resolve_image_size
from pseudolabel.models.initial_weights import InitialWeights, resolve_champion
from pseudolabel.models.transforms import Pipeline
from pseudolabel.params.common import Params
from pseudolabel.training import task_data
from pseudolabel.training.augmentations import build_augmentations
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.sources import TrainingData

METHODS = {
    "fixmatch": {"threshold": 0.95, "adaptive": False, "perturbed": False},
    "freematch": {"threshold": None, "adaptive": True, "perturbed": False},
    "unimatch": {"threshold": 0.95, "adaptive": False, "perturbed": True},
}
"""The values of the papers."""
_PREFIX = "model."


@TRANSFORMS.register_module()
class StrongView(BaseTransform):  # type: ignore[misc]
    """Adds a strongly augmented copy of the image; gold gets a plain copy, which nobody reads.

    Args:
        transforms: the strong augmentations.
    """

    def __init__(self, transforms: list[dict[str, Any]]) -> None:
        self.run = Compose(transforms)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the image with `strong`: (h, w, 3) uint8."""
        return results | {"strong": self.run(copy.deepcopy(results))["img"]}


@TRANSFORMS.register_module()
class PackWithStrongView(BaseTransform):  # type: ignore[misc]
    """Packs an image as usual, and its strong view as another tensor.

    Args:
        pack: the transform that packs.
    """

    def __init__(self, pack: dict[str, Any]) -> None:
        self.pack = TRANSFORMS.build(pack)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return inputs (3, h, w), data_samples, and strong (3, h, w)."""
        strong = torch.from_numpy(results.pop("strong").copy()).permute(2, 0, 1).contiguous()
        packed: dict[str, Any] = self.pack(results)
        return packed | {"strong": strong}


def train_consistency(
    method: str,
    prepared: Path,
    first: Path,
    output: Path,
    params: Params,
    threshold: float | None = None,
) -> None:
    """Train on gold and the pool together, and write the model folder.

    Args:
        method: a key of METHODS.
        prepared: the folder of prepared data.
        first: the model folder of the model that the training starts from.
        output: the folder to write.
        params: all parameters, of the task classification or semantic.
        threshold: the lowest confidence of a label; None for the paper's.
    """
    options = dict(METHODS[method])
    if threshold is not None:
        options["threshold"] = threshold
    params = resolve_image_size(params, SplitFolder(prepared / "gold").read().images)
    inputs = [method, options, params.model_dump(mode="json")]
    scratch = scratch_folder(method, inputs, [prepared / "gold", first / WEIGHTS])
    config = _build_config(options, prepared, scratch, params)
    initial = scratch / "initial.pth"
    weights = {_PREFIX + name: value for name, value in load_weights(first / WEIGHTS).items()}
    save_weights(initial, weights)
    train_online(config, scratch, first, initial, output, _PREFIX)


def _build_config(options: dict[str, Any], prepared: Path, scratch: Path, params: Params) -> Config:
    """Return the config of a training on gold and the pool."""
    sources = TrainingData(prepared / "gold", None)
    gold = SplitFolder(sources.gold).read()
    weights = InitialWeights.from_params(resolve_champion(params, gold.categories, None))
    config = build_config(sources, gold.categories, scratch, params, weights)
    in_batch = gold_per_batch(params)
    model = {"type": ConsistencyModel.__name__, "model": config.model, "gold": in_batch}
    config.model = model | options
    pool = scratch / "pool"
    _write_with_any_labels(prepared / "pool", pool)
    strong = build_augmentations(params.train.silver_augmentations, params.model.size)
    config.train_dataloader.dataset.datasets = [
        _two_views(folder, gold.categories, params, transforms)
        for folder, transforms in ((sources.gold, []), (pool, strong))
    ]
    config.train_dataloader.sampler = gold_and_pool_sampler(params)
    config.train_dataloader.collate_fn = {"type": "pseudo_collate"}
    return config


def _two_views(
    folder: Path, categories: Sequence[Category], params: Params, strong: Pipeline
) -> dict[str, Any]:
    """Return the config of a data set whose images have a weak and a strong view."""
    data = task_data(params.task)
    transforms = [*data.load(params, params.train.augmentations), *data.pack(params)]
    *before, pack = transforms
    view = {"type": StrongView.__name__, "transforms": strong}
    packed = {"type": PackWithStrongView.__name__, "pack": pack}
    images = params.data.root / IMAGES
    return data.dataset(folder, images, categories, [*before, view, packed])


def _write_with_any_labels(pool: Path, output: Path) -> None:
    """Write the pool with a label for each image, as data sets require; nobody reads them."""
    if output.exists():
        return
    dataset = SplitFolder(pool).read()
    images = dataset.images
    count = len(images)
    boxes, areas = np.full((count, 4), np.nan, np.float32), np.ones(count, np.float32)
    first_class, numbers = np.full(count, dataset.categories[0].id), np.arange(1, count + 1)
    no_crowds = np.zeros(count, bool)
    labels = Annotations.gold(numbers, images.ids, first_class, boxes, areas, no_crowds)
    with written_aside(output) as aside:
        SplitFolder(aside).write(replace(dataset, annotations=labels))
        for image_id, *size in zip(images.ids, images.heights, images.widths, strict=True):
            write_map(map_path(aside, image_id), np.full(size, UNLABELLED, np.uint8))
