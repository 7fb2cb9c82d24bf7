"""Albumentations' transforms on images, boxes, masks and label maps, as one mm* transform."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import albumentations
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from numpy.typing import NDArray

PREFIX = "albumentations."
"""In params.yaml, before the name of a transform."""
ROWS = "rows"
KINDS = (albumentations.BasicTransform, albumentations.BaseCompose)


def built(config: Mapping[str, Any], mask_fill: int) -> Any:
    """Return one of albumentations' transforms by its name, those inside it as well.

    Args:
        config: `type`, with or without the prefix, and arguments.
        mask_fill: what a mask gets where a transform moves in what was outside the image.

    Raises:
        ValueError: there is no such transform, or it has no such argument.
    """
    arguments = dict(config)
    name = str(arguments.pop("type")).removeprefix(PREFIX)
    kind = getattr(albumentations, name, None)
    if not (inspect.isclass(kind) and issubclass(kind, KINDS)):
        raise ValueError(f"expected the name of a transform of albumentations, found {name!r}")
    if "transforms" in arguments:
        arguments["transforms"] = [built(it, mask_fill) for it in arguments["transforms"]]
    if "fill_mask" in inspect.signature(kind).parameters:
        arguments.setdefault("fill_mask", mask_fill)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        transform = kind(**arguments)
    for warning in said:
        # What it takes for a spelling mistake is one for us, too.
        if "not valid for transform" in str(warning.message):
            raise ValueError(str(warning.message))
    return transform


@TRANSFORMS.register_module()
class Albumented(BaseTransform):  # type: ignore[misc]
    """Runs albumentations' transforms one after the other; boxes of masks follow their masks.

    Objects that leave the image are dropped.

    Args:
        transforms: what to run, by name.
        boxes: whether images have boxes.
        mask_fill: what a mask gets where something outside the image moves in.
    """

    def __init__(
        self, transforms: Sequence[Mapping[str, Any]], boxes: bool, mask_fill: int
    ) -> None:
        follow = albumentations.BboxParams(
            "pascal_voc", label_fields=[ROWS], clip=True, filter_invalid_bboxes=True
        )
        run = [built(it, mask_fill) for it in transforms]
        self.run = albumentations.Compose(run, bbox_params=follow if boxes else None)
        self.boxes = boxes

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the image and its labels, transformed."""
        # It has random numbers of its own, which are to follow from the training's seed.
        self.run.set_random_seed(int(np.random.randint(2**31)))  # noqa: NPY002
        # Some transforms leave floats up to 255 behind, which it would take for floats up to 1.
        image = results["img"].clip(0, 255).astype(np.uint8)
        # Colours are in OpenCV's order here, which it takes for red, green and blue.
        given: dict[str, Any] = {"image": np.ascontiguousarray(image[..., ::-1])}
        if "gt_seg_map" in results:
            given["mask"] = results["gt_seg_map"]
        if self.boxes:
            given["bboxes"] = results["gt_bboxes"].tensor.numpy().astype(np.float64)
            given[ROWS] = np.arange(len(given["bboxes"]))
        masks = results.get("gt_masks")
        if masks is not None and len(masks):
            given["masks"] = masks.masks
        found = self.run(**given)
        pixels = np.ascontiguousarray(found["image"][..., ::-1])
        results |= {"img": pixels, "img_shape": pixels.shape[:2]}
        if "mask" in found:
            results["gt_seg_map"] = found["mask"]
        if self.boxes:
            keep_objects(results, found)
        return results


def keep_objects(results: dict[str, Any], found: Mapping[str, Any]) -> None:
    """Put the objects that are left in an image into the results, whose image it is."""
    size = results["img_shape"]
    rows: NDArray[np.int64] = np.asarray(found[ROWS], np.int64)
    boxes = np.asarray(found["bboxes"], np.float32).reshape(-1, 4)
    if "gt_masks" in results:
        shapes = np.asarray(found.get("masks", np.zeros((0, *size))), np.uint8)
        shapes = shapes[rows]
        there = shapes.any(axis=(1, 2))
        rows, shapes = rows[there], shapes[there]
        results["gt_masks"] = type(results["gt_masks"])(shapes, *size)
        results["gt_bboxes"] = results["gt_masks"].get_bboxes(type(results["gt_bboxes"]))
    else:
        results["gt_bboxes"] = type(results["gt_bboxes"])(boxes)
    for name in ("gt_bboxes_labels", "gt_ignore_flags"):
        results[name] = results[name][rows]
