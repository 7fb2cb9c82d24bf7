"""A page of gold images, unchanged, and augmented as gold and as silver in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DATASETS, init_default_scope
from numpy.typing import NDArray

from pseudolabel.core.per_round import in_round
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models import PACKAGES
from pseudolabel.models.image_size import resolve_image_size
from pseudolabel.pages.drawing import draw_label_map, draw_objects, to_jpeg
from pseudolabel.pages.html import figure, heading, legend, paragraph, write_page
from pseudolabel.pages.palette import class_colour
from pseudolabel.params.common import Params
from pseudolabel.training.sources import TrainingData, dataset_configs

SIDE = 220
"""Pixels of the longer side of each picture."""


def write_augmentations_page(
    prepared: Path, page: Path, params: Params, images: int, variants: int
) -> None:
    """Write a page with gold images, unchanged, and augmented as gold and as silver.

    Args:
        prepared: the folder of prepared data.
        page: the HTML file to write.
        params: all parameters.
        images: number of gold images, evenly chosen.
        variants: number of augmented copies per image and list.

    Raises:
        ModelError: an augmentation has no such name or argument, or fails.
    """
    gold = prepared / "gold"
    params = resolve_image_size(in_round(params, params.round), SplitFolder(gold).read().images)
    (plain,) = _build_datasets(TrainingData(gold, None), _without_augmentations(params))
    # There is no silver before the first round: its augmentations are shown on gold.
    as_gold, as_silver = _build_datasets(TrainingData(gold, gold), params)
    augmented = {"augmented": as_gold}
    if params.train.silver_augmentations:
        augmented["augmented as silver"] = as_silver
    names = SplitFolder(gold).read().class_names
    count = min(images, len(plain))
    parts = [
        paragraph(
            f"{count} images of gold: first unchanged, then {variants} times augmented as gold in "
            "training, by train.augmentations, then as silver, if train.silver_augmentations has "
            "transforms. Mixing of whole batches (mixup, cutmix) is not shown."
        ),
        legend(names, map(class_colour, range(len(names)))),
    ]
    for row in [number * len(plain) // count for number in range(count)]:
        parts.append(heading(Path(plain.get_data_info(row)["img_path"]).name))
        parts.append(figure(to_jpeg(_picture(plain[row], params.task), SIDE), "unchanged"))
        for caption, dataset in augmented.items():
            for _ in range(variants):
                picture = _picture(dataset[row], params.task)
                parts.append(figure(to_jpeg(picture, SIDE), caption))
    write_page(page, "Augmentations", parts)


def _without_augmentations(params: Params) -> Params:
    """Return parameters that only fit images to the image size."""
    none: dict[str, Any] = {"augmentations": [], "silver_augmentations": [], "crop": None}
    plain = params.train.model_copy(update=none)
    return params.model_copy(update={"train": plain})


def _build_datasets(sources: TrainingData, params: Params) -> list[Any]:
    """Return the data sets of a training, gold first."""
    init_default_scope(PACKAGES[params.task])
    categories = SplitFolder(sources.gold).read().categories
    return [DATASETS.build(config) for config in dataset_configs(sources, categories, params)]


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
