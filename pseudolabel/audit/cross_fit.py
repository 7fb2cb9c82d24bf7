"""Cross-fit: each gold image is labelled by a model that was not trained on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from pseudolabel.core.datasets import concatenate, renumber, sort_images
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import written_aside
from pseudolabel.core.held_out import refuse_seen
from pseudolabel.core.records import Dataset, Images
from pseudolabel.formats.fold_folder import Fold, read_folds
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.shards import shard_path
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.predictions.predictor import TrainedModels

_GOLD = "gold"
"""The subfolder with the held-out gold of all folds as one split."""


def cross_fit(models: Path, output: Path, params: Params) -> None:
    """Write gold, and the predictions of each fold's champion for its held-out images.

    Args:
        models: the folder of collected folds.
        output: the folder to write gold/ and one shard of predictions per fold to.
        params: all parameters; `data` and `pseudo_label` are used.

    Raises:
        ModelError: folds are missing.
        DataError: a fold's model was trained on its held-out images, or an image is damaged.
    """
    folds = read_folds(models)
    held_out = {str(fold.number): SplitFolder(fold.held_out).read() for fold in folds}
    for fold in folds:
        images = held_out[str(fold.number)].images
        refuse_seen(
            fold.images_seen(),
            {"its held-out images": images},
            f"the champion of fold {fold.number}",
        )
    numbered = renumber(held_out)
    with written_aside(output) as aside:
        gold = SplitFolder(aside / _GOLD)
        gold.path.mkdir(parents=True)
        gold.write(sort_images(concatenate(list(numbered.values()))))
        for fold in folds:
            old, new = held_out[str(fold.number)], numbered[str(fold.number)]
            SplitFolder(fold.held_out).copy_label_maps(gold, _new_ids(old, new))
            _write_predictions(fold, new.images, aside, params)


def _new_ids(old: Dataset, new: Dataset) -> dict[int, int]:
    """Return the new id of each image by its old one."""
    ids_by_name = dict(zip(new.images.file_names, new.images.ids.tolist(), strict=True))
    old_images = zip(old.images.ids.tolist(), old.images.file_names, strict=True)
    return {image_id: ids_by_name[name] for image_id, name in old_images}


def _write_predictions(fold: Fold, images: Images, output: Path, params: Params) -> None:
    """Write the predictions of a fold's champion for some images as one shard."""
    root, workers = params.data.root / IMAGES, params.data.workers
    model = TrainedModels([fold.champion], root, params.pseudo_label, workers)
    writer = model.shard_writer(output)
    unreadable: list[int] = []
    progress = tqdm(total=len(images), desc=f"fold {fold.number}", unit="img", mininterval=2)
    with progress:
        for batch in model.predict(images):
            if batch.predictions is not None:
                writer.add(batch.predictions)
            unreadable += batch.unreadable
            progress.update(batch.images)
    if unreadable:
        names = images.file_names[np.array(unreadable)]
        expected, found = "an image that can be decoded", "a damaged file, or none"
        raise DataError([Fault(name, "", expected, found) for name in names])
    writer.close(shard_path(output, fold.number), [])
