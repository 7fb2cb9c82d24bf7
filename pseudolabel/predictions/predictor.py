"""Running trained models on images, batch by batch, in constant memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from numpy.typing import NDArray

from pseudolabel.core.errors import ModelError
from pseudolabel.core.records import Images, Predictions
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.model_folder import CONFIG, WEIGHTS, kept_weights
from pseudolabel.formats.prediction_store import ShardWriter, shard_writer
from pseudolabel.formats.teacher_files import KnownPredictions
from pseudolabel.models import PACKAGES
from pseudolabel.models.trained import build_trained, read_trained_config
from pseudolabel.models.transforms import Pipeline
from pseudolabel.predictions import load_task_predictor
from pseudolabel.predictions.batches import BatchPredictions, Stability
from pseudolabel.predictions.image_loader import image_loader
from pseudolabel.predictions.task_predictor import LeftOut, PredictOptions, View

ComparedWith = Literal["checkpoints", "flip"]
"""The second prediction that stability is measured with: `pseudo_label.stability`."""


@dataclass(frozen=True)
class _ModelViews:
    """A model, and the indices of the pipelines of its views."""

    model: Any
    pipelines: list[int]


class _ViewPlan:
    """The pipelines of all views; models with the same view share its pipeline."""

    def __init__(self) -> None:
        self.pipelines: list[Pipeline] = []

    def add(self, pipelines: Sequence[Pipeline]) -> list[int]:
        """Return the indices of some pipelines; new pipelines are added."""
        for pipeline in pipelines:
            if pipeline not in self.pipelines:
                self.pipelines.append(pipeline)
        return [self.pipelines.index(pipeline) for pipeline in pipelines]


class TrainedModels:
    """One trained model, or several of one task and the same classes that predict together.

    Args:
        folders: the model folders that training wrote.
        root: the image folder.
        section: the section `pseudo_label` or `evaluate` of the parameters.
        workers: processes that read images.
        round_number: the round to write beside each prediction.
        compared_with: measures stability: `checkpoints` compares with other weights of the same
            trainings, `flip` with the predictions for mirrored images.
        weights: the name of the file of weights in each folder.
        files: predictions of other teachers, which are joined with those of the models.

    Raises:
        ModelError: the models differ in task or classes, or other weights are missing.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        root: Path,
        section: Any,
        workers: int = 0,
        round_number: int = 0,
        compared_with: ComparedWith | None = None,
        weights: str = WEIGHTS,
        files: Sequence[KnownPredictions] = (),
    ) -> None:
        configs = [read_trained_config(folder) for folder in folders]
        _refuse_other_classes(folders, configs)
        task = configs[0].task
        self.kind, self.task_predictor = TASKS[task].kind, load_task_predictor(task)
        init_default_scope(PACKAGES[task])
        category_ids = np.array([row["id"] for row in configs[0].categories], np.int32)
        self.options = PredictOptions(category_ids, section, round_number)
        self.files, self.views = files, len(_views(section))
        self.root, self.batch_size, self.workers = root, section.batch_size, workers
        self.plan = _ViewPlan()
        self.members = [
            self._member(folder / weights, config, _views(section))
            for folder, config in zip(folders, configs, strict=True)
        ]
        self.comparisons = self._comparisons(folders, configs, compared_with)

    def predict(self, images: Images) -> Iterator[BatchPredictions]:
        """Yield the predictions of images, batch by batch, in order."""
        first = 0
        loader = image_loader(images, self.root, self.plan.pipelines, self.batch_size, self.workers)
        for batches, count, unreadable in loader:
            if not batches:
                yield BatchPredictions(None, count, unreadable)
            else:
                rows = np.arange(first, first + count)
                image_ids = images.ids[rows[~np.isin(rows, unreadable)]]
                # As often as a model has views: a file counts as much as a model.
                others = [file.find(image_ids) for file in self.files] * self.views
                predictions = self._forward(self.members, batches, self.options, others)
                stability = self._stability(predictions, batches, image_ids)
                yield BatchPredictions(predictions, count, unreadable, stability)
            first += count
        self.options.left_out.report()

    def shard_writer(self, folder: Path) -> ShardWriter:
        """Return the writer of these predictions, shard by shard, into a folder."""
        return shard_writer(self.kind, folder, len(self.options.category_ids))

    def _member(self, weights: Path, config: Config, views: Sequence[View]) -> _ModelViews:
        """Return a model with its weights loaded, and its views."""
        return _ModelViews(self._load(weights, config), self._add_views(config, views))

    def _add_views(self, config: Config, views: Sequence[View]) -> list[int]:
        width, height = config.image_size
        return self.plan.add(
            [self.task_predictor.view_pipeline((width, height), view) for view in views]
        )

    def _load(self, weights: Path, config: Config) -> Any:
        # A copy, because building the predicting model may change the config.
        model, section = copy.deepcopy(config.model), self.options.section
        predicting = self.task_predictor.predicting_model(model, section)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return build_trained(predicting, weights, config.task).to(device).eval()

    def _comparisons(
        self, folders: Sequence[Path], configs: Sequence[Config], compared_with: ComparedWith | None
    ) -> list[list[_ModelViews]]:
        """Return the models and views that predictions are compared with."""
        if compared_with == "flip":
            mirrored = [View(1, flip=True)]
            return [
                [
                    _ModelViews(member.model, self._add_views(config, mirrored))
                    for member, config in zip(self.members, configs, strict=True)
                ]
            ]
        if compared_with == "checkpoints":
            views = _views(self.options.section)
            others = zip(*(_other_weights(folder) for folder in folders), strict=True)
            return [
                [
                    self._member(path, config, views)
                    for path, config in zip(paths, configs, strict=True)
                ]
                for paths in others
            ]
        return []

    def _forward(
        self,
        members: Sequence[_ModelViews],
        batches: list[Any],
        options: PredictOptions,
        others: Sequence[Any] = (),
    ) -> Predictions:
        """Return the joint predictions of models and of others, given one batch per pipeline."""
        inputs = [
            (member.model, [batches[index] for index in member.pipelines]) for member in members
        ]
        with torch.inference_mode():
            return self.task_predictor.predict(inputs, options, others)

    def _stability(
        self, predictions: Predictions, batches: list[Any], image_ids: NDArray[np.int64]
    ) -> Stability | None:
        """Return the mean agreement of predictions with all comparisons."""
        if not self.comparisons:
            return None
        # Only the predictions themselves are reported.
        options = replace(self.options, left_out=LeftOut())
        others = [self._forward(members, batches, options) for members in self.comparisons]
        agree = self.task_predictor.agreement
        values = [agree(predictions, other, image_ids) for other in others]
        return Stability(image_ids, np.mean(values, axis=0).astype(np.float32))


def _views(section: Any) -> list[View]:
    """Return the views that a section of the parameters asks for."""
    flips = (False, True) if section.flip else (False,)
    return [View(scale, flip) for scale in section.scales for flip in flips]


def _refuse_other_classes(folders: Sequence[Path], configs: Sequence[Config]) -> None:
    """Raise if models that predict together differ in task or classes."""
    for folder, config in zip(folders, configs, strict=True):
        if any(config[key] != configs[0][key] for key in ("task", "categories")):
            raise ModelError(
                f"{folder / CONFIG}: expected the task and classes of {folders[0] / CONFIG}, "
                "found others"
            )


def _other_weights(folder: Path) -> list[Path]:
    """Return the files of the other weights of a model's training; raise if there are none."""
    paths = [path for path in kept_weights(folder) if path.name != WEIGHTS]
    if not paths:
        raise ModelError(
            f"{folder}: expected weights from earlier in its training, found none: set "
            "train.snapshots, or set pseudo_label.stability to flip"
        )
    return paths
