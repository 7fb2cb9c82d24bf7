"""How hard the sample is: a teacher trained on its gold alone, and one trained on all true labels.

    python -m benchmarks.sample_gap   # as in docs/benchmarks.md, two trainings

Both have the model, iterations and first weights of params.yaml; the second one's gold is gold
and oracle.json together. Judged on the sample's val and test.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from pseudolabel.engines.evaluating import judge
from pseudolabel.engines.training import train
from pseudolabel.formats.coco import read_coco, write_coco
from pseudolabel.params import load_params
from pseudolabel.records import Annotations, Dataset, Images


def together(one: Dataset, other: Dataset) -> Dataset:
    """Return two sets of labelled images as one, annotation ids counted anew."""
    names = ("ids", "file_names", "widths", "heights", "hashes")
    columns = (np.concatenate([getattr(it.images, name) for it in (one, other)]) for name in names)
    annotations = Annotations.concatenate([one.annotations, other.annotations])
    annotations = replace(annotations, ids=np.arange(1, len(annotations) + 1))
    return Dataset(Images(*columns), annotations, one.categories)


def main() -> None:
    """Train, judge and print."""
    params = load_params()
    root = params.data.root
    gold, oracle = (read_coco(root / f"{name}.json") for name in ("gold", "oracle"))
    arms = {"gold alone": gold, "all true labels": together(gold, oracle)}
    with tempfile.TemporaryDirectory() as name:
        for label, dataset in arms.items():
            data = Path(name) / label
            write_coco(data / "gold.json", dataset)
            train(data, data / "model", params)
            row, _ = judge(data / "model", root, params)
            scores = ", ".join(f"{split} mAP {row[split]['mAP']:.4f}" for split in ("val", "test"))
            print(f"{label}, {len(dataset.images)} images: {scores}")


if __name__ == "__main__":
    main()
