"""mmdet's SoftTeacher on prepared data: an alternative to rounds.

mmdet's class SoftTeacher weights the proposals of two-stage detectors. One-stage detectors such as
RTMDet get its base class, SemiBaseDetector. The teacher is a running average of the student. Its
boxes above a threshold are the labels of the augmented image for the student. Both start from the
model trained on gold, whose iterations are the burn-in. Batches have the same share of gold as
those of the loop's students, and pool images have the same augmentations as silver.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray

from benchmarks.online_training import gold_and_pool_sampler, train_online
from pseudolabel.core.workdir import scratch_folder
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.model_folder import WEIGHTS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.image_size import resolve_image_size
from pseudolabel.models.initial_weights import InitialWeights, resolve_champion
from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.models.transforms import LOAD, fit_to_size
from pseudolabel.params.common import Params
from pseudolabel.predictions.objects import META_KEYS
from pseudolabel.training import task_data
from pseudolabel.training.augmentations import build_augmentations
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.sources import TrainingData

with quiet_imports():
    from mmdet.datasets.transforms import RandomAffine
    from mmdet.registry import TRANSFORMS

_BRANCHES = ("sup", "unsup_teacher", "unsup_student")
_THRESHOLD = 0.5
"""Lowest score of a teacher's box: scores of small detectors are rarely above 0.9."""
_MOMENTUM = 0.004
"""Momentum of the teacher's running average, for thousands of steps (mmdet: 0.001, 180,000)."""
_SETTINGS = {
    "freeze_teacher": True,
    "sup_weight": 1.0,
    "unsup_weight": 1.0,
    "reg_pseudo_thr": 0.05,
    "jitter_times": 10,
    "jitter_scale": 0.06,
    "min_pseudo_bbox_wh": (1e-2, 1e-2),
}
"""The values of mmdet's configs (Xu et al. 2021)."""
_THRESHOLDS = ("pseudo_label_initial_score_thr", "rpn_pseudo_thr", "cls_pseudo_thr")
"""The names of the threshold, which is 0.9 in mmdet's configs."""
_AFFINE = "albumentations.Affine"
_AFFINE_ARGUMENTS = {"type", "scale", "translate_percent", "border_mode", "p"}


def train_soft_teacher(
    prepared: Path, first: Path, output: Path, params: Params, threshold: float | None = None
) -> None:
    """Train on gold and the pool together, and write the teacher as a model folder.

    Args:
        prepared: the folder of prepared data.
        first: the model folder that teacher and student start from.
        output: the folder to write.
        params: all parameters, of the task detection.
        threshold: the lowest score of a teacher's box; None for the usual one.
    """
    threshold = _THRESHOLD if threshold is None else threshold
    sources = TrainingData(prepared / "gold", None)
    params = resolve_image_size(params, SplitFolder(sources.gold).read().images)
    inputs = ["soft_teacher", threshold, params.model_dump(mode="json")]
    scratch = scratch_folder("soft_teacher", inputs, [prepared / "gold", first / WEIGHTS])
    config = _build_soft_teacher_config(sources, prepared / "pool", scratch, params)
    config.model.semi_train_cfg.update(dict.fromkeys(_THRESHOLDS, threshold))
    train_online(config, scratch, first, first / WEIGHTS, output, "teacher.")


