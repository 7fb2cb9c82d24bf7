"""A raw root with another number of gold images: labels go from gold to the oracle, or back.

Images of the oracle are the pool. The images of a smaller number are among those of a larger one.
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


def with_gold_count(source: Path, output: Path, count: int) -> None:
    """Copy a raw root with this number of gold images, chosen at random.

    Args:
        source: a raw root with an oracle and without a pool.json.
        output: the raw root to write.
        count: number of gold images; at least one image stays in the oracle.

    Raises:
        ValueError: there are not so many labelled images.
    """
    gold, oracle = (read_coco(source / f"{name}.json") for name in ("gold", ORACLE))
    everything = concatenate([gold, oracle])
    total = len(everything.images)
    if not 0 < count < total:
        raise ValueError(f"{source}: expected from 1 to {total - 1} gold images, found {count}")
    draws = np.random.default_rng(0)
    order = [draws.permutation(len(gold.images)), draws.permutation(len(oracle.images))]
    order[1] += len(gold.images)
    kept = np.isin(np.arange(total), np.concatenate(order)[:count])
    with written_aside(output) as aside:
        shutil.copytree(source, aside)
        for name, is_in in (("gold", kept), (ORACLE, ~kept)):
            write_coco(aside / f"{name}.json", sort_images(select_images(everything, is_in)))
        if (source / LABEL_MAPS).is_dir():
            folders = aside / f"{ORACLE}_{LABEL_MAPS}", aside / LABEL_MAPS
            was_gold = np.arange(total) < len(gold.images)
            for row in np.flatnonzero(kept != was_gold):
                label_map = Path(everything.images.file_names[row]).with_suffix(".png")
                before, after = (folders[int(is_in[row])] for is_in in (was_gold, kept))
                shutil.move(before / label_map, after / label_map)
