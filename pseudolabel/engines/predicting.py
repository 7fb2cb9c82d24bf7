"""Running a trained model over images, batch by batch, in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_state_dict
from torch.utils.data import DataLoader, Dataset

from pseudolabel.engines import detection
from pseudolabel.engines.checkpoints import load_weights
from pseudolabel.engines.model_folder import CONFIG, WEIGHTS
from pseudolabel.records import Annotations, Images


@dataclass(frozen=True)
class Predictions:
    """What a model said about one batch of images.

    Attributes:
        annotations: the objects found, best first within an image.
        images: how many images the batch had, unreadable ones included.
        unreadable: (k,) row numbers, within the images asked for, of files that cannot be decoded.
    """

    annotations: Annotations
    images: int
    unreadable: list[int]


class Predictor(Protocol):
    """Anything that labels images; tests put simple ones in the place of a trained model."""

    def predict(self, images: Images, first: int = 0) -> Iterator[Predictions]:
        """Yield the predictions of images from row `first` on, batch by batch, in order."""


class Detector:
    """A trained detector, ready to label images.

    Args:
        folder: a model folder that training wrote.
        root: the image folder.
        batch_size: images a forward pass.
        score_floor: the lowest score to report.
        flip: whether to label each image as it is and mirrored, and join the two.
        workers: processes that read images.
        round_number: the round to write beside each row.
    """

    def __init__(
        self,
        folder: Path,
        root: Path,
        batch_size: int,
        score_floor: float,
        flip: bool = False,
        workers: int = 0,
        round_number: int = 0,
    ) -> None:
        init_default_scope(detection.SCOPE)
        config = Config.fromfile(folder / CONFIG)
        model = detection.with_score_floor(config.model, score_floor)
        self.model = MODELS.build(detection.flipping_model(model) if flip else model)
        load_state_dict(
            self.model.module if flip else self.model, load_weights(folder / WEIGHTS), strict=True
        )
        self.model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self.category_ids = np.array([row["id"] for row in config.categories], np.int32)
        width, height = config.image_size
        self.pipeline = detection.predict_pipeline((width, height), flip)
        self.root, self.batch_size, self.workers = root, batch_size, workers
        self.score_floor, self.round_number = score_floor, round_number

    def predict(self, images: Images, first: int = 0) -> Iterator[Predictions]:
        """Yield the predictions of images from row `first` on, batch by batch, in order."""
        loader = DataLoader(
            ImageFiles(images, first, self.root, self.pipeline),
            batch_size=self.batch_size,
            num_workers=self.workers,
            collate_fn=collate,
        )
        for batch, count, unreadable in loader:
            found = Annotations.empty()
            if batch is not None:
                samples = self.forward(batch)
                found = detection.annotations_of(
                    samples, self.category_ids, self.score_floor, self.round_number
                )
            yield Predictions(found, count, unreadable)

    def forward(self, batch: Any) -> Sequence[Any]:
        """Return the model's output for one collated batch."""
        with torch.inference_mode():
            return self.model.test_step(batch)


class ImageFiles(Dataset[Any]):  # type: ignore[misc]
    """Images by row, run through a pipeline of transforms; None where a file is unreadable."""

    def __init__(
        self, images: Images, first: int, root: Path, pipeline: Sequence[dict[str, Any]]
    ) -> None:
        self.images, self.first, self.root = images, first, root
        self.pipeline = Compose(pipeline)

    def __len__(self) -> int:
        """Return how many images there are from the first on."""
        return len(self.images) - self.first

    def __getitem__(self, index: int) -> tuple[int, Any]:
        """Return an image's row number and what the pipeline made of it."""
        row = self.first + index
        path = self.root / self.images.file_names[row]
        request = {"img_path": str(path), "img_id": int(self.images.ids[row])}
        load, *rest = self.pipeline.transforms
        try:
            loaded = load(request)
        except (OSError, ValueError, AssertionError, cv2.error):
            return row, None
        for transform in rest:
            loaded = transform(loaded)
        return row, loaded


def collate(items: list[tuple[int, Any]]) -> tuple[Any, int, list[int]]:
    """Return a batch of those items that could be read, how many there were, and the other rows."""
    readable = [item for _, item in items if item is not None]
    unreadable = [row for row, item in items if item is None]
    return (pseudo_collate(readable) if readable else None), len(items), unreadable


def predict_all(predictor: Predictor, images: Images) -> Annotations:
    """Return all predictions for a split that is small enough to be held, as val and test are."""
    return Annotations.concatenate([part.annotations for part in predictor.predict(images)])
