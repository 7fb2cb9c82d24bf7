"""Whole models from the zoos of the three packages: trained on COCO, ADE20K or ImageNet.

A zoo lists the checkpoint of each of its configs in a file beside the config, its metafile.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from pseudolabel.core.errors import Fault, ModelError
from pseudolabel.core.files import sha256_of_file
from pseudolabel.models.checkpoints import download
from pseudolabel.models.config_files import config_path, zoo_folder

_HASH = re.compile(r"-([0-9a-f]{8,64})\.pth$")
"""The end of a checkpoint's name: the first digits of its SHA-256."""


def zoo_url(name: str, scope: str) -> str:
    """Return the address of the checkpoint that the zoo names for one of its configs.

    Args:
        name: the config's zoo name, such as `mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py`.
        scope: the package of the task's models.

    Raises:
        ModelError: it is no config of the zoo, or the zoo has no checkpoint for it.
    """
    if not name.startswith(f"{scope}::"):
        expected = f"a config of the zoo ({scope}::<folder>/<file>.py)"
        raise ModelError(f"model.weights: zoo needs {expected} as model.config, found {name}")
    config = config_path(name, scope)
    listed = f"configs/{config.relative_to(zoo_folder(scope)).as_posix()}"
    for metafile in sorted(config.parent.glob("metafile.y*ml")):
        models = (yaml.safe_load(metafile.read_text(encoding="utf-8")) or {}).get("Models") or []
        for model in models:
            if model.get("Config") == listed and model.get("Weights"):
                return str(model["Weights"])
    raise ModelError(f"model.weights: the zoo has no checkpoint of {name}")


def zoo_file(url: str) -> Path:
    """Return a checkpoint of a zoo, downloaded at its first use, after checking its hash.

    Args:
        url: its address; its name ends with the first digits of its SHA-256, if it has them.

    Raises:
        ModelError: it cannot be downloaded, or it is another file.
    """
    path = download(url)
    named = _HASH.search(path.name)
    found = sha256_of_file(path)
    if named and not found.startswith(named[1]):
        expected = f"a file whose SHA-256 begins with {named[1]}"
        fault = Fault(str(path), "", expected, f"{found[:12]}...")
        raise ModelError(f"{fault}: remove it to download it again")
    return path
