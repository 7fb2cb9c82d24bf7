"""Probabilities of all classes, as mmpretrain's models predict them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from numpy.typing import NDArray

from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.models.transforms import Pipeline, fit_to_size, scale_size
from pseudolabel.predictions.full_batches import predict_full_batch
from pseudolabel.predictions.stability import classes_agreement
from pseudolabel.predictions.task_predictor import ModelBatches, PredictOptions, View

with quiet_imports():
    import mmpretrain.datasets  # noqa: F401

_META_KEYS = ("img_id", "img_path", "ori_shape", "img_shape")


class ClassPredictor:
    """Predicts the probability of every class."""

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return the model as it was trained."""
        return model

    def view_pipeline(self, image_size: tuple[int, int], view: View) -> Pipeline:
        """Return the transforms of one view; the image is flipped before it is padded."""
        resize, pad = fit_to_size(scale_size(image_size, view.scale))
        flip = {"type": "RandomFlip", "prob": float(view.flip)}
        return [resize, flip, pad, {"type": "PackInputs", "meta_keys": _META_KEYS}]

    def predict(
        self,
        batches: Sequence[ModelBatches],
        options: PredictOptions,
        others: Sequence[Probabilities] = (),
    ) -> Probabilities:
        """Return the mean probabilities of a batch over models, views and others.

        An image without a prediction, because its probabilities are no numbers, has zeros.
        """
        values, image_ids = [], others[0].image_ids if others else np.empty(0, np.int64)
        for model, views in batches:
            for batch in views:
                samples = predict_full_batch(model, batch, options.section.batch_size)
                values.append(torch.stack([sample.pred_score for sample in samples]))
                image_ids = np.array([sample.img_id for sample in samples], np.int64)
        device = values[0].device if values else "cpu"
        values += [torch.from_numpy(rows.values).to(device) for rows in others]
        mean = torch.stack(values).mean(dim=0).cpu().numpy().astype(np.float32)
        unusable = ~np.isfinite(mean).all(axis=1)
        options.left_out.add(unusable)
        mean[unusable] = 0
        return Probabilities(image_ids, mean)

    def agreement(
        self,
        one: Probabilities,
        other: Probabilities,
        image_ids: NDArray[np.int64],  # noqa: ARG002 - every image has probabilities
    ) -> NDArray[np.float32]:
        """Return the similarity of each image's two predicted distributions, 0 to 1."""
        return classes_agreement(one, other)


PREDICTOR = ClassPredictor()
