"""Predictions out of files, in the place of a model: images are read, but not predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.core.records import Category, Images, category_ids_of
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.prediction_store import ShardWriter, shard_writer
from pseudolabel.formats.teacher_files import KnownPredictions
from pseudolabel.predictions import load_task_predictor
from pseudolabel.predictions.batches import BatchPredictions
from pseudolabel.predictions.image_loader import image_loader
from pseudolabel.predictions.task_predictor import PredictOptions


class FilePredictor:
    """The predictions of one file, or of several files together.

    Images are decoded, so that a damaged or changed one is found here and not in training.

    Args:
        files: the files.
        task: the task.
        categories: the classes.
        root: the image folder.
        section: the section `pseudo_label` or `evaluate` of the parameters.
        workers: processes that read images.
        round_number: the round to write beside each prediction.
    """

    def __init__(
        self,
        files: Sequence[KnownPredictions],
        task: str,
        categories: Sequence[Category],
        root: Path,
        section: Any,
        workers: int = 0,
        round_number: int = 0,
    ) -> None:
        self.files, self.root, self.workers = files, root, workers
        self.kind, self.task_predictor = TASKS[task].kind, load_task_predictor(task)
        self.options = PredictOptions(category_ids_of(categories), section, round_number)

    def predict(self, images: Images) -> Iterator[BatchPredictions]:
        """Yield the predictions of images, batch by batch, in order.

        Images without predictions count as unreadable.
        """
        first, size = 0, self.options.section.batch_size
        lacking = np.any([file.lacking(images) for file in self.files], axis=0)
        for _, count, unreadable in image_loader(images, self.root, [], size, self.workers):
            rows = np.arange(first, first + count)
            usable = ~lacking[rows] & ~np.isin(rows, unreadable)
            predictions = None
            if usable.any():
                found = [file.find(images.ids[rows[usable]]) for file in self.files]
                predictions = self.task_predictor.predict([], self.options, found)
            yield BatchPredictions(predictions, count, rows[~usable].tolist())
            first += count

    def shard_writer(self, folder: Path) -> ShardWriter:
        """Return the writer of these predictions, shard by shard, into a folder."""
        return shard_writer(self.kind, folder, len(self.options.category_ids))