def _build_soft_teacher_config(
    sources: TrainingData, pool: Path, scratch: Path, params: Params
) -> Config:
    """Return the config of a training on gold and the pool with mmdet's teacher."""
    categories = SplitFolder(sources.gold).read().categories
    weights = InitialWeights.from_params(resolve_champion(params, categories, None))
    config = build_config(sources, categories, scratch, params, weights)
    model = config.model
    preprocessor = model.pop("data_preprocessor")
    config.model = {
        "type": "SoftTeacher" if "rpn_head" in model else "SemiBaseDetector",
        "detector": model | {"data_preprocessor": preprocessor},
        "data_preprocessor": {
            "type": "MultiBranchDataPreprocessor",
            "data_preprocessor": preprocessor,
        },
        "semi_train_cfg": _SETTINGS,
        "semi_test_cfg": {"predict_on": "teacher"},
    }
    gold = config.train_dataloader.dataset.datasets[0]
    images = params.data.root / IMAGES
    data = task_data(params.task)
    unlabelled = data.dataset(pool, images, categories, _pool_pipeline(params))
    gold.pipeline[-1] = {
        "type": "MultiBranch",
        "branch_field": list(_BRANCHES),
        "sup": gold.pipeline[-1],
    }
    config.train_dataloader.dataset.datasets = [gold, unlabelled]
    config.train_dataloader.sampler = gold_and_pool_sampler(params)
    config.train_dataloader.collate_fn = {"type": "pseudo_collate"}
    hooks = [hook for hook in config.custom_hooks if hook["type"] != "EMAHook"]
    config.custom_hooks = [*hooks, {"type": "MeanTeacherHook", "momentum": _MOMENTUM}]
    # The teacher also needs the buffers: the statistics of batch norms.
    config.custom_hooks[-1]["skip_buffer"] = False
    return config


def _pool_pipeline(params: Params) -> list[dict[str, Any]]:
    """Return the transforms of unlabelled images: none for the teacher, augmented for the student.

    Both branches record the geometric transform of an image, so that boxes can be transformed.
    """
    keys = (*META_KEYS, "homography_matrix")
    packed = {"type": "PackDetInputs", "meta_keys": keys}
    flip = {"type": "RandomFlip", "prob": 0.5}
    size = params.model.size
    lists = [*params.train.augmentations, *params.train.silver_augmentations]
    augmented = build_augmentations([_recorded(one) for one in lists], size)
    return [
        LOAD,
        {"type": "LoadEmptyAnnotations", "with_bbox": True},
        {
            "type": "MultiBranch",
            "branch_field": list(_BRANCHES),
            "unsup_teacher": [*fit_to_size(size)[:1], flip, *fit_to_size(size)[1:], packed],
            "unsup_student": [*augmented, *fit_to_size(size), packed],
        },
    ]


@TRANSFORMS.register_module()
class RecordedAffine(RandomAffine):  # type: ignore[misc]
    """mmdet's RandomAffine that records its matrix, as mmdet's Resize and RandomFlip do."""

    def _get_random_homography_matrix(self, height: int, width: int) -> NDArray[np.float32]:
        self.drawn: NDArray[np.float32] = super()._get_random_homography_matrix(height, width)
        return self.drawn

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the moved and scaled image with the matrix from the unchanged one."""
        changed: dict[str, Any] = super().transform(results)
        before = changed.get("homography_matrix", np.eye(3, dtype=np.float32))
        return changed | {"homography_matrix": (self.drawn @ before).astype(np.float32)}


def _recorded(augmentation: dict[str, Any]) -> dict[str, Any]:
    """Return an augmentation that records its geometric transform, so that boxes can follow.

    Raises:
        ValueError: a transform of albumentations has no such counterpart.
    """
    if augmentation["type"] != _AFFINE:
        return augmentation
    unknown = augmentation.keys() - _AFFINE_ARGUMENTS
    if unknown:
        raise ValueError(
            f"{_AFFINE}: expected {sorted(_AFFINE_ARGUMENTS)}, found {sorted(unknown)}"
        )
    affine = {
        "type": RecordedAffine.__name__,
        "max_rotate_degree": 0.0,
        "max_shear_degree": 0.0,
        "max_translate_ratio": max(map(abs, augmentation["translate_percent"])),
        "scaling_ratio_range": augmentation["scale"],
        "border_val": (0, 0, 0),
    }
    return {"type": "RandomApply", "transforms": [affine], "prob": augmentation["p"]}
