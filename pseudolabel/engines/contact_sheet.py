"""A page of what `train.augmentations` do to some images, as a training sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS, init_default_scope

from pseudolabel.drawing import as_jpeg, colour_of
from pseudolabel.engines.adapter import adapter_of
from pseudolabel.engines.training_config import Sources, build_config
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.pages import figure, heading, legend, paragraph, write_page
from pseudolabel.params.sections import Params

SIDE = 220
"""Pixels of the longer side of each picture."""


def write_contact_sheet(
    prepared: Path, page: Path, params: Params, images: int, variants: int
) -> None:
    """Write a page with images of gold as they are, and some times augmented.

    Args:
        prepared: the folder of prepared data.
        page: the HTML file to write.
        params: all parameters.
        images: how many images of gold, evenly picked.
        variants: how often each is augmented.

    Raises:
        ModelError: an augmentation has no such name or argument, or fails.
    """
    adapter, params = adapter_of(params.task), params.in_round(params.round)
    plain, augmented = (gold_of(prepared, it) for it in (without_augmentations(params), params))
    categories = read_coco(prepared / "gold" / FILE).categories
    count = min(images, len(plain))
    parts = [
        paragraph(
            f"{count} images of gold: first as they are, then {variants} times as a training takes "
            "them. What mixes whole batches (mixup, cutmix) is not shown."
        ),
        legend([it.name for it in categories], map(colour_of, range(len(categories)))),
    ]
    for row in [number * len(plain) // count for number in range(count)]:
        parts.append(heading(Path(plain.get_data_info(row)["img_path"]).name))
        items = [plain[row], *(augmented[row] for _ in range(variants))]
        names = ["as it is", *("augmented" for _ in range(variants))]
        for item, name in zip(items, names, strict=True):
            parts.append(figure(as_jpeg(adapter.picture(item), SIDE), name))
    write_page(page, "Augmentations", parts)


def without_augmentations(params: Params) -> Params:
    """Return parameters whose images are fitted and nothing else."""
    plain = params.train.model_copy(update={"augmentations": [], "crop": None})
    return params.model_copy(update={"train": plain})


def gold_of(prepared: Path, params: Params) -> Any:
    """Return gold as the data set of a training."""
    sources = Sources(prepared / "gold", None)
    categories = read_coco(sources.gold / FILE).categories
    config = build_config(sources, categories, prepared, params)
    init_default_scope(config.default_scope)
    return DATASETS.build(config.train_dataloader.dataset.datasets[0])
