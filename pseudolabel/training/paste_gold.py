"""Pasting labelled objects of gold into silver images (copy-paste, Ghiasi et al. 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import DATASETS, TRANSFORMS

from pseudolabel.models.quiet_imports import quiet_imports

with quiet_imports():
    from mmdet.datasets.transforms import CopyPaste


@TRANSFORMS.register_module()
class PasteGold(BaseTransform):  # type: ignore[misc]
    """Pastes a random number of objects of a random gold image to where they are in that image.

    Silver objects below them lose their covered part; those that are nearly covered are dropped.
    Without masks, whole boxes are pasted. Boxes become whole pixels, as in mmdet's CopyPaste.

    Args:
        p: the share of images that are changed.
        gold: the config of the data set of gold; `train` fills it in. Its images have the size of
            the changed ones.
        max_num_pasted: one more than the largest number of pasted objects.
        bbox_occluded_thr: an object is kept if no side of its box moves by more pixels, or if more
            pixels of its mask than `mask_occluded_thr` stay visible.
        mask_occluded_thr: see `bbox_occluded_thr`.
    """

    def __init__(
        self,
        p: float = 0.5,
        gold: dict[str, Any] | None = None,
        max_num_pasted: int = 100,
        bbox_occluded_thr: int = 10,
        mask_occluded_thr: int = 300,
    ) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"expected p from 0 to 1, found {p}")
        self.p = p
        self.gold: Any = None if gold is None else DATASETS.build(gold)
        limits = {
            "max_num_pasted": max_num_pasted,
            "bbox_occluded_thr": bbox_occluded_thr,
            "mask_occluded_thr": mask_occluded_thr,
        }
        self.with_masks = CopyPaste(**limits)
        self.with_boxes = CopyPaste(**limits, paste_by_box=True)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the image, its boxes and its masks with the pasted objects."""
        if np.random.random() >= self.p:  # noqa: NPY002 - seeded by SeededDataset
            return results
        source = self.gold[np.random.randint(len(self.gold))]  # noqa: NPY002
        paste = self.with_masks if "gt_masks" in results else self.with_boxes
        pasted: dict[str, Any] = paste.transform(results | {"mix_results": [source]})
        del pasted["mix_results"]
        # The arithmetic of CopyPaste makes 64-bit integers.
        return pasted | {"img": pasted["img"].astype(np.uint8)}
