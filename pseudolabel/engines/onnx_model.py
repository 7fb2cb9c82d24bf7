"""A model as ONNX: pixels in, probabilities out, checked against the model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from pseudolabel.engines.adapter import adapter_of
from pseudolabel.engines.checkpoints import load_weights
from pseudolabel.errors import ModelError
from pseudolabel.files import written_aside
from pseudolabel.model_folder import CONFIG, WEIGHTS

ONNX = "model.onnx"
OPSET = 17
LARGEST_DIFFERENCE = 1e-3
"""Between the probabilities of both."""
POSSIBLE = ("classification", "semantic")


class Probabilities(nn.Module):  # type: ignore[misc]
    """Pixels, (n, 3, h, w) red first from 0 to 255, to probabilities: (n, c), or (n, c, h, w)."""

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


def write_onnx(folder: Path, path: Path) -> None:
    """Write the model of a folder as ONNX, for images fitted and padded to its image size.

    The number of images is free. What onnxruntime makes of random pixels is compared with torch.

    Args:
        folder: the model folder.
        path: the file to write.

    Raises:
        ModelError: the task's or the model's predictions cannot be told so, or differ.
    """
    config = Config.fromfile(folder / CONFIG)
    if config.task not in POSSIBLE:
        raise ModelError(
            f"export.onnx: expected a task of {' or '.join(POSSIBLE)}, found {config.task}: what "
            "turns the outputs of mmdet's heads into objects has no form in ONNX"
        )
    adapter = adapter_of(config.task)
    init_default_scope(adapter.scope)
    model = MODELS.build(config.model).eval()
    model.load_state_dict(load_weights(folder / WEIGHTS))
    whole = Probabilities(model, config.model.data_preprocessor).eval()
    width, height = config.image_size
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, height, width), generator=generator).float()
    with written_aside(path) as aside:
        try:
            torch.onnx.export(
                whole,
                (pixels,),
                str(aside),
                input_names=["pixels"],
                output_names=["probabilities"],
                dynamic_axes={"pixels": {0: "images"}, "probabilities": {0: "images"}},
                opset_version=OPSET,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            raise ModelError(f"export.onnx: this model has no form in ONNX: {error}") from error
        refuse_another(aside, whole, pixels)


def refuse_another(path: Path, model: nn.Module, pixels: torch.Tensor) -> None:
    """Raise where onnxruntime and torch differ on some pixels.

    Raises:
        ModelError: with the largest difference.
    """
    # It takes a second to import.
    import onnxruntime  # noqa: PLC0415

    with torch.inference_mode():
        expected = model(pixels[:1]).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pixels": pixels[:1].numpy()})
    difference = float(np.abs(found - expected).max())
    if difference > LARGEST_DIFFERENCE:
        raise ModelError(
            f"export.onnx: its probabilities differ by {difference:g} from the model's"
        )
