"""Classification by mmpretrain: labels mixed and softened, a mirrored view on request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config, ConfigDict
from numpy.typing import NDArray

from pseudolabel.engines.adapter import Look, Pipeline, Request, View, pixels_of
from pseudolabel.engines.augmentations import transforms_of
from pseudolabel.engines.model_config import LOAD, cropped, fitted, scaled, stripped
from pseudolabel.engines.quiet import quiet_imports
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.params.sections import Params
from pseudolabel.records import Category, Probabilities
from pseudolabel.stability import classes_agreement

with quiet_imports():
    from mmpretrain.datasets import BaseDataset
    from mmpretrain.registry import DATASETS, TRANSFORMS

META_KEYS = ("img_id", "img_path", "ori_shape", "img_shape")


@DATASETS.register_module()
class ClassDataset(BaseDataset):  # type: ignore[misc]
    """Images of a split's COCO file with the position of each one's class."""

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return where each image lies and its class."""
        dataset = read_coco(Path(self.ann_file))
        soft_labels = Path(self.ann_file).with_name(tables.SOFT_LABELS)
        soft = {"soft_labels": str(soft_labels)} if soft_labels.is_file() else {}
        position = {category.id: row for row, category in enumerate(dataset.categories)}
        rows = dataset.annotations
        classes = dict(zip(rows.image_ids.tolist(), rows.category_ids.tolist(), strict=True))
        return [
            {
                "img_path": str(Path(self.data_prefix["img_path"]) / name),
                "gt_label": position[classes[image_id]],
                "classes": len(position),
                "row": row,
                **soft,
            }
            for row, (image_id, name) in enumerate(
                zip(dataset.images.ids.tolist(), dataset.images.file_names, strict=True)
            )
        ]


@TRANSFORMS.register_module()
class SoftLabels(BaseTransform):  # type: ignore[misc]
    """Gives an image the probabilities of all classes: silver those of its teacher, gold its class.

    The file of silver is mapped, not read: memory stays flat in the pool's size.

    Args:
        smoothing: the share of gold's label that is spread over all classes; a teacher's
            probabilities are soft as they are.
    """

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing
        self.files: dict[str, NDArray[np.float32]] = {}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return an image with `gt_score`."""
        path = results.get("soft_labels")
        if path is None:
            spread = self.smoothing / results["classes"]
            scores = np.full(results["classes"], spread, np.float32)
            scores[results["gt_label"]] += 1 - self.smoothing
        else:
            if path not in self.files:
                self.files[path] = np.load(path, mmap_mode="r", allow_pickle=False)
            scores = np.array(self.files[path][results["row"]])
        return results | {"gt_score": scores}


class ProbabilitiesWriter:
    """Writes the probabilities of all classes."""

    def __init__(self, classes: int) -> None:
        self.ids: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self.values: list[NDArray[np.float32]] = [np.empty((0, classes), np.float32)]

    def add(self, found: Probabilities) -> None:
        """Take the probabilities of one batch."""
        self.ids.append(found.image_ids)
        self.values.append(found.values)

    def close(self, path: Path, unreadable: Sequence[str]) -> None:
        """Write the shard that all since the last one belong to."""
        found = Probabilities(np.concatenate(self.ids), np.concatenate(self.values))
        tables.write_probabilities(path, found, unreadable)
        self.ids, self.values = self.ids[:1], self.values[:1]


class ClassificationAdapter:
    """Probabilities of all classes."""

    scope = "mmpretrain"

    def adapt_model(
        self, config: Config, categories: Sequence[Category], params: Params
    ) -> ConfigDict:
        """Return a config's model for these classes, its loss that of softened labels.

        Mixup, CutMix and label smoothing are what params.yaml says, not what the config says.
        """
        section: Any = params.train
        model = stripped(config, len(categories))
        model.data_preprocessor.type = "ClsDataPreprocessor"
        model.data_preprocessor.num_classes = len(categories)
        model.head.loss = {
            "type": "LabelSmoothLoss",
            # Soft labels are smoothed where they are read: gold alone.
            "label_smooth_val": 0.0 if section.soft_labels else float(section.label_smoothing),
            "num_classes": len(categories),
        }
        mixes = [
            {"type": name, "alpha": alpha}
            for name, alpha in (("Mixup", section.mixup), ("CutMix", section.cutmix))
            if alpha
        ]
        model.train_cfg = {"augments": mixes} if mixes else None
        return model

    def train_pipeline(self, params: Params) -> Pipeline:
        """Return the training transforms: load, augment as params.yaml says, fit and pad."""
        section: Any = params.train
        soft = {"type": SoftLabels.__name__, "smoothing": section.label_smoothing}
        return [
            LOAD,
            *([soft] if section.soft_labels else []),
            *transforms_of(params),
            *fitted(params.model.image_size),
            *cropped(params.train.crop),
            {"type": "PackInputs", "meta_keys": META_KEYS[1:]},
        ]

    def picture(self, item: dict[str, Any]) -> NDArray[np.uint8]:
        """Return the (h, w, 3) picture of a training image; its class is not to be seen in it."""
        return pixels_of(item)

    def source(
        self, folder: Path, images: Path, categories: Sequence[Category], pipeline: Pipeline
    ) -> dict[str, Any]:
        """Return the config of a training data set, from a split's folder."""
        return {
            "type": ClassDataset.__name__,
            "ann_file": str((folder / FILE).resolve()),
            "data_prefix": {"img_path": str(images.resolve())},
            "metainfo": {"classes": tuple(category.name for category in categories)},
            "pipeline": pipeline,
        }

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return the model as it was trained."""
        return model

    def view_pipeline(self, image_size: tuple[int, int], view: View) -> Pipeline:
        """Return the transforms of one view; it is flipped before it is padded, as in training."""
        resize, pad = fitted(scaled(image_size, view.scale))
        flip = {"type": "RandomFlip", "prob": float(view.flip)}
        return [resize, flip, pad, {"type": "PackInputs", "meta_keys": META_KEYS}]

    def predict(
        self,
        looks: Sequence[Look],
        request: Request,  # noqa: ARG002 - all classes are told
    ) -> Probabilities:
        """Return the mean probabilities of a batch over models and views."""
        values = []
        for model, views in looks:
            for batch in views:
                samples = model.test_step(batch)
                values.append(torch.stack([it.pred_score for it in samples]))
                image_ids = np.array([it.img_id for it in samples], np.int64)
        mean = torch.stack(values).mean(dim=0)
        return Probabilities(image_ids, mean.cpu().numpy().astype(np.float32))

    def agreement(
        self,
        found: Probabilities,
        other: Probabilities,
        image_ids: NDArray[np.int64],  # noqa: ARG002 - every image has probabilities
    ) -> NDArray[np.float32]:
        """Return how near the probabilities of each image are."""
        return classes_agreement(found, other)

    def shard_writer(self, folder: Path, request: Request) -> ProbabilitiesWriter:  # noqa: ARG002
        """Return what writes the predictions for the pool."""
        return ProbabilitiesWriter(len(request.category_ids))


ADAPTER = ClassificationAdapter()
