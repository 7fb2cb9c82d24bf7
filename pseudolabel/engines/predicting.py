"""Running a trained model over images, batch by batch, in flat memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_state_dict
from torch.utils.data import DataLoader, Dataset

from pseudolabel.engines.adapter import Pipeline, Request, ShardWriter, View, adapter_of
from pseudolabel.engines.checkpoints import load_weights
from pseudolabel.engines.model_config import LOAD
from pseudolabel.model_folder import CONFIG, WEIGHTS
from pseudolabel.records import Found, Images


@dataclass(frozen=True)
class Predictions:
    """What a model said about one batch of images.

    Attributes:
        found: what it found in the images that can be read; None where there is none such.
        images: how many images the batch had, unreadable ones included.
        unreadable: (k,) row numbers, within the images asked for, of files that cannot be decoded.
    """

    found: Found | None
    images: int
    unreadable: list[int]


class Predictor(Protocol):
    """Anything that labels images; tests put simple ones in the place of a trained model."""

    def predict(self, images: Images, first: int = 0) -> Iterator[Predictions]:
        """Yield the predictions of images from row `first` on, batch by batch, in order."""

    def shard_writer(self, folder: Path) -> ShardWriter:
        """Return what writes predictions into a folder, shard by shard."""


class TrainedModel:
    """A trained model, or several of one config that label together.

    Args:
        folders: the model folders that training wrote.
        root: the image folder.
        section: the parameters, of `pseudo_label` or of `evaluate`.
        workers: processes that read images.
        round_number: the round to write beside each row.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        root: Path,
        section: Any,
        workers: int = 0,
        round_number: int = 0,
    ) -> None:
        config = Config.fromfile(folders[0] / CONFIG)
        self.adapter = adapter_of(config.task)
        init_default_scope(self.adapter.scope)
        self.models = [self.load(folder, config.model, section) for folder in folders]
        width, height = config.image_size
        views = [
            View(scale, flip)
            for scale in section.views.scales
            for flip in (False, True)[: 1 + section.views.flip]
        ]
        self.pipelines = [self.adapter.view_pipeline((width, height), view) for view in views]
        ids = np.array([row["id"] for row in config.categories], np.int32)
        self.request = Request(ids, section, round_number)
        self.root, self.batch_size, self.workers = root, section.batch_size, workers

    def load(self, folder: Path, model: ConfigDict, section: Any) -> Any:
        """Return the model of a folder, ready to predict."""
        # A copy: what predicts may change its config.
        built = MODELS.build(self.adapter.predicting_model(copy.deepcopy(model), section))
        trained = getattr(built, "module", built)
        load_state_dict(trained, load_weights(folder / WEIGHTS), strict=True)
        return built.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def predict(self, images: Images, first: int = 0) -> Iterator[Predictions]:
        """Yield the predictions of images from row `first` on, batch by batch, in order."""
        loader = DataLoader(
            ImageFiles(images, first, self.root, self.pipelines),
            batch_size=self.batch_size,
            num_workers=self.workers,
            collate_fn=collate,
        )
        for views, count, unreadable in loader:
            yield Predictions(self.forward(views) if views else None, count, unreadable)

    def forward(self, views: list[Any]) -> Found:
        """Return what the models find in one batch, given once for each view."""
        with torch.inference_mode():
            return self.adapter.predict(self.models, views, self.request)

    def shard_writer(self, folder: Path) -> ShardWriter:
        """Return what writes predictions into a folder, shard by shard."""
        return self.adapter.shard_writer(folder, self.request)


class ImageFiles(Dataset[Any]):  # type: ignore[misc]
    """Images by row, each run through a pipeline for every view; None where it is unreadable."""

    def __init__(
        self, images: Images, first: int, root: Path, pipelines: Sequence[Pipeline]
    ) -> None:
        self.images, self.first, self.root = images, first, root
        self.load = Compose([LOAD])
        self.views = [Compose(pipeline) for pipeline in pipelines]

    def __len__(self) -> int:
        """Return how many images there are from the first on."""
        return len(self.images) - self.first

    def __getitem__(self, index: int) -> tuple[int, list[Any] | None]:
        """Return an image's row number and what each pipeline made of it."""
        row = self.first + index
        path = self.root / self.images.file_names[row]
        request = {"img_path": str(path), "img_id": int(self.images.ids[row])}
        try:
            loaded = self.load(request)
        except (OSError, ValueError, AssertionError, cv2.error):
            return row, None
        return row, [view(copy.copy(loaded)) for view in self.views]


def collate(items: list[tuple[int, Any]]) -> tuple[list[Any], int, list[int]]:
    """Return a batch a view of the items that are readable, how many there were, the other rows."""
    readable = [views for _, views in items if views is not None]
    unreadable = [row for row, views in items if views is None]
    return [pseudo_collate(list(it)) for it in zip(*readable, strict=True)], len(items), unreadable
