"""mmdet's SoftTeacher on prepared data: what a user would take in the place of rounds.

The class of that name weighs the proposals of two stages; detectors of one stage, as RTMDet, get
what it is built on, mmdet's SemiBaseDetector: boxes by a running average of the student, above a
threshold, for the student to find in the augmented image. Both begin as the model trained on gold,
whose iterations count as burn-in; half of each batch is gold, half is pool.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from pseudolabel.engines.adapter import adapter_of
from pseudolabel.engines.adapters.objects import META_KEYS
from pseudolabel.engines.checkpoints import load_weights, save_weights
from pseudolabel.engines.model_config import LOAD, as_tuples, fitted
from pseudolabel.engines.training import build_runner, last_checkpoint
from pseudolabel.engines.training_config import Sources, build_config
from pseudolabel.files import hash_file, read_json, scratch_folder, write_json, written_aside
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.model_folder import CONFIG, CURVE, RECORD, WEIGHTS
from pseudolabel.params.sections import Params

BRANCHES = ("sup", "unsup_teacher", "unsup_student")
THRESHOLD = 0.5
"""Of a box to learn from: small detectors hardly ever say 0.9."""
MOMENTUM = 0.004
"""Of the teacher's running average: for thousands of steps, not for mmdet's 180,000 (0.001)."""
SETTINGS = {
    "freeze_teacher": True,
    "sup_weight": 1.0,
    "unsup_weight": 1.0,
    "pseudo_label_initial_score_thr": THRESHOLD,
    "rpn_pseudo_thr": THRESHOLD,
    "cls_pseudo_thr": THRESHOLD,
    "reg_pseudo_thr": 0.05,
    "jitter_times": 10,
    "jitter_scale": 0.06,
    "min_pseudo_bbox_wh": (1e-2, 1e-2),
}
"""As in mmdet's configs (Xu et al. 2021), but for the threshold: theirs is 0.9."""


def train_soft_teacher(prepared: Path, first: Path, output: Path, params: Params) -> None:
    """Train on gold and the pool together, and write the teacher as a model folder.

    Args:
        prepared: the folder of prepared data.
        first: the model folder that teacher and student begin as.
        output: the folder to write.
        params: all parameters, those of detection.
    """
    sources = Sources(prepared / "gold", None)
    inputs = ["soft_teacher", params.model_dump(mode="json")]
    scratch = scratch_folder("soft_teacher", inputs, [prepared / "gold", first / WEIGHTS])
    config = soft_teacher_config(sources, prepared / "pool", scratch, params)
    checkpoint = last_checkpoint(scratch)
    if checkpoint is not None:
        config.resume, config.load_from = True, str(checkpoint)
    else:
        config.load_from = str(first / WEIGHTS)
    build_runner(config).train()
    checkpoint = last_checkpoint(scratch)
    assert checkpoint is not None
    trained: dict[str, torch.Tensor] = load_weights(checkpoint)
    prefix = "teacher."
    teacher = {
        name.removeprefix(prefix): value
        for name, value in trained.items()
        if name.startswith(prefix)
    }
    record = read_json(first / RECORD)
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        save_weights(aside / WEIGHTS, teacher)
        shutil.copy(first / CONFIG, aside / CONFIG)
        shutil.copy(scratch / CURVE, aside / CURVE)
        write_json(aside / RECORD, record | {"weights": hash_file(aside / WEIGHTS)})
    shutil.rmtree(scratch)


def soft_teacher_config(sources: Sources, pool: Path, scratch: Path, params: Params) -> Config:
    """Return the config of a training on gold, with mmdet's teacher and the pool built in."""
    adapter = adapter_of(params.task)
    categories = read_coco(sources.gold / FILE).categories
    config = build_config(sources, categories, scratch, params)
    model = config.model
    preprocessor = model.pop("data_preprocessor")
    config.model = {
        "type": "SoftTeacher" if "rpn_head" in model else "SemiBaseDetector",
        "detector": model | {"data_preprocessor": preprocessor},
        "data_preprocessor": {
            "type": "MultiBranchDataPreprocessor",
            "data_preprocessor": preprocessor,
        },
        "semi_train_cfg": SETTINGS,
        "semi_test_cfg": {"predict_on": "teacher"},
    }
    gold = config.train_dataloader.dataset.datasets[0]
    images = params.data.root / IMAGES
    unlabelled: dict[str, Any] = adapter.source(pool, images, categories, pool_pipeline(params))
    gold.pipeline[-1] = {
        "type": "MultiBranch",
        "branch_field": list(BRANCHES),
        "sup": gold.pipeline[-1],
    }
    config.train_dataloader.dataset.datasets = [gold, unlabelled]
    half = params.train.batch_size // 2
    config.train_dataloader.sampler = {
        "type": "MultiSourceSampler",
        "batch_size": 2 * half,
        "source_ratio": [half, half],
        "seed": params.seed,
    }
    config.train_dataloader.collate_fn = {"type": "pseudo_collate"}
    hooks = [hook for hook in config.custom_hooks if hook["type"] != "EMAHook"]
    config.custom_hooks = [*hooks, {"type": "MeanTeacherHook", "momentum": MOMENTUM}]
    # Buffers, too: the teacher would keep stale batch norms.
    config.custom_hooks[-1]["skip_buffer"] = False
    return config


def pool_pipeline(params: Params) -> list[dict[str, Any]]:
    """Return the transforms of unlabelled images: plain for the teacher, augmented for the student.

    Both branches remember how an image was moved, so that boxes can follow.
    """
    keys = (*META_KEYS, "homography_matrix")
    packed = {"type": "PackDetInputs", "meta_keys": keys}
    flip = {"type": "RandomFlip", "prob": 0.5}
    augmented = [as_tuples(augmentation) for augmentation in params.train.augmentations]
    size = params.model.image_size
    return [
        LOAD,
        {"type": "LoadEmptyAnnotations", "with_bbox": True},
        {
            "type": "MultiBranch",
            "branch_field": list(BRANCHES),
            "unsup_teacher": [*fitted(size)[:1], flip, *fitted(size)[1:], packed],
            "unsup_student": [*augmented, *fitted(size), packed],
        },
    ]
