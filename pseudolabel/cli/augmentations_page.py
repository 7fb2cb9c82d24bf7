"""A page of gold images, unchanged and augmented as in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DATASETS, init_default_scope
from numpy.typing import NDArray

from pseudolabel.core.per_round import in_round
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.pages.drawing import class_colour, draw_label_map, draw_objects, to_jpeg
from pseudolabel.pages.html import figure, heading, legend, paragraph, write_page
from pseudolabel.params.common import Params
from pseudolabel.training.mmengine_config import TrainingData, build_config

SIDE = 220
"""Pixels of the longer side of each picture."""


def write_augmentations_page(
    prepared: Path, page: Path, params: Params, images: int, variants: int
) -> None:
    """Write a page with gold images, unchanged and augmented.

    Args:
        prepared: the folder of prepared data.
        page: the HTML file to write.
        params: all parameters.
        images: number of gold images, evenly chosen.
        variants: number of augmented copies per image.

    Raises:
        ModelError: an augmentation has no such name or argument, or fails.
    """
    params = in_round(params, params.round)
    plain, augmented = (
        _gold_dataset(prepared, wanted) for wanted in (_without_augmentations(params), params)
    )
    names = SplitFolder(prepared / "gold").read().class_names
    count = min(images, len(plain))
    parts = [
        paragraph(
            f"{count} images of gold: first unchanged, then {variants} times augmented as in "
            "training. Mixing of whole batches (mixup, cutmix) is not shown."
        ),
        legend(names, map(class_colour, range(len(names)))),
    ]
    for row in [number * len(plain) // count for number in range(count)]:
        parts.append(heading(Path(plain.get_data_info(row)["img_path"]).name))
        parts.append(figure(to_jpeg(_picture(plain[row], params.task), SIDE), "unchanged"))
        for _ in range(variants):
            picture = _picture(augmented[row], params.task)
            parts.append(figure(to_jpeg(picture, SIDE), "augmented"))
    write_page(page, "Augmentations", parts)


def _without_augmentations(params: Params) -> Params:
    """Return parameters that only fit images to the image size."""
    plain = params.train.model_copy(update={"augmentations": [], "crop": None})
    return params.model_copy(update={"train": plain})


def _gold_dataset(prepared: Path, params: Params) -> Any:
    """Return gold as the data set of a training."""
    sources = TrainingData(prepared / "gold", None)
    categories = SplitFolder(sources.gold).read().categories
    config = build_config(sources, categories, prepared, params, InitialWeights(None))
    init_default_scope(config.default_scope)
    return DATASETS.build(config.train_dataloader.dataset.datasets[0])


def _picture(item: dict[str, Any], task: str) -> NDArray[np.uint8]:
    """Return the (h, w, 3) picture of a training image with its labels, red first."""
    pixels = item["inputs"].numpy()[::-1].transpose(1, 2, 0)
    # Some transforms leave floats behind.
    pixels = np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8))
    kind = TASKS[task].kind
    if kind == "classes":
        return pixels
    sample = item["data_samples"]
    if kind == "pixels":
        return draw_label_map(pixels, sample.gt_sem_seg.data[0].numpy().astype(np.uint8))
    objects = sample.gt_instances
    shapes = objects.masks.masks.astype(bool) if "masks" in objects else None
    boxes = objects.bboxes.tensor.numpy().astype(np.float32)
    return draw_objects(pixels, objects.labels.numpy(), boxes, shapes)
