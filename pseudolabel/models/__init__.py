"""A model: its config, its initial weights, its checkpoints. Imports torch and mmengine."""

import os

from pseudolabel.models.light_imports import import_torchvision, leave_out_lanes

import_torchvision()
leave_out_lanes()

from pseudolabel.models.mmcv_ops import provide_ops  # noqa: E402 - imports torchvision

# Albumentations, which mmdet and others import, asks its server for a newer version of itself.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

provide_ops()

PACKAGES = {
    "detection": "mmdet",
    "instance": "mmdet",
    "semantic": "mmseg",
    "classification": "mmpretrain",
}
"""The package of each task's models: also the scope in which mmengine looks up names."""
