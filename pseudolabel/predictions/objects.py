"""Boxes, as mmdet's models predict them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.config import ConfigDict
from numpy.typing import NDArray

from pseudolabel.core.records import Annotations
from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.models.transforms import Pipeline, fit_to_size, scale_size
from pseudolabel.predictions.ensemble import fuse_boxes
from pseudolabel.predictions.full_batches import predict_full_batch
from pseudolabel.predictions.stability import objects_agreement
from pseudolabel.predictions.task_predictor import ModelBatches, PredictOptions, View

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


class BoxPredictor:
    """Predicts boxes; several models or views are combined by weighted boxes fusion."""

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:
        """Return the model's config with the score floor and the NMS threshold of the section."""
        model = copy.deepcopy(model)
        test_config = model.get("test_cfg") or {}
        for part in (test_config, test_config.get("rcnn") or {}):
            if "score_thr" in part:
                part["score_thr"] = section.score_floor
            if section.nms_iou is not None and "iou_threshold" in (part.get("nms") or {}):
                part["nms"]["iou_threshold"] = section.nms_iou
        return model

    def view_pipeline(self, image_size: tuple[int, int], view: View) -> Pipeline:
        """Return the transforms of one view; the image is flipped before it is padded."""
        resize, pad = fit_to_size(scale_size(image_size, view.scale))
        flip = {"type": "RandomFlip", "prob": float(view.flip)}
        return [resize, flip, pad, {"type": "PackDetInputs", "meta_keys": META_KEYS}]

    def predict(
        self,
        batches: Sequence[ModelBatches],
        options: PredictOptions,
        others: Sequence[Annotations] = (),
    ) -> Annotations:
        """Return the objects of a batch of images, best first within an image."""
        floor = options.section.score_floor
        by_view = [rows[rows.scores >= floor] for rows in others]
        for model, views in batches:
            for batch in views:
                samples = predict_full_batch(model, batch, options.section.batch_size)
                parts = [self.image_objects(sample, options) for sample in samples]
                by_view.append(Annotations.concatenate([Annotations.empty(), *parts]))
        if len(by_view) == 1:
            return by_view[0]
        fused = fuse_boxes(by_view)
        return fused[fused.scores >= floor]

    def agreement(
        self, one: Annotations, other: Annotations, image_ids: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return how well the objects of each image match the other prediction, 0 to 1."""
        return objects_agreement(one, other, image_ids)

    def image_objects(self, sample: Any, options: PredictOptions) -> Annotations:
        """Return the objects of one image above the score floor, best first."""
        instances = sample.pred_instances
        scores = instances.scores.cpu().numpy()
        boxes = instances.bboxes.cpu().numpy().astype(np.float32)
        height, width = sample.ori_shape
        if sample.flip:
            boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
        usable = np.isfinite(scores) & np.isfinite(boxes).all(axis=1)
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        usable &= (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        too_low = scores < options.section.score_floor
        options.left_out.add(~usable & ~too_low)
        order = best_first(scores, usable & ~too_low)
        return Annotations.predicted(
            np.full(len(order), sample.img_id, np.int64),
            options.category_ids[instances.labels.long().cpu().numpy()[order]],
            boxes[order],
            scores[order],
            options.round_number,
        )


def best_first(scores: NDArray[np.float32], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the row numbers of the wanted rows, the highest score first."""
    return np.flatnonzero(wanted)[np.argsort(-scores[wanted], kind="stable")]


PREDICTOR = BoxPredictor()
