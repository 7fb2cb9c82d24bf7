"""Semantic segmentation by mmsegmentation, over several scales and mirrored views on request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config, ConfigDict
from numpy.typing import NDArray

from pseudolabel.drawing import with_label_map
from pseudolabel.engines.adapter import Look, Pipeline, Request, RowsWriter, View, pixels_of
from pseudolabel.engines.augmentations import transforms_of
from pseudolabel.engines.model_config import LOAD, cropped, fitted, scaled, stripped, walk
from pseudolabel.engines.quiet import quiet_imports
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.label_maps import UNLABELLED, map_path
from pseudolabel.formats.prediction_maps import write_prediction_maps
from pseudolabel.params.sections import Params
from pseudolabel.records import Category, LabelMaps
from pseudolabel.stability import maps_agreement

with quiet_imports():
    from mmseg.datasets import BaseSegDataset
    from mmseg.registry import DATASETS, TRANSFORMS

META_KEYS = (
    "img_id",
    "img_path",
    "ori_shape",
    "img_shape",
    "img_padding_size",
    "flip",
    "flip_direction",
)
DIVISOR = 32
"""The largest stride of usual backbones: the sides of every view are multiples of it."""


@DATASETS.register_module()
class LabelMapDataset(BaseSegDataset):  # type: ignore[misc]
    """Images of a split's COCO file with the label maps beside it."""

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return where each image and its label map lie."""
        folder, root = Path(self.ann_file), Path(self.data_prefix["img_path"])
        dataset = read_coco(folder / FILE)
        images, rows = dataset.images, dataset.annotations
        begins, ends = (np.searchsorted(rows.image_ids, images.ids, it) for it in ("left", "right"))
        return [
            {
                "img_path": str(root / name),
                "seg_map_path": str(map_path(folder, image_id)),
                "label_map": None,
                "reduce_zero_label": False,
                "seg_fields": [],
                "classes": rows.category_ids[begin:end].tolist(),
            }
            for image_id, name, begin, end in zip(
                images.ids.tolist(), images.file_names, begins, ends, strict=True
            )
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the classes that an image shows."""
        classes: list[int] = self.get_data_info(idx)["classes"]
        return classes


@TRANSFORMS.register_module()
class RememberPadding(BaseTransform):  # type: ignore[misc]
    """Writes down how far the image reaches before it is padded, for predictions to be cut back."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add left, right, top and bottom padding to what is known of the image."""
        height, width = results["img"].shape[:2]
        results["img_padding_size"] = (0, self.size[0] - width, 0, self.size[1] - height)
        return results


class MapsWriter(RowsWriter):
    """Writes label and confidence maps as they come, and their index with the shard."""

    def __init__(self, folder: Path, request: Request) -> None:
        super().__init__()
        self.folder, self.request = folder, request

    def add(self, found: LabelMaps) -> None:  # type: ignore[override]
        """Write the maps of one batch."""
        ids, number = self.request.category_ids, self.request.round_number
        super().add(write_prediction_maps(self.folder, found, ids, number))


class SemanticAdapter:
    """Label maps with the probability of each pixel's class."""

    scope = "mmseg"

    def adapt_model(
        self,
        config: Config,
        categories: Sequence[Category],
        params: Params,  # noqa: ARG002 - nothing of it is about these models
    ) -> ConfigDict:
        """Return a config's model for these classes, which looks at each image as a whole."""
        model = stripped(config, len(categories))
        for part in heads_of(model):
            # One output a class, also where there are two: a confidence is a softmax.
            part.pop("out_channels", None)
        for part in walk(model):
            if part.get("type") == "CrossEntropyLoss":
                # Silver has unlabelled pixels: they are not to thin out the loss of the others.
                part["avg_non_ignore"] = True
        model.data_preprocessor.size, model.data_preprocessor.size_divisor = None, DIVISOR
        model.data_preprocessor.pop("test_cfg", None)
        model.test_cfg = {"mode": "whole"}
        return model

    def train_pipeline(self, params: Params) -> Pipeline:
        """Return the training transforms: load, augment as params.yaml says, fit and pad."""
        return [
            LOAD,
            {"type": "LoadAnnotations"},
            *transforms_of(params, mask_fill=UNLABELLED),
            *fitted(params.model.image_size),
            *cropped(params.train.crop),
            {"type": "PackSegInputs", "meta_keys": META_KEYS[1:4]},
        ]

    def picture(self, item: dict[str, Any]) -> NDArray[np.uint8]:
        """Return the (h, w, 3) picture of a training image with its label map over it."""
        labels = item["data_samples"].gt_sem_seg.data[0].numpy().astype(np.uint8)
        return with_label_map(pixels_of(item), labels)

    def source(
        self, folder: Path, images: Path, categories: Sequence[Category], pipeline: Pipeline
    ) -> dict[str, Any]:
        """Return the config of a training data set, from a split's folder."""
        return {
            "type": LabelMapDataset.__name__,
            "ann_file": str(folder.resolve()),
            "data_prefix": {"img_path": str(images.resolve())},
            "metainfo": {"classes": tuple(category.name for category in categories)},
            "pipeline": pipeline,
        }

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return the model as it was trained."""
        return model

    def view_pipeline(self, image_size: tuple[int, int], view: View) -> Pipeline:
        """Return the transforms of one view, whose sides are multiples of 32 pixels."""
        width, height = scaled(image_size, view.scale, DIVISOR)
        resize, pad = fitted((width, height))
        return [
            resize,
            {"type": RememberPadding.__name__, "size": (width, height)},
            {"type": "RandomFlip", "prob": float(view.flip)},
            pad,
            {"type": "PackSegInputs", "meta_keys": META_KEYS},
        ]

    def predict(
        self,
        looks: Sequence[Look],
        request: Request,  # noqa: ARG002 - all classes are told
    ) -> LabelMaps:
        """Return the label maps of a batch: the mean probability over models and views decides."""
        image_ids: list[int] = []
        sums: list[torch.Tensor] = []
        single = [(model, batch) for model, views in looks for batch in views]
        for number, (model, batch) in enumerate(single):
            for row, sample in enumerate(model.test_step(batch)):
                probabilities = sample.seg_logits.data.softmax(dim=0)
                if number:
                    sums[row] += probabilities
                else:
                    sums.append(probabilities)
                    image_ids.append(sample.img_id)
        best = [(total / len(single)).max(dim=0) for total in sums]
        return LabelMaps(
            np.array(image_ids, np.int64),
            [it.indices.to(torch.uint8).cpu().numpy() for it in best],
            [(it.values * 255).round().to(torch.uint8).cpu().numpy() for it in best],
        )

    def agreement(
        self,
        found: LabelMaps,
        other: LabelMaps,
        image_ids: NDArray[np.int64],  # noqa: ARG002 - every image has a map
    ) -> NDArray[np.float32]:
        """Return the mean IoU of each image's maps."""
        return maps_agreement(found, other)

    def shard_writer(self, folder: Path, request: Request) -> MapsWriter:
        """Return what writes the predictions for the pool."""
        return MapsWriter(folder, request)


def heads_of(model: ConfigDict) -> list[dict[str, Any]]:
    """Return the configs of a model's heads, auxiliary ones included."""
    found: list[dict[str, Any]] = []
    for name in ("decode_head", "auxiliary_head"):
        head = model.get(name)
        if head is not None:
            found += head if isinstance(head, list | tuple) else [head]
    return found


ADAPTER = SemanticAdapter()
