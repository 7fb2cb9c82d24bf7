"""Training data of object detection and instance segmentation, for mmdet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pseudolabel.training.paste_gold  # noqa: F401 - registers PasteGold
from pseudolabel.core.records import Category
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.models.transforms import LOAD, Pipeline, fit_to_size
from pseudolabel.params.common import Params
from pseudolabel.training.augmentations import Augmentations, build_augmentations
from pseudolabel.training.hide_uncertain import HideByScore, HideUncertain
from pseudolabel.training.object_table import read_objects

with quiet_imports():
    from mmdet.datasets import CocoDataset
    from mmdet.registry import DATASETS

_META_KEYS = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")


@DATASETS.register_module()
class ObjectDataset(CocoDataset):  # type: ignore[misc]
    """The images of a split's COCO file, each with its objects and the hash of its content.

    Its entries are those of CocoDataset without a filter, but made from columns when needed.
    """

    _fully_initialized: bool = False

    def full_init(self) -> None:
        """Read the file, unless it was read before."""
        if not self._fully_initialized:
            self.table = read_objects(Path(self.ann_file), self.metainfo["classes"])
            self._fully_initialized = True

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.table.images)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the entry of an image: its path, size and objects, as mmdet's transforms take it.

        Args:
            idx: the row of the image; negative ones count from the end.
        """
        row = range(len(self))[idx]
        image = self.table.image(row)
        return {
            "img_path": f"{self.data_prefix['img']}/{image['file_name']}",
            "img_id": image["id"],
            "seg_map_path": None,
            "height": image["height"],
            "width": image["width"],
            "instances": self.table.instances_of(row),
            "scores": self.table.scores_of(row),
            "content_hash": image["hash"] or "",
            "sample_idx": row,
        }

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class of each object of an image, for ClassBalancedDataset."""
        return self.table.labels_of(idx)


@dataclass(frozen=True)
class ObjectData:
    """Training data for boxes, and for masks if objects have them.

    Attributes:
        has_masks: whether objects have masks.
    """

    has_masks: bool

    def load(self, params: Params, augmentations: Augmentations) -> Pipeline:
        """Return the first training transforms: load, hide, augment, fit to the image size."""
        section: Any = params.train
        image_size = params.model.size
        by_score = section.silver_weights == "score"
        return [
            LOAD,
            *([{"type": HideByScore.__name__}] if by_score else []),
            {"type": "LoadAnnotations", "with_bbox": True, "with_mask": self.has_masks},
            {"type": HideUncertain.__name__},
            *build_augmentations(augmentations, image_size, boxes=True),
            *fit_to_size(image_size),
        ]

    def pack(self, params: Params) -> Pipeline:
        """Return the last training transforms: crop, drop what has left the image, pack."""
        return [
            *self._random_crop(params.train.crop),
            self._drop_empty_objects(),
            {"type": "PackDetInputs", "meta_keys": _META_KEYS},
        ]

    def dataset(
        self, folder: Path, images: Path, categories: Sequence[Category], pipeline: Pipeline
    ) -> dict[str, Any]:
        """Return the config of a training data set, including images without objects."""
        return {
            "type": ObjectDataset.__name__,
            "ann_file": str(SplitFolder(folder).coco_file.absolute()),
            "data_prefix": {"img": str(images.absolute())},
            "metainfo": {"classes": tuple(category.name for category in categories)},
            "filter_cfg": None,
            "pipeline": pipeline,
        }

    def _random_crop(self, size: tuple[int, int] | None) -> Pipeline:
        if size is None:
            return []
        crop = {"type": "RandomCrop", "crop_size": size, "allow_negative_crop": True}
        # The box of a cropped mask is computed again.
        return [crop | {"recompute_bbox": self.has_masks}]

    def _drop_empty_objects(self) -> dict[str, Any]:
        smallest = {"type": "FilterAnnotations", "min_gt_bbox_wh": (1, 1)}
        return smallest | {"by_mask": self.has_masks, "keep_empty": False}


TASK_DATA = {"detection": ObjectData(has_masks=False), "instance": ObjectData(has_masks=True)}
