r"""How many of the audit's first 50 suspects are labels that were broken on purpose.

    python -m benchmarks.gold_audit ../shared/data/bccd audits/bccd --broken 0.1 \
        --image-size 320 240   # as in docs/benchmarks.md

Takes all images of gold and of the oracle as gold, breaks a share of their labels, trains a model
for each of several folds on the others, with the task and training of params.yaml, and lets the
audit rank the labels. What lies in the work folder already, as fold by fold it does after a kill,
is not made again.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.broken_labels import break_labels
from pseudolabel.audit.objects import SAME_IOU
from pseudolabel.audit.suspects import MISSED, Suspect
from pseudolabel.audit.writing import write_audit
from pseudolabel.boxes import iou_matrix
from pseudolabel.datasets import joined, of_images
from pseudolabel.engines.cross_fit import cross_fit
from pseudolabel.engines.training import train
from pseudolabel.files import read_json, write_json, written_aside
from pseudolabel.folds import keep_fold
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.params.loading import TASKS as SECTIONS
from pseudolabel.params.loading import filled_in, read_yaml
from pseudolabel.params.sections import Params
from pseudolabel.prepare import prepare
from pseudolabel.sample.writing import ORACLE
from pseudolabel.tasks import TASKS


def with_broken_gold(source: Path, root: Path, task: str, share: float) -> None:
    """Write a raw root whose gold is all that has labels, a share of them broken."""
    read = TASKS[task].read_split
    gold, faults = read(source, "gold", None) or (None, ["no gold"])
    more, others = read(source, ORACLE, None) or (None, ["no oracle"])
    if gold is None or more is None or faults or others:
        raise SystemExit(f"{source}: {[*faults, *others]}")
    whole = joined(gold, more)
    # One image is left as the pool that prepare wants; nothing is pseudo-labelled here.
    whole = of_images(whole, np.arange(len(whole.images)) > 0)
    root.mkdir(parents=True)
    (root / "images").symlink_to((source / "images").resolve())
    for split in ("val", "test"):
        shutil.copy(source / f"{split}.json", root)
    dataset, broken = break_labels(whole, share, np.random.default_rng(0))
    write_coco(root / "whole.json", whole)
    write_coco(root / "gold.json", dataset)
    write_json(root / "broken.json", {str(it): kind for it, kind in broken.items()})


def train_folds(root: Path, work: Path, params: Params) -> None:
    """Train a model for each fold that has none yet."""
    count = params.prepare.folds or 1
    for number in range(count):
        if (work / "models" / str(number)).exists():
            continue
        section = params.prepare.model_copy(update={"fold": number})
        own = params.model_copy(
            update={
                "prepare": section,
                "data": params.data.model_copy(update={"root": root}),
            }
        )
        prepared = work / "prepared"
        prepare(root, prepared, TASKS[params.task], section, params.seed)
        train(prepared, prepared, work / "model", own)
        keep_fold(work / "models", number, work / "model", prepared)


def hits(suspects: Sequence[Suspect], root: Path) -> list[bool]:
    """Return for each suspect whether it is a label that was broken, or one that was dropped."""
    broken = {int(key): kind for key, kind in read_json(root / "broken.json").items()}
    whole = read_coco(root / "whole.json")
    files = dict(zip(whole.images.ids.tolist(), whole.images.file_names, strict=True))
    dropped: dict[str, list[NDArray[np.float32]]] = {}
    for row, number in enumerate(whole.annotations.ids.tolist()):
        if broken.get(number) == MISSED:
            file = files[int(whole.annotations.image_ids[row])]
            dropped.setdefault(file, []).append(whole.annotations.boxes_xyxy[row])
    found = []
    for it in suspects:
        if it.kind == MISSED:
            box = np.array([it.suggested_xyxy], np.float32)
            lost = np.array(dropped.get(it.file, []), np.float32).reshape(-1, 4)
            found.append(bool((iou_matrix(box, lost) > SAME_IOU).any()))
        else:
            found.append(it.annotation_id in broken)
    return found


def params_of(arguments: argparse.Namespace) -> Params:
    """Return params.yaml with what the command line says instead."""
    values = read_yaml(Path("params.yaml")) | {"task": arguments.task}
    values["prepare"]["folds"] = arguments.folds
    values = filled_in(values, read_yaml(Path("configs") / f"{arguments.task}.yaml"))
    if arguments.image_size:
        values["model"]["image_size"] = arguments.image_size
    return SECTIONS[arguments.task].model_validate(values)


def main() -> None:
    """Break, train, cross-fit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path, help="a raw root with an oracle.json")
    parser.add_argument("work", type=Path, help="folder for models and predictions")
    parser.add_argument("--task", default="detection")
    parser.add_argument("--broken", type=float, default=0.1, help="share of labels to break")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--image-size", type=int, nargs=2)
    arguments = parser.parse_args()
    params = params_of(arguments)
    root = arguments.work / "raw"
    if not root.exists():
        with written_aside(root) as aside:
            with_broken_gold(arguments.source, aside, params.task, arguments.broken)
    train_folds(root, arguments.work, params)
    own = params.model_copy(update={"data": params.data.model_copy(update={"root": root})})
    predictions = arguments.work / "predictions"
    if not predictions.exists():
        cross_fit(arguments.work / "models", predictions, own)
    task = TASKS[params.task]
    write_audit(predictions, root / "images", arguments.work / "audit", task)
    suspects = task.suspects(read_coco(predictions / "gold" / FILE), predictions)
    found = hits(suspects, root)
    for count in (50, 100, 200):
        print(f"precision at {count}: {np.mean(found[:count]):.2f}")
    for kind in sorted({it.kind for it in suspects}):
        mine = [hit for it, hit in zip(suspects[:50], found, strict=False) if it.kind == kind]
        print(f"of the first 50, {kind}: {sum(mine)} of {len(mine)} broken on purpose")


if __name__ == "__main__":
    main()
