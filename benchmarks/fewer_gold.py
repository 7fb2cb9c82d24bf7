"""A raw root with fewer gold labels: the other images become part of the pool.

Their labels go to the oracle. Use this for data sets with so many gold labels that more labels
would hardly improve a model.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from pseudolabel.core.datasets import concatenate, select_images, sort_images
from pseudolabel.core.files import written_aside
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.coco_writer import write_coco
from pseudolabel.formats.label_maps import LABEL_MAPS
from pseudolabel.raw.sample.labels import ORACLE


def fewer_gold(source: Path, output: Path, count: int) -> None:
    """Copy a raw root with a random part of its gold images.

    Args:
        source: a raw root with an oracle and without a pool.json.
        output: the raw root to write.
        count: number of gold images to keep.
    """
    gold, oracle = (read_coco(source / f"{name}.json") for name in ("gold", ORACLE))
    kept = np.zeros(len(gold.images), bool)
    kept[np.random.default_rng(0).permutation(len(gold.images))[:count]] = True
    with written_aside(output) as aside:
        shutil.copytree(source, aside)
        write_coco(aside / "gold.json", select_images(gold, kept))
        revealed = concatenate([oracle, select_images(gold, ~kept)])
        write_coco(aside / f"{ORACLE}.json", sort_images(revealed))
        if (source / LABEL_MAPS).is_dir():
            for name in gold.images.file_names[~kept]:
                label_map = Path(name).with_suffix(".png")
                shutil.move(
                    aside / LABEL_MAPS / label_map, aside / f"{ORACLE}_{LABEL_MAPS}" / label_map
                )
