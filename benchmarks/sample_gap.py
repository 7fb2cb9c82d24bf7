"""The gap of the sample: a teacher trained on gold, and a teacher trained on all true labels.

    python -m benchmarks.sample_gap   # as in docs/benchmarks.md, two trainings

Both have the task, model, iterations and initial weights of params.yaml. The gold of the second
teacher is gold and the oracle together, without one image, which is the pool. Both are scored on
the val and test of the sample.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np

from pseudolabel.core.datasets import concatenate, select_images, sort_images
from pseudolabel.core.files import remove
from pseudolabel.core.per_round import in_round
from pseudolabel.evaluation.score import score_model
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.coco_writer import write_coco
from pseudolabel.formats.label_maps import LABEL_MAPS
from pseudolabel.params.loading import load_params
from pseudolabel.raw.sample.labels import ORACLE
from pseudolabel.splits.prepare import prepare
from pseudolabel.training.train import train


def with_all_labels(root: Path, output: Path) -> Path:
    """Copy a raw root; gold gets all images of the oracle except the first one."""
    shutil.copytree(root, output)
    gold, oracle = (read_coco(root / f"{name}.json") for name in ("gold", ORACLE))
    revealed = select_images(oracle, np.arange(len(oracle.images)) > 0)
    write_coco(output / "gold.json", sort_images(concatenate([gold, revealed])))
    if (root / LABEL_MAPS).is_dir():
        shutil.copytree(root / f"{ORACLE}_{LABEL_MAPS}", output / LABEL_MAPS, dirs_exist_ok=True)
    remove(output / f"{ORACLE}.json")
    return output


def main() -> None:
    """Train and score both teachers, and print the scores."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    params = load_params()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        roots = {
            "gold alone": params.data.root,
            "all true labels": with_all_labels(params.data.root, folder / "all"),
        }
        for label, root in roots.items():
            prepared = folder / label
            data = params.data.model_copy(update={"root": root})
            of_root = in_round(params.model_copy(update={"data": data}), 0)
            prepare(root, prepared, params.task, params.prepare, params.seed)
            train(prepared, prepared, prepared / "model", of_root)
            row = score_model(prepared / "model", prepared, of_root).row
            metric = row["headline"][0]
            scores = ", ".join(
                f"{split} {metric} {row[split][metric]:.4f}" for split in ("val", "test")
            )
            images = row["data"]["gold"]["images"]
            print(f"{label}, {images} images: {scores}", flush=True)


if __name__ == "__main__":
    main()
