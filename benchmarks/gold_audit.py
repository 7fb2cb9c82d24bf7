r"""The precision of the audit: how many of its first suspects are errors made on purpose.

    python -m benchmarks.gold_audit ../shared/data/bccd audits/bccd --broken 0.1 \
        --image-size 320 240   # as in docs/benchmarks.md

The gold and the oracle of a raw root are joined, and errors are made in a share of the labels. One
model per fold is trained on the other folds, with the parameters of presets/sample_<task>.yaml. The
audit then ranks the labels. Results in the work folder are used again: after a kill, the program
resumes at the first missing fold.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from cleanlab.object_detection.rank import (
    compute_badloc_box_scores,
    compute_overlooked_box_scores,
    compute_swap_box_scores,
)
from numpy.typing import NDArray

from benchmarks.broken_labels import break_labels
from benchmarks.preset_params import preset_params
from pseudolabel.audit import SUSPECTS
from pseudolabel.audit.cross_fit import cross_fit
from pseudolabel.audit.objects import SAME_OBJECT_IOU, corners
from pseudolabel.audit.report import write_audit
from pseudolabel.audit.suspects import MISPLACED, MISSED, WRONG_CLASS, Suspect, sort_suspects
from pseudolabel.core.boxes import iou_matrix
from pseudolabel.core.datasets import select_images
from pseudolabel.core.files import read_json, write_json, written_aside
from pseudolabel.core.per_round import in_round
from pseudolabel.core.records import Annotations, Dataset, Images
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.coco_writer import write_coco
from pseudolabel.formats.fold_folder import write_fold
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.shards import read_shards
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.raw import SPLIT_READERS
from pseudolabel.raw.sample.labels import ORACLE
from pseudolabel.splits.prepare import prepare
from pseudolabel.training.train import train


def with_broken_gold(source: Path, root: Path, task: str, share: float) -> None:
    """Write a raw root whose gold is gold and oracle together, with errors in a share of labels."""
    read = SPLIT_READERS[task]
    gold, gold_faults = read(source, "gold") or (None, ["no gold"])
    oracle, oracle_faults = read(source, ORACLE) or (None, ["no oracle"])
    if gold is None or oracle is None or gold_faults or oracle_faults:
        raise SystemExit(f"{source}: {[*gold_faults, *oracle_faults]}")
    # The first image stays out, because prepare requires a pool. Nothing is pseudo-labelled here.
    everything = append_dataset(gold, oracle)
    everything = select_images(everything, np.arange(len(everything.images)) > 0)
    root.mkdir(parents=True)
    (root / IMAGES).symlink_to((source / IMAGES).resolve())
    for split in ("val", "test"):
        shutil.copy(source / f"{split}.json", root)
    dataset, broken = break_labels(everything, share, np.random.default_rng(0))
    write_coco(root / "whole.json", everything)
    write_coco(root / "gold.json", dataset)
    write_json(root / "broken.json", {str(label): kind for label, kind in broken.items()})


def append_dataset(one: Dataset, other: Dataset) -> Dataset:
    """Return two data sets as one, in order; the ids of the second follow those of the first.

    The order decides which labels get errors: the published numbers depend on it.
    """
    shift = int(one.images.ids.max(initial=0)) + 1
    images = replace(other.images, ids=other.images.ids + shift)
    first = int(one.annotations.ids.max(initial=0)) + 1
    rows = other.annotations
    rows = replace(rows, ids=rows.ids + first, image_ids=rows.image_ids + shift)
    return Dataset(
        Images.concatenate([one.images, images]),
        Annotations.concatenate([one.annotations, rows]),
        one.categories,
    )


def train_folds(root: Path, work: Path, params: Params) -> None:
    """Train the models of all folds that are missing."""
    count = params.prepare.folds or 1
    for number in range(count):
        if (work / "models" / str(number)).exists():
            continue
        section = params.prepare.model_copy(update={"fold": number})
        of_fold = params.model_copy(update={"prepare": section})
        prepared = work / "prepared"
        prepare(root, prepared, params.task, section, params.seed)
        train(prepared, prepared, work / "model", in_round(of_fold, 0))
        write_fold(work / "models", number, work / "model", prepared)


def hits(suspects: Sequence[Suspect], root: Path) -> list[bool]:
    """Return for each suspect whether it is an error that was made on purpose."""
    broken = {int(key): kind for key, kind in read_json(root / "broken.json").items()}
    truth = read_coco(root / "whole.json")
    files = dict(zip(truth.images.ids.tolist(), truth.images.file_names, strict=True))
    removed: dict[str, list[NDArray[np.float32]]] = {}
    for row, number in enumerate(truth.annotations.ids.tolist()):
        if broken.get(number) == MISSED:
            file = files[int(truth.annotations.image_ids[row])]
            removed.setdefault(file, []).append(truth.annotations.boxes_xyxy[row])
    correct = []
    for suspect in suspects:
        if suspect.kind == MISSED:
            box = np.array([suspect.suggested_xyxy], np.float32)
            boxes = np.array(removed.get(suspect.file, []), np.float32).reshape(-1, 4)
            correct.append(bool((iou_matrix(box, boxes) > SAME_OBJECT_IOU).any()))
        else:
            correct.append(suspect.annotation_id in broken)
    return correct


def rank_by_cleanlab(gold: Dataset, predictions: Path, confident: float) -> list[Suspect]:
    """Return boxes ranked by the three scores of cleanlab for object detection.

    Args:
        gold: labels with boxes.
        predictions: the folder of the cross-fit.
        confident: the lowest score of a prediction that can contradict a label.
    """
    ids = gold.images.ids
    labels = list(gold.annotations.by_image(ids))
    predicted = [
        rows[np.argsort(rows.category_ids, kind="stable")]
        for rows in read_shards(predictions).by_image(ids)
    ]
    inputs = {
        "labels": [
            {
                "bboxes": rows.boxes_xyxy.astype(float),
                "labels": rows.class_indices(gold.categories),
            }
            for rows in labels
        ],
        "predictions": [boxes_by_class(rows, gold) for rows in predicted],
    }
    overlooked = compute_overlooked_box_scores(**inputs, high_probability_threshold=confident)
    swapped = compute_swap_box_scores(
        **inputs, high_probability_threshold=confident, overlapping_label_check=False
    )
    misplaced = compute_badloc_box_scores(**inputs, low_probability_threshold=0.3)
    suspects: list[Suspect] = []
    for number, file in enumerate(gold.images.file_names):
        for kind, scores in ((WRONG_CLASS, swapped[number]), (MISPLACED, misplaced[number])):
            rows = labels[number]
            suspects += [
                Suspect(float(score), file, kind, int(rows.ids[row]), "", "", corners(rows, row))
                for row, score in enumerate(scores)
            ]
        suspects += [
            Suspect(float(score), file, MISSED, None, "", "", None, corners(predicted[number], row))
            for row, score in enumerate(overlooked[number])
            if np.isfinite(score)
        ]
    return sort_suspects(suspects)


def boxes_by_class(rows: Annotations, gold: Dataset) -> NDArray[np.object_]:
    """Return one (n, 5) array of boxes and scores per class, as cleanlab reads predictions."""
    table = np.concatenate([rows.boxes_xyxy, rows.scores[:, None]], axis=1).astype(float)
    by_class = np.empty(len(gold.categories), object)
    by_class[:] = [table[rows.category_ids == category.id] for category in gold.categories]
    return by_class


def params_of(arguments: argparse.Namespace) -> Params:
    """Return the parameters of the task, with the values of the command line."""
    options = {"prepare.folds": arguments.folds, "data.root": arguments.work / "raw"}
    if arguments.image_size:
        options["model.image_size"] = arguments.image_size
    return preset_params(f"sample_{arguments.task}", options)


def print_precision(name: str, suspects: Sequence[Suspect], root: Path) -> None:
    """Print the precision of the first suspects, and the correct ones by kind."""
    correct = hits(suspects, root)
    precision = ", ".join(f"{np.mean(correct[:count]):.2f} at {count}" for count in (50, 100, 200))
    first = list(zip(suspects[:50], correct, strict=False))
    counts = []
    for kind in sorted({suspect.kind for suspect, _ in first}):
        of_kind = [hit for suspect, hit in first if suspect.kind == kind]
        counts.append(f"{kind} {sum(of_kind)} of {len(of_kind)}")
    print(f"{name}: precision {precision}; of the first 50: {', '.join(counts)}")


def main() -> None:
    """Make errors, train, cross-fit, rank."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path, help="a raw root with an oracle.json")
    parser.add_argument("work", type=Path, help="folder for models and predictions")
    parser.add_argument("--task", default="detection")
    parser.add_argument("--broken", type=float, default=0.1, help="share of labels with an error")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--image-size", type=int, nargs=2)
    parser.add_argument("--cleanlab", action="store_true", help="also rank boxes by cleanlab")
    arguments = parser.parse_args()
    params = params_of(arguments)
    root = arguments.work / "raw"
    if not root.exists():
        with written_aside(root) as aside:
            with_broken_gold(arguments.source, aside, params.task, arguments.broken)
    train_folds(root, arguments.work, params)
    predictions = arguments.work / "predictions"
    if not predictions.exists():
        cross_fit(arguments.work / "models", predictions, params)
    write_audit(predictions, root / IMAGES, arguments.work / "audit", params.task)
    gold, broken = SplitFolder(predictions / "gold").read(), read_json(root / "broken.json")
    labels = read_coco(root / "whole.json").annotations
    print(f"{len(gold.images):,} images, {len(labels):,} labels, {len(broken):,} with an error")
    rankings = {"the audit": SUSPECTS[params.task](gold, predictions)}
    if arguments.cleanlab:
        rankings |= {
            f"cleanlab, confident from {score}": rank_by_cleanlab(gold, predictions, score)
            for score in (0.5, 0.6, 0.95)
        }
    for name, suspects in rankings.items():
        print_precision(name, suspects, root)


if __name__ == "__main__":
    main()
