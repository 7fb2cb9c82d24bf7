"""Where the time of labelling goes, and the same images by mmdet's own DetInferencer.

    dvc repro                        # once: the sample and a trained champion
    python -m benchmarks.labelling   # as in docs/benchmarks.md

Labels the pool of data/prepared several times over with the champion of round 0, by this project
(rows written to Parquet shards) and by DetInferencer (rows thrown away), both with the same model,
images, transforms and batch size, in turns, and prints the median of each.
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

from pseudolabel.engines.adapter import View
from pseudolabel.engines.adapters.detection import ADAPTER
from pseudolabel.engines.checkpoints import load_weights
from pseudolabel.engines.labelling import label_missing_shards
from pseudolabel.engines.model_config import LOAD
from pseudolabel.engines.predicting import TrainedModel
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.model_folder import CONFIG, WEIGHTS
from pseudolabel.params.loading import load_params
from pseudolabel.params.sections import Params
from pseudolabel.records import Images

TURNS = 5


class TimedModel(TrainedModel):
    """A model that knows how long its forward passes took."""

    forward_seconds = 0.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.model.register_forward_pre_hook(self.begin)
        self.model.register_forward_hook(self.end)

    def begin(self, *_: Any) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def end(self, *_: Any) -> None:
        """Count the time of one forward pass."""
        self.forward_seconds += time.perf_counter() - self.start


def repeated(images: Images, count: int) -> Images:
    """Return `count` images: the pool over and over, with ids of their own."""
    rows = np.resize(np.arange(len(images)), count)
    return replace(images[rows], ids=np.arange(1, count + 1))


def by_us(images: Images, model: Path, params: Params, folder: Path) -> tuple[float, float]:
    """Label the images as the stage does; return seconds in all, and in forward passes."""
    section = params.pseudo_label
    root = params.data.root / "images"
    detector = TimedModel(model, root, section, params.data.workers)
    start = time.perf_counter()
    label_missing_shards(images, lambda: detector, folder, section.shard_images)
    return time.perf_counter() - start, detector.forward_seconds


def by_det_inferencer(images: Images, model: Path, params: Params, folder: Path) -> float:
    """Label the images by DetInferencer; return its seconds."""
    config = Config.fromfile(model / CONFIG)
    config.default_scope = ADAPTER.scope
    config.model = ADAPTER.predicting_model(config.model, params.pseudo_label)
    width, height = config.image_size
    pipeline = [LOAD, *ADAPTER.view_pipeline((width, height), View(1.0, flip=False))]
    config.test_dataloader = {"dataset": {"type": "CocoDataset", "pipeline": pipeline}}
    config.visualizer = {"type": "DetLocalVisualizer", "name": "visualizer"}
    config.dump(folder / "config.py")
    classes = tuple(row["name"] for row in config.categories)
    meta = {"dataset_meta": {"classes": classes, "palette": "random"}}
    torch.save({"state_dict": load_weights(model / WEIGHTS), "meta": meta}, folder / "weights.pth")
    inferencer = DetInferencer(
        str(folder / "config.py"), str(folder / "weights.pth"), show_progress=False
    )
    paths = [str(params.data.root / "images" / name) for name in images.file_names]
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
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("rounds/0/champion"))
    parser.add_argument("--images", type=int, default=1000)
    arguments = parser.parse_args()
    params = load_params()
    images = repeated(read_coco(Path("data/prepared/pool") / FILE).images, arguments.images)
    with tempfile.TemporaryDirectory() as name:
        turns = []
        for turn in range(TURNS):
            folder = Path(name) / str(turn)
            folder.mkdir()
            ours = by_us(images, arguments.model, params, folder)
            turns.append((*ours, by_det_inferencer(images, arguments.model, params, folder)))
    seconds, forward, theirs = np.median(turns, axis=0)
    count = len(images)
    print(f"{count} images, batches of {params.pseudo_label.batch_size}, {TURNS} turns")
    print(f"pseudolabel: {seconds:.1f} s, {count / seconds:.1f} images/s")
    print(f"  forward pass: {forward:.1f} s, {forward / seconds:.1%}")
    print(f"  loading, rows and shards: {seconds - forward:.1f} s, {1 - forward / seconds:.1%}")
    print(f"DetInferencer: {theirs:.1f} s, {count / theirs:.1f} images/s")


if __name__ == "__main__":
    main()
