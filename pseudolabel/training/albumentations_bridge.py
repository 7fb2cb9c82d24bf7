"""Albumentations' transforms on images, boxes, masks and label maps, as one mm* transform."""

from __future__ import annotations

import inspect
import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import albumentations
import numpy as np
from albumentations.augmentations.dropout.transforms import BaseDropout
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from numpy.typing import NDArray

from pseudolabel.training.augmentations import ALBUMENTATIONS

_ROW_FIELD = "rows"
"""The label of a box: its row among the objects of the image."""
_TRANSFORM_TYPES = (albumentations.BasicTransform, albumentations.BaseCompose)


@TRANSFORMS.register_module()
class AlbumentationsTransform(BaseTransform):  # type: ignore[misc]
    """Runs transforms of albumentations one after another.

    Objects that leave the image are dropped. If objects have masks, a box is computed again from
    the transformed mask. Objects below the holes of a cutout (CoarseDropout and its like) keep
    their box and mask; the pixels of a label map get `mask_fill` there.

    Args:
        transforms: the transforms to run, by name.
        boxes: whether images have boxes.
        mask_fill: the value of mask pixels that come from outside the image or are in a hole.

    Raises:
        ValueError: there is no such transform, or it has no such argument.
    """

    def __init__(
        self, transforms: Sequence[Mapping[str, Any]], boxes: bool, mask_fill: int
    ) -> None:
        box_params = albumentations.BboxParams(
            "pascal_voc", label_fields=[_ROW_FIELD], clip=True, filter_invalid_bboxes=True
        )
        built = [_build_transform(transform, boxes, mask_fill) for transform in transforms]
        self.run = albumentations.Compose(built, bbox_params=box_params if boxes else None)
        self.boxes = boxes

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the image and its labels, transformed."""
        # Albumentations has its own random numbers: the training's seed must determine them.
        seed = int(np.random.randint(2**31))  # noqa: NPY002 - mm* seeds this one
        # Not set_random_seed: every transform would draw the same numbers as the others.
        own = random.Random(seed)  # noqa: S311 - images, not secrets
        self.run.set_random_state(np.random.default_rng(seed), own)
        # Some transforms return floats up to 255; albumentations expects floats up to 1.
        image = results["img"].clip(0, 255).astype(np.uint8)
        # Colours are in OpenCV's order here; albumentations expects red, green and blue.
        inputs: dict[str, Any] = {"image": np.ascontiguousarray(image[..., ::-1])}
        if "gt_seg_map" in results:
            inputs["mask"] = results["gt_seg_map"]
        if self.boxes:
            inputs["bboxes"] = results["gt_bboxes"].tensor.numpy().astype(np.float64)
            inputs[_ROW_FIELD] = np.arange(len(inputs["bboxes"]))
        masks = results.get("gt_masks")
        if masks is not None and len(masks):
            inputs["masks"] = masks.masks
        outputs = self.run(**inputs)
        pixels = np.ascontiguousarray(outputs["image"][..., ::-1])
        results |= {"img": pixels, "img_shape": pixels.shape[:2]}
        if "mask" in outputs:
            results["gt_seg_map"] = outputs["mask"]
        if self.boxes:
            _update_objects(results, outputs)
        return results


def _build_transform(config: Mapping[str, Any], boxes: bool, mask_fill: int) -> Any:
    """Return a transform by its name, with the transforms inside it."""
    arguments = dict(config)
    name = str(arguments.pop("type")).removeprefix(ALBUMENTATIONS)
    transform_class = getattr(albumentations, name, None)
    if not (inspect.isclass(transform_class) and issubclass(transform_class, _TRANSFORM_TYPES)):
        raise ValueError(f"expected the name of a transform of albumentations, found {name!r}")
    if "transforms" in arguments:
        arguments["transforms"] = [
            _build_transform(inner, boxes, mask_fill) for inner in arguments["transforms"]
        ]
    keeps_objects = boxes and issubclass(transform_class, BaseDropout)
    if "fill_mask" in inspect.signature(transform_class).parameters and not keeps_objects:
        arguments.setdefault("fill_mask", mask_fill)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        transform: Any = transform_class(**arguments)
    for warning in caught:
        # Albumentations only warns about an unknown argument: here it is a fault.
        if "not valid for transform" in str(warning.message):
            raise ValueError(str(warning.message))
    if keeps_objects:
        # Albumentations would drop or shrink boxes below a hole, which masks keep.
        transform.apply_to_bboxes = _keep_boxes
        transform.add_targets({"bboxes": "bboxes"})
    return transform


def _keep_boxes(bboxes: NDArray[np.float32], **_: Any) -> NDArray[np.float32]:
    return bboxes


def _update_objects(results: dict[str, Any], outputs: Mapping[str, Any]) -> None:
    """Replace the objects in an image's results by the transformed ones."""
    size = results["img_shape"]
    rows: NDArray[np.int64] = np.asarray(outputs[_ROW_FIELD], np.int64)
    if "gt_masks" in results:
        masks = np.asarray(outputs.get("masks", np.zeros((0, *size))), np.uint8)[rows]
        visible = masks.any(axis=(1, 2))
        rows, masks = rows[visible], masks[visible]
        results["gt_masks"] = type(results["gt_masks"])(masks, *size)
        results["gt_bboxes"] = results["gt_masks"].get_bboxes(type(results["gt_bboxes"]))
    else:
        boxes = np.asarray(outputs["bboxes"], np.float32).reshape(-1, 4)
        results["gt_bboxes"] = type(results["gt_bboxes"])(boxes)
    for name in ("gt_bboxes_labels", "gt_ignore_flags"):
        results[name] = results[name][rows]
