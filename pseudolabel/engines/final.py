"""The model to take home, trained on everything: gold, val and tuning, and the last silver."""

from __future__ import annotations

import shutil
from pathlib import Path

from pseudolabel.datasets import TUNING, joined_all
from pseudolabel.engines.evaluating import judge
from pseudolabel.engines.training import train
from pseudolabel.files import SCRATCH, remove, write_json, written_aside
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.formats.label_maps import MASKS
from pseudolabel.history import shown_as
from pseudolabel.params.sections import Params

LABELLED = ("gold", "val", TUNING)


def gather(data: Path, prepared: Path, output: Path) -> None:
    """Write the folders gold, with val and tuning in it, and silver, as training takes them.

    Args:
        data: the merged folder of the last round, or prepared data where that is round 0.
        prepared: the folder of prepared data.
        output: the folder to write.
    """
    with written_aside(output) as aside:
        splits = [read_coco(prepared / split / FILE) for split in LABELLED]
        write_coco(aside / "gold" / FILE, joined_all(splits))
        for split in LABELLED:
            if (prepared / split / MASKS).is_dir():
                folder = aside / "gold" / MASKS
                shutil.copytree(prepared / split / MASKS, folder, dirs_exist_ok=True)
        if (data / "silver").is_dir():
            shutil.copytree(data / "silver", aside / "silver")


def train_final(
    data: Path, prepared: Path, model: Path, metrics: Path, params: Params, champion: Path
) -> None:
    """Train as a round does, on everything with a label, and judge the model on test alone.

    Val was trained on: its metrics would say nothing, and are withheld.

    Args:
        data: the merged folder of the last round, or prepared data where that is round 0.
        prepared: the folder of prepared data.
        model: the model folder to write.
        metrics: the JSON file to write.
        params: all parameters, those of the last round.
        champion: the model folder of the champion, which `model.weights` may ask to go on from.

    Raises:
        DataError: an image of test is among those to be trained on.
    """
    everything = SCRATCH / "everything"
    gather(data, prepared, everything)
    train(everything, prepared, model, params, ("test",), champion)
    remove(everything)
    row = judge(model, prepared, params, splits=("test",)).row
    name = shown_as(row, "test")
    values = {f"{name}.{key}": row["test"][key] for key in row["headline"]} if "test" in row else {}
    write_json(metrics, values)
