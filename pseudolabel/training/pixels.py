"""Training data of semantic segmentation, for mmsegmentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import DataError, MachineError
from pseudolabel.core.records import Category
from pseudolabel.formats.label_maps import UNLABELLED
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.models.transforms import LOAD, Pipeline, fit_to_size, random_crop
from pseudolabel.params.common import Params
from pseudolabel.training.augmentations import Augmentations, build_augmentations

with quiet_imports():
    from mmcv.transforms import BaseTransform
    from mmseg.datasets import BaseSegDataset
    from mmseg.registry import DATASETS, TRANSFORMS

_META_KEYS = ("img_path", "ori_shape", "img_shape")


@DATASETS.register_module()
class LabelMapDataset(BaseSegDataset):  # type: ignore[misc]
    """The images of a split's COCO file, each with its label map."""

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one entry per image: its file, its split, its id and the classes in it."""
        folder, root = Path(self.ann_file), Path(self.data_prefix["img_path"])
        dataset = SplitFolder(folder).read()
        images = dataset.images
        return [
            {
                "img_path": str(root / name),
                "content_hash": digest,
                "split": str(folder),
                "image_id": image_id,
                "seg_fields": [],
                "classes": rows.category_ids.tolist(),
            }
            for image_id, name, digest, rows in zip(
                images.ids.tolist(),
                images.file_names,
                images.hashes,
                dataset.annotations.by_image(images.ids),
                strict=True,
            )
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the ids of the classes in an image."""
        classes: list[int] = self.get_data_info(idx)["classes"]
        return classes


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):  # type: ignore[misc]
    """Reads the label map of an image. Each loader worker opens the split's shards for itself."""

    def __init__(self) -> None:
        self.splits: dict[str, SplitFolder] = {}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the image with `gt_seg_map`: (h, w) uint8.

        Raises:
            MachineError: the label map is gone or damaged.
        """
        split = self.splits.setdefault(results["split"], SplitFolder(Path(results["split"])))
        try:
            results["gt_seg_map"] = split.label_map(results["image_id"])
        except DataError as error:
            # A loader worker passes on an error only if its text alone makes a new one.
            raise MachineError(str(error)) from error
        results["seg_fields"].append("gt_seg_map")
        return results


class PixelData:
    """Training data for label maps."""

    def load(self, params: Params, augmentations: Augmentations) -> Pipeline:
        """Return the first training transforms: load, augment, fit to the image size."""
        image_size = params.model.size
        return [
            LOAD,
            {"type": LoadLabelMap.__name__},
            *build_augmentations(augmentations, image_size, mask_fill=UNLABELLED),
            *fit_to_size(image_size),
        ]

    def pack(self, params: Params) -> Pipeline:
        """Return the last training transforms: crop, pack."""
        packed = {"type": "PackSegInputs", "meta_keys": _META_KEYS}
        return [*random_crop(params.train.crop), packed]

    def dataset(
        self, folder: Path, images: Path, categories: Sequence[Category], pipeline: Pipeline
    ) -> dict[str, Any]:
        """Return the config of a training data set."""
        return {
            "type": LabelMapDataset.__name__,
            "ann_file": str(folder.resolve()),
            "data_prefix": {"img_path": str(images.absolute())},
            "metainfo": {"classes": tuple(category.name for category in categories)},
            "pipeline": pipeline,
        }


TASK_DATA = {"semantic": PixelData()}
