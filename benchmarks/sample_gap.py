"""How hard the sample is: a teacher trained on its gold alone, and one trained on all true labels.

    python -m benchmarks.sample_gap   # as in docs/benchmarks.md, two trainings

Both have the task, model, iterations and first weights of params.yaml; the second one's gold is
gold and the oracle's labels together, but for one image, which is left as the pool. Judged on the
sample's val and test.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from pseudolabel.datasets import joined_all, of_images
from pseudolabel.engines.evaluating import judge
from pseudolabel.engines.training import train
from pseudolabel.files import remove
from pseudolabel.formats.coco import read_coco, write_coco
from pseudolabel.formats.label_maps import MASKS
from pseudolabel.params.loading import load_params
from pseudolabel.prepare import prepare
from pseudolabel.sample.writing import ORACLE
from pseudolabel.tasks import TASKS


def with_all_labels(root: Path, output: Path) -> Path:
    """Copy a sample to `output`, its gold being all but one of the images that have labels."""
    shutil.copytree(root, output)
    gold, oracle = (read_coco(root / f"{name}.json") for name in ("gold", ORACLE))
    revealed = of_images(oracle, np.arange(len(oracle.images)) > 0)
    write_coco(output / "gold.json", joined_all([gold, revealed]))
    if (root / MASKS).is_dir():
        shutil.copytree(root / f"{ORACLE}_{MASKS}", output / MASKS, dirs_exist_ok=True)
    remove(output / f"{ORACLE}.json")
    return output


def main() -> None:
    """Train, judge and print."""
    params = load_params()
    task = TASKS[params.task]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        roots = {
            "gold alone": params.data.root,
            "all true labels": with_all_labels(params.data.root, folder / "all"),
        }
        for label, root in roots.items():
            data = folder / label
            own = params.model_copy(update={"data": params.data.model_copy(update={"root": root})})
            prepare(root, data, task, params.prepare, params.seed)
            train(data, data, data / "model", own)
            row = judge(data / "model", data, own).row
            metric = row["headline"][0]
            scores = ", ".join(f"{it} {metric} {row[it][metric]:.4f}" for it in ("val", "test"))
            images = row["data"]["gold"]["images"]
            print(f"{label}, {images} images: {scores}", flush=True)


if __name__ == "__main__":
    main()
