"""A model as ONNX: pixels in, probabilities out, compared with the model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import written_aside
from pseudolabel.formats.model_folder import WEIGHTS
from pseudolabel.models.trained import build_trained, read_trained_config

ONNX = "model.onnx"
_OPSET = 17
_LARGEST_DIFFERENCE = 1e-3
"""Largest allowed difference between the probabilities of ONNX and torch."""
_SUPPORTED_TASKS = ("classification", "semantic")


def write_onnx(folder: Path, path: Path) -> None:
    """Write the model of a folder as ONNX, for images fitted and padded to its image size.

    The number of images is free. On random pixels, the result of onnxruntime is compared with the
    result of torch.

    Args:
        folder: the model folder.
        path: the file to write.

    Raises:
        ModelError: the task or the model cannot be exported, or the two results differ.
    """
    config = read_trained_config(folder)
    if config.task not in _SUPPORTED_TASKS:
        raise ModelError(
            f"export.onnx: expected a task of {' or '.join(_SUPPORTED_TASKS)}, "
            f"found {config.task}: ONNX cannot express the postprocessing of mmdet's heads"
        )
    model = build_trained(config.model, folder / WEIGHTS, config.task).eval()
    exported = _PixelsToProbabilities(model, config.model.data_preprocessor).eval()
    width, height = config.image_size
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, height, width), generator=generator).float()
    with written_aside(path) as aside:
        try:
            torch.onnx.export(
                exported,
                (pixels,),
                str(aside),
                input_names=["pixels"],
                output_names=["probabilities"],
                dynamic_axes={"pixels": {0: "images"}, "probabilities": {0: "images"}},
                opset_version=_OPSET,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            raise ModelError(f"export.onnx: this model cannot be exported: {error}") from error
        _compare_with_torch(aside, exported, pixels)


class _PixelsToProbabilities(nn.Module):  # type: ignore[misc]
    """A model with its normalisation and softmax.

    Pixels are (n, 3, h, w), red first, 0 to 255. Probabilities are (n, c), or (n, c, h, w) for
    semantic segmentation.
    """

    def __init__(self, model: Any, preprocessor: dict[str, Any]) -> None:
        super().__init__()
        self.model = model
        self.red_first = bool(preprocessor.get("bgr_to_rgb") or preprocessor.get("to_rgb"))
        for name in ("mean", "std"):
            values = torch.tensor(preprocessor[name], dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, values)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of all classes."""
        ordered = pixels if self.red_first else pixels.flip(1)
        logits = self.model((ordered - self.mean) / self.std, mode="tensor")
        if logits.ndim == 4:
            size = pixels.shape[2:]
            logits = nn.functional.interpolate(logits, size, mode="bilinear", align_corners=False)
        return logits.softmax(dim=1)


def _compare_with_torch(path: Path, model: nn.Module, pixels: torch.Tensor) -> None:
    """Raise if the probabilities of onnxruntime and torch differ on some pixels."""
    # The import takes a second.
    import onnxruntime  # noqa: PLC0415

    with torch.inference_mode():
        expected = model(pixels[:1]).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pixels": pixels[:1].numpy()})
    difference = float(np.abs(found - expected).max())
    if difference > _LARGEST_DIFFERENCE:
        raise ModelError(
            f"export.onnx: expected the probabilities of the torch model within "
            f"{_LARGEST_DIFFERENCE:g}, found a difference of {difference:g}"
        )
