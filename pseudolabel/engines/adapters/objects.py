"""What objects need of mmdet, whether they have boxes alone or masks, too."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.config import Config, ConfigDict
from numpy.typing import NDArray

from pseudolabel.drawing import with_objects
from pseudolabel.engines.adapter import Look, Pipeline, Request, RowsWriter, View, pixels_of
from pseudolabel.engines.adapters.hiding import HideCrowds
from pseudolabel.engines.augmentations import transforms_of
from pseudolabel.engines.model_config import LOAD, fitted, scaled, stripped
from pseudolabel.engines.quiet import quiet_imports
from pseudolabel.params.sections import Params
from pseudolabel.records import Annotations, Category
from pseudolabel.stability import objects_agreement
from pseudolabel.votes import joint_votes

with quiet_imports():
    import mmdet.datasets  # noqa: F401

META_KEYS = (
    "img_id",
    "img_path",
    "ori_shape",
    "img_shape",
    "scale_factor",
    "flip",
    "flip_direction",
)


class ObjectAdapter:
    """The part of the adapter that boxes and masks share."""

    scope = "mmdet"
    load_annotations: ClassVar[dict[str, Any]] = {"type": "LoadAnnotations", "with_bbox": True}

    def adapt_model(
        self,
        config: Config,
        categories: Sequence[Category],
        params: Params,  # noqa: ARG002 - nothing of it is about these models
    ) -> ConfigDict:
        """Return a config's model for these classes and parameters."""
        model = stripped(config, len(categories))
        if model.type == "RTMDet":
            model.use_syncbn = False
        if "data_preprocessor" in model:
            # Necks join scales: each side has to be a multiple of the largest stride.
            model.data_preprocessor.setdefault("pad_size_divisor", 32)
        return model

    def train_pipeline(self, params: Params) -> Pipeline:
        """Return the training transforms: load, augment as params.yaml says, fit and pad."""
        return [
            LOAD,
            self.load_annotations,
            {"type": HideCrowds.__name__},
            *transforms_of(params, boxes=True),
            *fitted(params.model.image_size),
            *self.cropped(params.train.crop),
            self.of_some_size,
            {"type": "PackDetInputs", "meta_keys": META_KEYS[:5]},
        ]

    def cropped(self, size: tuple[int, int] | None) -> Pipeline:
        """Return the transforms that cut a part of some width and height out of an image."""
        if size is None:
            return []
        crop = {"type": "RandomCrop", "crop_size": size, "allow_negative_crop": True}
        # A mask that is cut has another box.
        return [crop | {"recompute_bbox": self.has_masks}]

    @property
    def has_masks(self) -> bool:
        """Whether objects have masks."""
        return bool(self.load_annotations.get("with_mask"))

    @property
    def of_some_size(self) -> dict[str, Any]:
        """The transform that drops objects of which augmentations have left nothing."""
        left = {"type": "FilterAnnotations", "min_gt_bbox_wh": (1, 1), "by_mask": self.has_masks}
        return left | {"keep_empty": False}

    def picture(self, item: dict[str, Any]) -> NDArray[np.uint8]:
        """Return the (h, w, 3) picture of a training image with its boxes, and masks if any."""
        found = item["data_samples"].gt_instances
        shapes = found.masks.masks.astype(bool) if "masks" in found else None
        boxes = found.bboxes.tensor.numpy().astype(np.float32)
        return with_objects(pixels_of(item), found.labels.numpy(), boxes, shapes)

    def source(
        self, folder: Path, images: Path, categories: Sequence[Category], pipeline: Pipeline
    ) -> dict[str, Any]:
        """Return the config of a training data set; images without objects are in it."""
        return {
            "type": "CocoDataset",
            "ann_file": str((folder / "coco.json").resolve()),
            "data_prefix": {"img": str(images.resolve())},
            "metainfo": {"classes": tuple(category.name for category in categories)},
            "filter_cfg": None,
            "pipeline": pipeline,
        }

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:
        """Return the model with the lowest score that its heads are to report, and its NMS."""
        model = copy.deepcopy(model)
        test = model.get("test_cfg") or {}
        for part in (test, test.get("rcnn") or {}):
            if "score_thr" in part:
                part["score_thr"] = section.score_floor
            if section.nms_iou is not None and "iou_threshold" in (part.get("nms") or {}):
                part["nms"]["iou_threshold"] = section.nms_iou
        return model

    def view_pipeline(self, image_size: tuple[int, int], view: View) -> Pipeline:
        """Return the transforms of one view; it is flipped before it is padded."""
        resize, pad = fitted(scaled(image_size, view.scale))
        flip = {"type": "RandomFlip", "prob": float(view.flip)}
        return [resize, flip, pad, {"type": "PackDetInputs", "meta_keys": META_KEYS}]

    def predict(self, looks: Sequence[Look], request: Request) -> Annotations:
        """Return the objects of a batch, best first within an image; models and views vote."""
        found = []
        for model, views in looks:
            for batch in views:
                parts = [self.rows(sample, request) for sample in model.test_step(batch)]
                found.append(Annotations.concatenate([Annotations.empty(), *parts]))
        if len(found) == 1:
            return found[0]
        voted = joint_votes(found)
        return voted[voted.scores >= request.section.score_floor]

    def agreement(
        self, found: Annotations, other: Annotations, image_ids: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return how far the objects of each image are found again."""
        return objects_agreement(found, other, image_ids)

    def rows(self, sample: Any, request: Request) -> Annotations:
        """Return the sound objects of one image, best first."""
        found = sample.pred_instances
        scores = found.scores.cpu().numpy()
        boxes = found.bboxes.cpu().numpy().astype(np.float32)
        height, width = sample.ori_shape
        if sample.flip:
            boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        sound = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        order = best_first(scores, sound & (scores >= request.section.score_floor))
        return Annotations.predicted(
            np.full(len(order), sample.img_id, np.int64),
            request.category_ids[found.labels.long().cpu().numpy()[order]],
            boxes[order],
            scores[order],
            request.round_number,
        )

    def shard_writer(self, folder: Path, request: Request) -> RowsWriter:  # noqa: ARG002 - rows alone
        """Return what writes the predictions for the pool."""
        return RowsWriter()


def best_first(scores: NDArray[np.float32], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rows that are wanted, by falling score."""
    return np.flatnonzero(wanted)[np.argsort(-scores[wanted], kind="stable")]
