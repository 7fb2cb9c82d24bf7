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
from cleanlab.object_detection.rank import (
    compute_badloc_box_scores,
    compute_overlooked_box_scores,
    compute_swap_box_scores,
)
from numpy.typing import NDArray

from benchmarks.broken_labels import break_labels
from pseudolabel.audit.objects import SAME_IOU, corners
from pseudolabel.audit.suspects import (
    MISPLACED,
    MISSED,
    WRONG_CLASS,
    Suspect,
    first_suspects_first,
)
from pseudolabel.audit.writing import write_audit
from pseudolabel.boxes import iou_matrix
from pseudolabel.datasets import joined, of_images
from pseudolabel.engines.cross_fit import cross_fit
from pseudolabel.engines.training import train
from pseudolabel.files import read_json, write_json, written_aside
from pseudolabel.folds import keep_fold
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.formats.tables import read_shards
from pseudolabel.params.loading import TASKS as SECTIONS
from pseudolabel.params.loading import filled_in, read_yaml
from pseudolabel.params.sections import Params
from pseudolabel.prepare import prepare
from pseudolabel.records import Dataset, category_ids_of
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


def ranked_by_cleanlab(gold: Dataset, predictions: Path, sure: float) -> list[Suspect]:
    """Return boxes ranked by the three scores of cleanlab's object detection together.

    Args:
        gold: labels with boxes.
        predictions: the folder of the cross-fit.
        sure: the score from which a prediction is sure enough to speak against a label.
    """
    found, ids = read_shards(predictions), category_ids_of(gold.categories)
    labels, seen, mine = [], [], []
    for image_id in gold.images.ids:
        rows = gold.annotations[gold.annotations.image_ids == image_id]
        said = found[found.image_ids == image_id]
        said = said[np.argsort(said.category_ids, kind="stable")]
        classes = np.searchsorted(ids, rows.category_ids)
        labels.append({"bboxes": rows.boxes_xyxy.astype(float), "labels": classes})
        table = np.concatenate([said.boxes_xyxy, said.scores[:, None]], axis=1).astype(float)
        by_class = np.empty(len(ids), object)
        by_class[:] = [table[said.category_ids == it] for it in ids]
        seen.append(by_class)
        mine.append((rows, said))
    both = {"labels": labels, "predictions": seen}
    overlooked = compute_overlooked_box_scores(**both, high_probability_threshold=sure)
    swapped = compute_swap_box_scores(
        **both, high_probability_threshold=sure, overlapping_label_check=False
    )
    misplaced = compute_badloc_box_scores(**both, low_probability_threshold=0.3)
    suspects: list[Suspect] = []
    for number, file in enumerate(gold.images.file_names):
        rows, said = mine[number]
        for kind, scores in ((WRONG_CLASS, swapped[number]), (MISPLACED, misplaced[number])):
            suspects += [
                Suspect(float(score), file, kind, int(rows.ids[at]), "", "", corners(rows, at))
                for at, score in enumerate(scores)
            ]
        suspects += [
            Suspect(float(score), file, MISSED, None, "", "", None, corners(said, at))
            for at, score in enumerate(overlooked[number])
            if np.isfinite(score)
        ]
    return first_suspects_first(suspects)


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
    parser.add_argument("--cleanlab", action="store_true", help="rank boxes by cleanlab, too")
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
    gold, broken = read_coco(predictions / "gold" / FILE), read_json(root / "broken.json")
    whole = read_coco(root / "whole.json").annotations
    print(f"{len(gold.images):,} images, {len(whole):,} labels, {len(broken):,} of them broken")
    rankings = {"the audit": task.suspects(gold, predictions)}
    if arguments.cleanlab:
        rankings |= {
            f"cleanlab, sure from {sure}": ranked_by_cleanlab(gold, predictions, sure)
            for sure in (0.5, 0.6, 0.95)
        }
    for name, suspects in rankings.items():
        found = hits(suspects, root)
        said = ", ".join(f"{np.mean(found[:it]):.2f} at {it}" for it in (50, 100, 200))
        first = list(zip(suspects[:50], found, strict=False))
        counts = []
        for kind in sorted({it.kind for it, _ in first}):
            mine = [hit for it, hit in first if it.kind == kind]
            counts.append(f"{kind} {sum(mine)} of {len(mine)}")
        print(f"{name}: precision {said}; of the first 50: {', '.join(counts)}")


if __name__ == "__main__":
    main()
