"""`python -m pseudolabel index`: what is new, changed or gone in the raw root."""

from __future__ import annotations

import argparse

from pseudolabel.core.project import KEPT_RAW, MANIFEST
from pseudolabel.core.workdir import output_lock
from pseudolabel.manifest.manifest import write_manifest
from pseudolabel.params.loading import load_params

DESCRIPTION = (
    "Bring the manifest of data.root up to date, and print how many files are new, changed or "
    "removed. Only these are read. `dvc repro` does the same before all other stages."
)


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Add no arguments: the root is that of params.yaml."""


def run(_: argparse.Namespace) -> int:
    """Write the manifest, and print what was found."""
    data = load_params().data
    with output_lock(MANIFEST):
        print(write_manifest(data.root, MANIFEST, KEPT_RAW, data.cache_bytes))
    return 0
