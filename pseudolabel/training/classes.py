"""Training data of image classification, for mmpretrain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from pseudolabel.core.columns import positions
from pseudolabel.core.records import Category
from pseudolabel.formats.silver_folder import SOFT_LABELS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.models.transforms import LOAD, Pipeline, fit_to_size, random_crop
from pseudolabel.params.common import Params
from pseudolabel.training.augmentations import Augmentations, build_augmentations

with quiet_imports():
    from mmpretrain.datasets import BaseDataset
    from mmpretrain.registry import DATASETS, TRANSFORMS

_META_KEYS = ("img_path", "ori_shape", "img_shape")


@DATASETS.register_module()
class ClassDataset(BaseDataset):  # type: ignore[misc]
    """The images of a split's COCO file, each with the index of its class."""

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one entry per image: its file, its class and its row in the soft labels."""
        coco_file = Path(self.ann_file)
        dataset = SplitFolder(coco_file.parent).read()
        soft_labels = coco_file.with_name(SOFT_LABELS)
        soft = {"soft_labels": str(soft_labels)} if soft_labels.is_file() else {}
        rows = positions(dataset.images.ids, dataset.annotations.image_ids)
        classes = dataset.class_indices[rows].tolist()
        return [
            {
                "img_path": str(Path(self.data_prefix["img_path"]) / name),
                "content_hash": digest,
                "gt_label": label,
                "classes": len(dataset.categories),
                "row": row,
                **soft,
            }
            for row, (name, digest, label) in enumerate(
                zip(dataset.images.file_names, dataset.images.hashes, classes, strict=True)
            )
        ]


@TRANSFORMS.register_module()
class SoftLabels(BaseTransform):  # type: ignore[misc]
    """Adds the probability of each class to an image: the teacher's for silver, 1 for gold's class.

    The file of silver is memory-mapped: the memory does not grow with the pool.

    Args:
        smoothing: the share of gold's label that is spread over all classes. The teacher's
            probabilities are not smoothed.
    """

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing
        self.files: dict[str, NDArray[np.float32]] = {}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the image with `gt_score`: (c,) float32, the probabilities."""
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


class ClassData:
    """Training data for image classification."""

    def load(self, params: Params, augmentations: Augmentations) -> Pipeline:
        """Return the first training transforms: load, augment, fit to the image size."""
        section: Any = params.train
        image_size = params.model.size
        soft = {"type": SoftLabels.__name__, "smoothing": section.label_smoothing}
        return [
            LOAD,
            *([soft] if section.soft_labels else []),
            *build_augmentations(augmentations, image_size),
            *fit_to_size(image_size),
        ]

    def pack(self, params: Params) -> Pipeline:
        """Return the last training transforms: crop, pack."""
        return [*random_crop(params.train.crop), {"type": "PackInputs", "meta_keys": _META_KEYS}]

    def dataset(
        self, folder: Path, images: Path, categories: Sequence[Category], pipeline: Pipeline
    ) -> dict[str, Any]:
        """Return the config of a training data set."""
        return {
            "type": ClassDataset.__name__,
            "ann_file": str(SplitFolder(folder).coco_file.absolute()),
            "data_prefix": {"img_path": str(images.absolute())},
            "metainfo": {"classes": tuple(category.name for category in categories)},
            "pipeline": pipeline,
        }


TASK_DATA = {"classification": ClassData()}
