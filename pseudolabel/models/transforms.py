"""Transforms that training and prediction share: load, fit to the image size, pad, crop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from pseudolabel.core.bucket import shown_path
from pseudolabel.core.errors import MachineError
from pseudolabel.core.machine_faults import describe_machine_fault
from pseudolabel.formats.image_decoder import decode_image
from pseudolabel.formats.image_files import read_unchanged
from pseudolabel.formats.image_header import UnreadableImageError

_PADDING = 114.0

Pipeline = list[dict[str, Any]]
"""Transforms by name, as mmengine's configs list them."""


@TRANSFORMS.register_module()
class DecodeImage(BaseTransform):  # type: ignore[misc]
    """Loads an image file by the decoder of the project, in place of mmcv's LoadImageFromFile.

    The content hash of the file, if known, is in `content_hash`.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the image with its pixels and its size.

        Raises:
            ChangedImageError: the file has another content hash.
            UnreadableImageError: the file is gone, or cannot be decoded; the message names it.
            MachineError: the machine has failed, such as its disk.
            BucketError: the file is in a bucket, which cannot be read.
        """
        path = Path(results["img_path"])
        try:
            content = read_unchanged(path, results.get("content_hash", ""))
        except OSError as error:
            # Of other errors, torch's loader hands on nothing but a traceback.
            if (fault := describe_machine_fault(error)) is not None:
                raise MachineError(fault) from error
            raise UnreadableImageError(
                f"{shown_path(path)}: expected the image that `prepare` read, "
                f"found {error.strerror}: "
                "restore the file, or run `dvc repro` to prepare again"
            ) from error
        try:
            pixels = decode_image(content)
        except UnreadableImageError as error:
            expected = "expected an image that can be decoded"
            raise UnreadableImageError(f"{shown_path(path)}: {expected}, found {error}") from error
        size = pixels.shape[:2]
        return results | {"img": pixels, "img_shape": size, "ori_shape": size}


LOAD = {"type": DecodeImage.__name__}


def fit_to_size(size: tuple[int, int]) -> Pipeline:
    """Return the transforms that resize and pad an image to a width and height.

    The image keeps its aspect ratio.
    """
    values = {"img": (_PADDING, _PADDING, _PADDING), "masks": 0, "seg": 255}
    return [
        {"type": "Resize", "scale": size, "keep_ratio": True},
        {"type": "Pad", "size": size, "pad_val": values},
    ]


def scale_size(size: tuple[int, int], factor: float, multiple: int = 1) -> tuple[int, int]:
    """Return width and height times a factor, each rounded to a multiple of some pixels."""
    width, height = (max(1, round(side * factor / multiple)) * multiple for side in size)
    return width, height


def random_crop(size: tuple[int, int] | None) -> Pipeline:
    """Return the transforms that crop an image and its label map to a width and height."""
    return [] if size is None else [{"type": "RandomCrop", "crop_size": (size[1], size[0])}]


def lists_to_tuples(value: Any) -> Any:
    """Return a YAML value with pairs of whole numbers as tuples: transforms expect these."""
    if isinstance(value, dict):
        return {key: lists_to_tuples(inner) for key, inner in value.items()}
    if isinstance(value, list) and len(value) == 2 and all(isinstance(n, int) for n in value):
        return tuple(value)
    return [lists_to_tuples(inner) for inner in value] if isinstance(value, list) else value
