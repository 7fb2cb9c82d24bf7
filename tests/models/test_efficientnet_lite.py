"""The backbone EfficientNetLite, beside the published network, written out on its own here."""

import math
import subprocess
import sys

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, init_default_scope
from torch.nn import functional

from pseudolabel.models.configs import unfreeze
from pseudolabel.models.packaged_weights import _names_of_backbone, load_packaged, packaged_path
from pseudolabel.models.registered import find_model_faults
from tests.conftest import ROOT

# EfficientNet-B0: repeats, kernel, stride, expansion, width of each stage (Tan and Le 2019).
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
# How much wider and deeper each size is.
SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
LAYER_ENDS = [0, 1, 2, 4, 6]
"""The stages that end a layer of mmpretrain's EfficientNet."""


def blocks_of(arch):
    """Kernel, stride, inner width and width of each block, and whether it ends a layer."""
    wider, deeper = SCALES[arch]
    before = 32
    for number, (repeats, kernel, stride, expansion, width) in enumerate(STAGES):
        # Lite: the first and the last stage are not deeper, the stem and the end are not wider.
        inside = 0 < number < len(STAGES) - 1
        count = math.ceil(repeats * deeper) if inside else repeats
        rounded = int(width * wider + 4) // 8 * 8
        for block in range(count):
            last = block == count - 1 and number in LAYER_ENDS
            yield kernel, stride if block == 0 else 1, before * expansion, before, rounded, last
            before = rounded


def random_weights(arch):
    """Weights by the names of the packages."""
    weights = {}

    def convolution(name, norm, outputs, inputs, kernel):
        fan = inputs * kernel**2
        weights[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel) / math.sqrt(fan)
        weights[f"{norm}.weight"] = torch.rand(outputs) + 0.5
        weights[f"{norm}.bias"] = torch.randn(outputs) / 10
        weights[f"{norm}.running_mean"] = torch.randn(outputs) / 10
        weights[f"{norm}.running_var"] = torch.rand(outputs) + 0.5

    convolution("_conv_stem", "_bn0", 32, 3, 3)
    for number, (kernel, _, inner, before, width, _) in enumerate(blocks_of(arch)):
        name = f"_blocks.{number}"
        if inner != before:
            convolution(f"{name}._expand_conv", f"{name}._bn0", inner, before, 1)
        convolution(f"{name}._depthwise_conv", f"{name}._bn1", inner, 1, kernel)
        convolution(f"{name}._project_conv", f"{name}._bn2", width, inner, 1)
    convolution("_conv_head", "_bn1", 1280, width, 1)
    return weights | {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}


def reference(arch, weights, images):
    """The outputs of all layers, computed with the names of the packages."""

    def convolution(x, name, norm, stride=1, groups=1):
        kernel = weights[f"{name}.weight"]
        sides = []
        for length in reversed(x.shape[2:]):
            # TensorFlow's "same": an odd pixel of padding is on the right and below.
            needed = max((math.ceil(length / stride) - 1) * stride + kernel.shape[-1] - length, 0)
            sides += [needed // 2, needed - needed // 2]
        x = functional.conv2d(functional.pad(x, sides), kernel, stride=stride, groups=groups)
        statistics = [
            weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        ]
        return functional.batch_norm(x, *statistics, eps=1e-3)

    x = functional.relu6(convolution(images, "_conv_stem", "_bn0", stride=2))
    outputs = [x]
    for number, (_, stride, inner, before, width, last) in enumerate(blocks_of(arch)):
        name, entered = f"_blocks.{number}", x
        if inner != before:
            x = functional.relu6(convolution(x, f"{name}._expand_conv", f"{name}._bn0"))
        x = convolution(x, f"{name}._depthwise_conv", f"{name}._bn1", stride, groups=inner)
        x = convolution(functional.relu6(x), f"{name}._project_conv", f"{name}._bn2")
        if stride == 1 and before == width:
            x = x + entered
        if last:
            outputs.append(x)
    return [*outputs, functional.relu6(convolution(x, "_conv_head", "_bn1"))]


def built(**options):
    """The backbone, ready to predict."""
    backbone = MODELS.build({"type": "EfficientNetLite"} | options)
    backbone.eval()
    return backbone


@pytest.mark.parametrize("arch", SCALES)
def test_all_layers_give_what_the_published_network_gives(arch):
    weights = random_weights(arch)
    backbone = built(arch=arch, out_indices=tuple(range(7)))
    expected_names = {name for name in backbone.state_dict() if "num_batches_tracked" not in name}
    named = _names_of_backbone(weights, arch)
    assert set(named) == expected_names
    backbone.load_state_dict(named, strict=False)
    images = torch.randn(2, 3, 75, 98)
    with torch.inference_mode():
        found, expected = backbone(images), reference(arch, weights, images)
    assert [output.shape for output in found] == [output.shape for output in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.std() > 0.05
        assert (one - other).abs().max() <= 1e-5 * other.abs().max()


@pytest.mark.parametrize("arch", SCALES)
def test_weights_of_a_package_give_what_the_published_network_gives(arch):
    source = f"package:efficientnet-{arch}"
    weights = torch.load(packaged_path(source), weights_only=True)
    backbone = built(arch=arch)
    backbone.load_state_dict(load_packaged(source))
    images = torch.rand(1, 3, 64, 96) * 2 - 1
    with torch.inference_mode():
        (found,), expected = backbone(images), reference(arch, weights, images)[-1]
    assert found.std() > 0.1
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("scope", ["mmdet", "mmseg", "mmpretrain"])
def test_all_packages_build_it_by_its_name(scope):
    backbone = {"type": "EfficientNetLite", "arch": "lite0", "out_indices": (2, 3, 4, 5)}
    assert find_model_faults({"backbone": backbone}, "config.py", scope) == []
    init_default_scope(scope)
    outputs = built(**backbone)(torch.zeros(1, 3, 64, 96))
    shapes = [(24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3)]
    assert [tuple(output.shape[1:]) for output in outputs] == shapes


def test_layers_after_the_last_output_are_left_out():
    backbone = built(out_indices=(2, 4), frozen_stages=7)
    assert len(backbone.layers) == 5
    backbone.train()
    assert not any(weight.requires_grad for weight in backbone.parameters())


def test_frozen_layers_keep_their_weights_unless_all_parts_learn():
    config = ConfigDict(backbone={"type": "EfficientNetLite", "frozen_stages": 2})
    config.backbone.norm_eval = True

    def learning_layers(backbone):
        backbone.train()
        return {
            number
            for number, layer in enumerate(backbone.layers)
            if all(weight.requires_grad for weight in layer.parameters())
        }

    frozen = built(**config.backbone)
    assert learning_layers(frozen) == {2, 3, 4, 5, 6}
    assert not any(part.training for part in frozen.modules() if "BatchNorm" in str(type(part)))
    learning = built(**unfreeze(config).backbone)
    assert learning_layers(learning) == set(range(7))
    assert all(part.training for part in learning.modules())


def test_blocks_are_skipped_at_random_if_drop_path_rate_is_set():
    backbone = built(drop_path_rate=0.5)
    images = torch.rand(4, 3, 64, 64)
    backbone.train()
    assert not torch.equal(backbone(images)[0], backbone(images)[0])
    backbone.eval()
    assert torch.equal(backbone(images)[0], backbone(images)[0])


@pytest.mark.slow
def test_a_model_folder_can_be_read_by_a_new_process():
    code = "from pseudolabel.models.trained import find_model_faults as find\n"
    code += "assert not find({'type': 'EfficientNetLite'}, 'config.json', 'mmseg')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
