"""Label maps, as mmsegmentation's models predict them, over several scales and mirrored views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import ConfigDict
from numpy.typing import NDArray

from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.models.configs import SIZE_DIVISOR
from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.models.transforms import Pipeline, fit_to_size, scale_size
from pseudolabel.predictions.full_batches import predict_full_batch
from pseudolabel.predictions.stability import maps_agreement
from pseudolabel.predictions.task_predictor import ModelBatches, PredictOptions, View

with quiet_imports():
    import mmseg.datasets  # noqa: F401
    from mmseg.registry import TRANSFORMS

_META_KEYS = (
    "img_id",
    "img_path",
    "ori_shape",
    "img_shape",
    "img_padding_size",
    "flip",
    "flip_direction",
)


@TRANSFORMS.register_module()
class RecordPadding(BaseTransform):  # type: ignore[misc]
    """Records the padding that an image will get, so that predictions can be cropped.

    Args:
        size: width and height after padding.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the image with its padding in pixels: left, right, top and bottom."""
        height, width = results["img"].shape[:2]
        results["img_padding_size"] = (0, self.size[0] - width, 0, self.size[1] - height)
        return results


class PixelPredictor:
    """Predicts label maps with the probability of each pixel's class."""

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return the model as it was trained."""
        return model

    def view_pipeline(self, image_size: tuple[int, int], view: View) -> Pipeline:
        """Return the transforms of one view, whose sides are multiples of 32 pixels."""
        size = scale_size(image_size, view.scale, SIZE_DIVISOR)
        resize, pad = fit_to_size(size)
        return [
            resize,
            {"type": RecordPadding.__name__, "size": size},
            {"type": "RandomFlip", "prob": float(view.flip)},
            pad,
            {"type": "PackSegInputs", "meta_keys": _META_KEYS},
        ]

    def predict(
        self,
        batches: Sequence[ModelBatches],
        options: PredictOptions,
        others: Sequence[LabelMaps] = (),
    ) -> LabelMaps:
        """Return the label maps of a batch, by the mean probability over models, views and others.

        A pixel without a prediction, because its probabilities are no numbers, has confidence 0.
        """
        if not batches and len(others) == 1:
            # Spread over all classes, a label of low confidence would no longer be the best.
            return others[0]
        image_ids: list[int] = []
        sums: list[torch.Tensor] = []
        single = [(model, batch) for model, views in batches for batch in views]
        for number, (model, batch) in enumerate(single):
            samples = predict_full_batch(model, batch, options.section.batch_size)
            for row, sample in enumerate(samples):
                probabilities = sample.seg_logits.data.softmax(dim=0)
                if number:
                    sums[row] += probabilities
                else:
                    sums.append(probabilities)
                    image_ids.append(sample.img_id)
        for maps in others:
            spread = _spread(maps, len(options.category_ids))
            if not sums:
                sums, image_ids = spread, maps.image_ids.tolist()
            else:
                sums = [total + part.to(total) for total, part in zip(sums, spread, strict=True)]
        means = [total / (len(single) + len(others)) for total in sums]
        options.left_out.add(np.array([not bool(torch.isfinite(mean).all()) for mean in means]))
        best = [mean.nan_to_num().max(dim=0) for mean in means]
        return LabelMaps(
            np.array(image_ids, np.int64),
            [maximum.indices.to(torch.uint8).cpu().numpy() for maximum in best],
            [(maximum.values * 255).round().to(torch.uint8).cpu().numpy() for maximum in best],
        )

    def agreement(
        self,
        one: LabelMaps,
        other: LabelMaps,
        image_ids: NDArray[np.int64],  # noqa: ARG002 - every image has a map
    ) -> NDArray[np.float32]:
        """Return the mean IoU of each image's two maps."""
        return maps_agreement(one, other)


def _spread(maps: LabelMaps, classes: int) -> list[torch.Tensor]:
    """Return the (c, h, w) probabilities of each map of which only the best class is known.

    The other classes share the rest evenly.
    """
    spread = []
    for labels, confidences in zip(maps.labels, maps.confidences, strict=True):
        best = torch.from_numpy(confidences.astype(np.float32) / 255)
        rest = (1 - best) / max(1, classes - 1)
        probabilities = rest.repeat(classes, 1, 1)
        spread.append(probabilities.scatter_(0, torch.from_numpy(labels).long()[None], best[None]))
    return spread


PREDICTOR = PixelPredictor()
