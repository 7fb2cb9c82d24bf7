"""A raw root with fewer gold labels: the other images go to the pool, their labels to the oracle.

For data of which so many images are labelled that the others' labels would add nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from pseudolabel.datasets import joined_all, of_images
from pseudolabel.files import written_aside
from pseudolabel.formats.coco import read_coco, write_coco
from pseudolabel.formats.label_maps import MASKS
from pseudolabel.sample.writing import ORACLE


def fewer_gold(source: Path, output: Path, count: int) -> None:
    """Copy a raw root without a pool.json, with so many of its gold images, drawn at random."""
    gold, oracle = (read_coco(source / f"{name}.json") for name in ("gold", ORACLE))
    kept = np.zeros(len(gold.images), bool)
    kept[np.random.default_rng(0).permutation(len(gold.images))[:count]] = True
    with written_aside(output) as aside:
        shutil.copytree(source, aside)
        write_coco(aside / "gold.json", of_images(gold, kept))
        write_coco(aside / f"{ORACLE}.json", joined_all([oracle, of_images(gold, ~kept)]))
        if (source / MASKS).is_dir():
            for name in gold.images.file_names[~kept]:
                label_map = Path(name).with_suffix(".png")
                shutil.move(aside / MASKS / label_map, aside / f"{ORACLE}_{MASKS}" / label_map)
