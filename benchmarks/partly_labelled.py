"""What silver on partly labelled gold is worth: a third of gold's labels are removed.

    python -m benchmarks.partly_labelled ../shared/data/bccd --work ../partly --seeds 0 1 2

Three arms per seed, each with its own project folder, from the same random third:

- complete: all labels of gold.
- partial: a third of the labels is removed; nothing says so.
- filled: the same, with `prepare.partial: all`.

Val, tuning and test keep all labels. The table has test mAP of the best round by val, and how many
of the removed labels silver brought back.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from pseudolabel.core.boxes import iou_matrix
from pseudolabel.core.files import write_json
from pseudolabel.core.records import Annotations
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.presets import use

ROOT = Path(__file__).parents[1]
REMOVED = 1 / 3
FOUND = 0.5
"""IoU from which an added object is a removed label."""
ARMS = {"complete": None, "partial": None, "filled": "all"}


def remove_labels(content: dict, seed: int) -> list[dict]:
    """Remove a random third of the annotations of a COCO file, and return them."""
    rows = content["annotations"]
    rng = np.random.default_rng(seed)
    gone = set(rng.choice(len(rows), round(len(rows) * REMOVED), replace=False).tolist())
    content["annotations"] = [row for number, row in enumerate(rows) if number not in gone]
    return [rows[number] for number in sorted(gone)]


def write_data(source: Path, folder: Path, arm: str, seed: int) -> None:
    """Write a raw root with links to the images, and gold without the labels of an arm."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        target = folder / path.name
        if path.name not in ("gold.json", "removed.json") and not target.exists():
            target.symlink_to(path.resolve())
    content = json.loads((source / "gold.json").read_bytes())
    removed = remove_labels(content, seed) if arm != "complete" else []
    write_json(folder / "gold.json", content)
    write_json(folder.parent / "removed.json", content | {"annotations": removed})


def write_project(folder: Path, arm: str, seed: int, changes: dict) -> None:
    """Write a project as `pseudolabel init` does, with the small model of the sample."""
    command = [sys.executable, "-m", "pseudolabel", "init", str(folder), "--task", "detection"]
    subprocess.run([*command, "--data", str(folder / "raw")], check=True, cwd=ROOT)
    path = folder / "params.yaml"
    use("sample_detection", path, folder / "presets")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values |= {"seed": seed}
    values["prepare"]["partial"] = ARMS[arm]
    for name, value in changes.items():
        section, _, key = name.rpartition(".")
        (values[section] if section else values)[key] = value
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def run_arm(source: Path, work: Path, arm: str, seed: int, changes: dict) -> dict:
    """Run the loop for one arm and seed, and return its row of the table."""
    folder = work / f"{arm}_{seed}"
    if not (folder / "metrics.json").exists():
        write_data(source, folder / "raw", arm, seed)
        if not (folder / "params.yaml").exists():
            write_project(folder, arm, seed, changes)
        # The code of this repository, not that of an installed package.
        environment = dict(os.environ, PYTHONPATH=str(ROOT))
        command = [sys.executable, "-m", "dvc", "repro"]
        subprocess.run(command, check=True, cwd=folder, env=environment)
    metrics = json.loads((folder / "metrics.json").read_bytes())
    history = json.loads(
        (folder / f"rounds/{metrics['round']}/evaluation/history.json").read_bytes()
    )
    best = history[metrics["best_round"]]
    row = {"arm": arm, "seed": seed, "best_round": metrics["best_round"]}
    row |= {"round_0_test": history[0]["test"]["mAP"], "best_test": best["test"]["mAP"]}
    return row | count_found(folder, metrics["round"])


def count_found(folder: Path, number: int) -> dict:
    """Return how many objects the last round added to gold, and how many were removed labels."""
    gold = SplitFolder(folder / "rounds" / str(number) / "merged" / "gold").read()
    added = gold.annotations[(gold.annotations.rounds > 0) & ~gold.annotations.crowds]
    removed = read_coco(folder / "removed.json")
    names = dict(zip(gold.images.file_names, gold.images.ids.tolist(), strict=True))
    right = total = 0
    for name, image_id in zip(removed.images.file_names, removed.images.ids, strict=True):
        if name in names:
            true = removed.annotations[removed.annotations.image_ids == image_id]
            total += len(true)
            right += count_matches(added[added.image_ids == names[name]], true)
    return {"removed": total, "added": len(added), "right": right}


def count_matches(added: Annotations, true: Annotations) -> int:
    """Return how many removed labels have an added object of their class on them."""
    overlaps = iou_matrix(true.boxes_xyxy, added.boxes_xyxy)
    overlaps[true.category_ids[:, None] != added.category_ids[None]] = 0
    return int((overlaps.max(axis=1, initial=0) >= FOUND).sum())


def table(rows: list[dict]) -> str:
    """Return the rows as a Markdown table, with the mean over seeds of each arm."""
    names = list(rows[0])
    lines = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    for arm in ARMS:
        own = [row for row in rows if row["arm"] == arm]
        lines += [f"| {' | '.join(str(row[name]) for name in names)} |" for row in own]
        mean = np.mean([row["best_test"] for row in own])
        lines.append(f"| {arm}, mean | | | | {mean:.4f} | | | |")
    return "\n".join(lines)


def main() -> None:
    """Run all arms and seeds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="raw root with gold, val and test")
    parser.add_argument("--work", type=Path, required=True, help="outside of any repository")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], help="parameters, such as round=1")
    options = parser.parse_args()
    changes = {}
    for text in options.set:
        name, _, value = text.partition("=")
        changes[name] = yaml.safe_load(value)
    work = options.work.resolve()
    rows = [
        run_arm(options.data.resolve(), work, arm, seed, changes)
        for seed in options.seeds
        for arm in ARMS
    ]
    print(table(rows))


if __name__ == "__main__":
    main()
