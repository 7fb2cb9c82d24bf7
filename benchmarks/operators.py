"""The speed of training and labelling with the operators of torchvision, or with mmcv's own.

    python -m benchmarks.operators                       # with those of this environment
    python -m benchmarks.operators --other .ops/bin/python  # and of one with compiled operators

Each model trains some steps on the generated sample, and labels its pool. With `--other`, the two
environments take turns; the program prints the median of each, and how fast torchvision's are
beside the compiled ones. Time is that of the processor, so that other programs hardly count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.preset_params import preset_params
from pseudolabel.models.mmcv_ops import compiled
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.splits.prepare import prepare
from pseudolabel.training.train import train

MODELS = {
    "RTMDet (NMS)": ("detection", "configs/detection/rtmdet_small.py"),
    "Mask R-CNN, ResNet-18 (NMS, RoIAlign)": (
        "instance",
        "mmdet::mask_rcnn/mask-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py",
    ),
    "RetinaNet, ResNet-18 (NMS, focal loss)": (
        "detection",
        "mmdet::retinanet/retinanet_r18_fpn_1x_coco.py",
    ),
}
"""The task and the config of each model; in brackets, the operators that it asks for."""


def measure(name: str, steps: int, images: int) -> dict[str, float | str]:
    """Train and label once; return steps and images per second."""
    task, config = MODELS[name]
    options = {
        "model.config": config,
        "model.weights": None,
        "sample.pool": images,
        "train.iterations": steps,
        "train.batch_size": 2,
        "train.warmup_iterations": 2,
        "train.mixed_precision": False,
        "pseudo_label.batch_size": 10,
        "pseudo_label.shard_images": 1000,
    }
    with tempfile.TemporaryDirectory() as folder:
        root, prepared, model = (Path(folder) / part for part in ("raw", "prepared", "model"))
        params = preset_params(f"sample_{task}", options | {"data.root": root})
        SAMPLES[task](root, params.sample)
        prepare(root, prepared, task, params.prepare, 0)
        begin = time.process_time()
        train(prepared, prepared, model, params)
        trained = time.process_time()
        label_pool(prepared, model, Path(folder) / "predictions", 1, params)
        labelled = time.process_time()
        return {
            "operators": "compiled" if compiled() else "torchvision",
            "train": steps / (trained - begin),
            "label": images / (labelled - trained),
        }


def compare(other: str, arguments: argparse.Namespace) -> None:
    """Measure each model in both environments by turns, and print a table."""
    print(
        "| model | training, steps/s | compiled | ratio | labelling, images/s | compiled | ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in MODELS:
        rows: dict[str, list[dict[str, float]]] = {sys.executable: [], other: []}
        for _ in range(arguments.turns):
            for python, found in rows.items():
                command = [python, "-m", "benchmarks.operators", "--model", name]
                command += ["--steps", str(arguments.steps), "--images", str(arguments.images)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found.append(json.loads(done.stdout.splitlines()[-1]))
        cells = [name]
        for key in ("train", "label"):
            ours, theirs = (np.median([row[key] for row in found]) for found in rows.values())
            cells += [f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--other", help="the Python of an environment with compiled operators")
    parser.add_argument("--model", choices=MODELS, help="measure only this model, here")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--images", type=int, default=40)
    arguments = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if arguments.other and not arguments.model:
        compare(arguments.other, arguments)
        return
    for name in [arguments.model] if arguments.model else MODELS:
        print(json.dumps(measure(name, arguments.steps, arguments.images)))


if __name__ == "__main__":
    main()
