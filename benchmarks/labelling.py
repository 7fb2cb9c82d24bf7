"""The time of labelling by part, compared with mmdet's DetInferencer.

    dvc repro                        # once: the sample and a trained champion
    python -m benchmarks.labelling   # as in docs/benchmarks.md

The champion of round 0 labels the pool of data/prepared several times. This project writes the
rows to Parquet shards; DetInferencer discards them. Both use the same model, images, transforms and
batch size. They run alternately, and the program prints the median of each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config

from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.records import Images
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.model_folder import CONFIG, WEIGHTS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models import PACKAGES
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.models.transforms import LOAD
from pseudolabel.params.common import Params
from pseudolabel.params.loading import load_params
from pseudolabel.predictions import load_task_predictor
from pseudolabel.predictions.label_shards import label_missing_shards
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.task_predictor import View

TURNS = 5


TASK = "detection"


class TimedModel(TrainedModels):
    """A model that measures the time of its forward passes."""

    forward_seconds = 0.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        (member,) = self.members
        member.model.register_forward_pre_hook(self.begin)
        member.model.register_forward_hook(self.end)

    def begin(self, *_: Any) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def end(self, *_: Any) -> None:
        """Add the time of one forward pass."""
        self.forward_seconds += time.perf_counter() - self.start


def repeat(images: Images, count: int) -> Images:
    """Return `count` images: the pool repeated, with unique ids."""
    rows = np.resize(np.arange(len(images)), count)
    return replace(images[rows], ids=np.arange(1, count + 1))


def label_with_shards(
    images: Images, model: Path, params: Params, folder: Path
) -> tuple[float, float]:
    """Label the images as the stage does; return the seconds in total and in forward passes."""
    section = params.pseudo_label
    root = params.data.root / IMAGES
    detector = TimedModel([model], root, section, params.data.workers)
    start = time.perf_counter()
    label_missing_shards(images, lambda: detector, folder, section.shard_images)
    return time.perf_counter() - start, detector.forward_seconds


def label_with_det_inferencer(images: Images, model: Path, params: Params, folder: Path) -> float:
    """Label the images with DetInferencer; return its seconds."""
    config = Config.fromfile(model / CONFIG)
    predictor = load_task_predictor(TASK)
    config.default_scope = PACKAGES[TASK]
    config.model = predictor.predicting_model(config.model, params.pseudo_label)
    width, height = config.image_size
    pipeline = [LOAD, *predictor.view_pipeline((width, height), View(1.0, flip=False))]
    config.test_dataloader = {"dataset": {"type": "CocoDataset", "pipeline": pipeline}}
    config.visualizer = {"type": "DetLocalVisualizer", "name": "visualizer"}
    config.dump(folder / "config.py")
    classes = tuple(row["name"] for row in config.categories)
    meta = {"dataset_meta": {"classes": classes, "palette": "random"}}
    torch.save({"state_dict": load_weights(model / WEIGHTS), "meta": meta}, folder / "weights.pth")
    inferencer = DetInferencer(
        str(folder / "config.py"), str(folder / "weights.pth"), show_progress=False
    )
    paths = [str(params.data.root / IMAGES / name) for name in images.file_names]
    start = time.perf_counter()
    inferencer(
        paths,
        batch_size=params.pseudo_label.batch_size,
        return_datasamples=True,
        no_save_vis=True,
        no_save_pred=True,
    )
    return time.perf_counter() - start


def main() -> None:
    """Measure both, and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=RoundFolder(0).champion)
    parser.add_argument("--images", type=int, default=1000)
    arguments = parser.parse_args()
    params = load_params()
    images = repeat(SplitFolder(PREPARED / "pool").read().images, arguments.images)
    with tempfile.TemporaryDirectory() as name:
        turns = []
        for turn in range(TURNS):
            folder = Path(name) / str(turn)
            folder.mkdir()
            shards = label_with_shards(images, arguments.model, params, folder)
            turns.append(
                (*shards, label_with_det_inferencer(images, arguments.model, params, folder))
            )
    seconds, forward, inferencer = np.median(turns, axis=0)
    count = len(images)
    print(f"{count} images, batches of {params.pseudo_label.batch_size}, {TURNS} turns")
    print(f"pseudolabel: {seconds:.1f} s, {count / seconds:.1f} images/s")
    print(f"  forward pass: {forward:.1f} s, {forward / seconds:.1%}")
    print(f"  loading, rows and shards: {seconds - forward:.1f} s, {1 - forward / seconds:.1%}")
    print(f"DetInferencer: {inferencer:.1f} s, {count / inferencer:.1f} images/s")


if __name__ == "__main__":
    main()
