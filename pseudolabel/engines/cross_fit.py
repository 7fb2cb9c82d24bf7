"""Cross-fit: every gold image labelled by the model of the fold that did not see it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pseudolabel.datasets import joined_all, with_shared_ids
from pseudolabel.engines.predicting import TrainedModel
from pseudolabel.errors import DataError, Fault
from pseudolabel.files import written_aside
from pseudolabel.folds import Fold, read_folds
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.formats.label_maps import MASKS, map_path
from pseudolabel.leaks import refuse_seen
from pseudolabel.params.sections import Params
from pseudolabel.records import Dataset, Images

GOLD = "gold"
"""The folder of the cross-fit with gold as its folds held it out, as one split."""


def cross_fit(models: Path, output: Path, params: Params) -> None:
    """Write gold, and what the folds' champions say of the images they never saw, to `output`.

    Args:
        models: the folder of collected folds.
        output: the folder to write: gold/ and a shard of predictions for each fold.
        params: all parameters; `data` and `pseudo_label` are used.

    Raises:
        ModelError: folds are missing.
        DataError: a fold's model was trained on an image it is to judge, or an image is damaged.
    """
    folds = read_folds(models)
    held_out = {str(fold.number): read_coco(fold.held_out / FILE) for fold in folds}
    for fold in folds:
        images = held_out[str(fold.number)].images
        refuse_seen(fold.images_seen(), {"its fold": images}, f"the champion of fold {fold.number}")
    numbered = with_shared_ids(held_out)
    with written_aside(output) as aside:
        (aside / GOLD).mkdir(parents=True)
        write_coco(aside / GOLD / FILE, joined_all(list(numbered.values())))
        for fold in folds:
            old, new = held_out[str(fold.number)], numbered[str(fold.number)]
            copy_masks(fold, old, new, aside / GOLD)
            label(fold, new.images, aside, params)


def copy_masks(fold: Fold, old: Dataset, new: Dataset, output: Path) -> None:
    """Copy a fold's label maps, where it has any, to the new ids of their images."""
    if not (fold.held_out / MASKS).is_dir():
        return
    (output / MASKS).mkdir(exist_ok=True)
    ids = dict(zip(new.images.file_names, new.images.ids.tolist(), strict=True))
    for name, image_id in zip(old.images.file_names, old.images.ids.tolist(), strict=True):
        shutil.copy(map_path(fold.held_out, image_id), map_path(output, ids[name]))


def label(fold: Fold, images: Images, output: Path, params: Params) -> None:
    """Write what a fold's champion says of some images as one shard.

    Raises:
        DataError: an image cannot be decoded.
    """
    root, workers = params.data.root / IMAGES, params.data.workers
    model = TrainedModel([fold.champion], root, params.pseudo_label, workers)
    writer = model.shard_writer(output)
    unreadable: list[int] = []
    progress = tqdm(total=len(images), desc=f"fold {fold.number}", unit="img", mininterval=2)
    with progress:
        for batch in model.predict(images):
            if batch.found is not None:
                writer.add(batch.found)
            unreadable += batch.unreadable
            progress.update(batch.images)
    if unreadable:
        names = images.file_names[np.array(unreadable)]
        found = "a damaged file, or none"
        raise DataError([Fault(it, "", "an image that can be decoded", found) for it in names])
    writer.close(tables.shard_path(output, fold.number), [])
