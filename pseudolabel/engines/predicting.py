"""Running a trained model over images, batch by batch, in flat memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_state_dict
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from pseudolabel.engines.adapter import Pipeline, Request, ShardWriter, View, adapter_of
from pseudolabel.engines.checkpoints import load_weights
from pseudolabel.engines.model_config import LOAD
from pseudolabel.errors import ModelError
from pseudolabel.model_folder import CONFIG, EARLIER, WEIGHTS
from pseudolabel.records import Found, Images


@dataclass(frozen=True)
class Predictions:
    """What a model said about one batch of images.

    Attributes:
        found: what it found in the images that can be read; None where there is none such.
        images: how many images the batch had, unreadable ones included.
        unreadable: (k,) row numbers, within the images asked for, of files that cannot be decoded.
        stability: how stable that is; None where it was not asked for.
    """

    found: Found | None
    images: int
    unreadable: list[int]
    stability: Stability | None = None


@dataclass(frozen=True)
class Stability:
    """How much predictions agree with other looks at the same images.

    Attributes:
        image_ids: (m,) ids.
        values: (m,) 0 to 1.
    """

    image_ids: NDArray[np.int64]
    values: NDArray[np.float32]


class Predictor(Protocol):
    """Anything that labels images; tests put simple ones in the place of a trained model."""

    def predict(self, images: Images, first: int = 0) -> Iterator[Predictions]:
        """Yield the predictions of images from row `first` on, batch by batch, in order."""

    def shard_writer(self, folder: Path) -> ShardWriter:
        """Return what writes predictions into a folder, shard by shard."""


@dataclass(frozen=True)
class Planned:
    """A model, and the numbers of the pipelines that give the views which it joins."""

    model: Any
    pipelines: list[int]


def refuse_other_classes(folders: Sequence[Path], configs: Sequence[Config]) -> None:
    """Raise where models that are to label together are of another task or other classes.

    Raises:
        ModelError: with the first such model.
    """
    for folder, config in zip(folders, configs, strict=True):
        if any(config[key] != configs[0][key] for key in ("task", "categories")):
            raise ModelError(
                f"{folder / CONFIG}: expected the task and classes of {folders[0] / CONFIG}, "
                "found others"
            )


def earlier_weights(folder: Path) -> list[Path]:
    """Return the weights that a model had earlier in its training, in order.

    Raises:
        ModelError: there are none.
    """
    paths = sorted(folder.glob(EARLIER.format("*")))
    if not paths:
        raise ModelError(
            f"{folder}: expected weights of earlier in its training, found none: set "
            "train.snapshots, or pseudo_label.stability to flip"
        )
    return paths


class TrainedModel:
    """A trained model, or several of one task and the same classes that label together.

    Args:
        folders: the model folders that training wrote.
        root: the image folder.
        section: the parameters, of `pseudo_label` or of `evaluate`.
        workers: processes that read images.
        round_number: the round to write beside each row.
        stability: `checkpoints` to compare with the models as they were earlier in their training,
            `flip` with what they see in mirrored images.

    Raises:
        ModelError: the models differ in task or classes, or earlier weights are missing.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        root: Path,
        section: Any,
        workers: int = 0,
        round_number: int = 0,
        stability: Literal["checkpoints", "flip"] | None = None,
    ) -> None:
        configs = [Config.fromfile(folder / CONFIG) for folder in folders]
        refuse_other_classes(folders, configs)
        self.adapter = adapter_of(configs[0].task)
        init_default_scope(self.adapter.scope)
        ids = np.array([row["id"] for row in configs[0].categories], np.int32)
        self.request = Request(ids, section, round_number)
        self.root, self.batch_size, self.workers = root, section.batch_size, workers
        self.pipelines: list[Pipeline] = []
        members = list(zip(folders, configs, strict=True))
        views = [
            View(scale, flip)
            for scale in section.scales
            for flip in (False, True)[: 1 + section.flip]
        ]
        self.looks = [
            Planned(self.load(folder / WEIGHTS, config), self.plan(config, views))
            for folder, config in members
        ]
        self.other_looks: list[list[Planned]] = []
        if stability == "checkpoints":
            earlier = zip(*(earlier_weights(folder) for folder in folders), strict=True)
            self.other_looks = [
                [
                    Planned(self.load(path, config), self.plan(config, views))
                    for path, config in zip(paths, configs, strict=True)
                ]
                for paths in earlier
            ]
        elif stability == "flip":
            mirrored = [self.plan(config, [View(1, True)]) for config in configs]
            models = [look.model for look in self.looks]
            self.other_looks = [list(map(Planned, models, mirrored))]

    def plan(self, config: Config, views: list[View]) -> list[int]:
        """Return the numbers of the pipelines that give a model's views; alike ones are shared."""
        width, height = config.image_size
        numbers = []
        for view in views:
            pipeline = self.adapter.view_pipeline((width, height), view)
            if pipeline not in self.pipelines:
                self.pipelines.append(pipeline)
            numbers.append(self.pipelines.index(pipeline))
        return numbers

    def load(self, weights: Path, config: Config) -> Any:
        """Return a config's model with some weights, ready to predict."""
        # A copy: what predicts may change its config.
        model, section = copy.deepcopy(config.model), self.request.section
        built = MODELS.build(self.adapter.predicting_model(model, section))
        load_state_dict(built, load_weights(weights), strict=True)
        return built.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def predict(self, images: Images, first: int = 0) -> Iterator[Predictions]:
        """Yield the predictions of images from row `first` on, batch by batch, in order."""
        for views, count, unreadable in self.loader(images, first):
            if not views:
                yield Predictions(None, count, unreadable)
            else:
                rows = np.arange(first, first + count)
                readable = images.ids[rows[~np.isin(rows, unreadable)]]
                found = self.forward(self.looks, views)
                yield Predictions(found, count, unreadable, self.stability(found, views, readable))
            first += count

    def loader(self, images: Images, first: int) -> DataLoader[Any]:
        """Return what reads images from row `first` on, batch by batch, for every look."""
        return DataLoader(
            ImageFiles(images, first, self.root, self.pipelines),
            batch_size=self.batch_size,
            num_workers=self.workers,
            collate_fn=collate,
        )

    def forward(self, looks: Sequence[Planned], views: list[Any]) -> Found:
        """Return what models find in one batch, given once for each pipeline."""
        planned = [(look.model, [views[it] for it in look.pipelines]) for look in looks]
        with torch.inference_mode():
            return self.adapter.predict(planned, self.request)

    def stability(
        self, found: Found, views: list[Any], image_ids: NDArray[np.int64]
    ) -> Stability | None:
        """Return how much what was found agrees with the other looks at a batch, in the mean."""
        if not self.other_looks:
            return None
        others = [self.forward(looks, views) for looks in self.other_looks]
        shares = [self.adapter.agreement(found, other, image_ids) for other in others]
        return Stability(image_ids, np.mean(shares, axis=0).astype(np.float32))

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
