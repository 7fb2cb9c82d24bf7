"""The lift benchmark on a tiny sample: every arm is trained once."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.lift_bench import Bench
from benchmarks.lift_draws import draws_path, read_draws
from benchmarks.lift_pool import labelled_pool
from benchmarks.lift_table import by_arm, intervals, read_results
from benchmarks.preset_params import preset_params
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.params.sample import Sample
from pseudolabel.raw.sample import SAMPLES

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
TINY = Sample(seed=0, gold=6, val=6, test=5, pool=8, width=96, height=80)
SETTINGS = {
    "train.iterations": "40",
    "train.warmup_iterations": "5",
    "train.ema_momentum": "0.2",
    "train.batch_size": "4",
    "model.image_size": "[96, 96]",
    "pseudo_label.score_floor": "0.001",
    "filter.score": "0.001",
    "filter.hide_score": "null",
    "filter.min_side": "1",
    "filter.max_boxes": "300",
    "filter.nms_iou": "1.0",
    "prepare.duplicate_distance": "null",
}


def run_lift(folder, *more):
    command = [sys.executable, "-m", "benchmarks.lift", "--task", "detection", "--quick"]
    command += ["--setting", "scratch"]
    command += ["--root", folder / "raw", "--out", folder / "lift.csv", "--work", folder / "work"]
    for name, value in SETTINGS.items():
        command += ["--set", name, value]
    done = subprocess.run(
        [*map(str, command), *more], cwd=PROJECT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [line for line in done.stdout.splitlines() if line.startswith("raw,")]


def run_lift_pool(folder):
    command = [sys.executable, "-m", "benchmarks.lift_pool", "--task", "detection"]
    command += ["--setting", "scratch", "--root", folder / "raw", "--work", folder / "work"]
    done = subprocess.run(
        [*map(str, command)], cwd=PROJECT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    return [row for row in rows if row[0] == "raw"]


def scored_images(folder):
    """The images of the pool that are scored, and the one that no model may see the labels of."""
    data = folder / "work" / "raw" / "scratch"
    params = preset_params("detection", {"data.root": folder / "raw"})
    dataset, _ = labelled_pool(Bench(params, data, data, sees_test=False))
    return {*dataset.images.file_names, read_coco(folder / "raw/oracle.json").images.file_names[0]}


def read_rows(folder):
    with (folder / "lift.csv").open() as file:
        return [
            (row["arm"], int(row["round"]), row["val"], row["test"]) for row in csv.DictReader(file)
        ]


def read_costs(folder):
    with (folder / "lift.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [(row["arm"], row["round"], row["seconds"], row["peak_mb"]) for row in rows]


def test_all_arms_are_trained_once_and_scored_on_test_on_request(tmp_path):
    SAMPLES["detection"](tmp_path / "raw", TINY)
    assert len(run_lift(tmp_path, "--val-only", "--arms", "gold", "loop")) == 4
    assert [row[3] for row in read_rows(tmp_path)] == [""] * 4
    paths = (tmp_path / "work").rglob("model/weights.pth")
    models = {path: path.stat().st_mtime_ns for path in paths}
    costs = read_costs(tmp_path)
    (tmp_path / "lift.csv").unlink()
    run_lift(tmp_path)
    rows = read_rows(tmp_path)
    expected = [("gold", 0), ("loop", 1), ("loop", 2), ("loop", 3)]
    others = ("oracle", "gold_long", "gold_augmented", "oracle_long", "soft_teacher")
    expected += [(name, 0) for name in others]
    assert [row[:2] for row in rows] == expected
    assert all(0 <= float(score) <= 1 for row in rows for score in row[2:])
    # The models are scored on test, but not trained again. The costs stay unchanged.
    assert read_costs(tmp_path)[:4] == costs
    assert all(path.stat().st_mtime_ns == time for path, time in models.items())
    assert run_lift(tmp_path) == []
    arms = by_arm(read_results(tmp_path / "lift.csv", "scratch"))
    draws = read_draws(draws_path(tmp_path / "lift.csv"))
    assert len(draws) == len(rows)
    gains = {row["over"]: row for row in intervals(arms, draws)}
    assert set(gains) == {"gold", *others}
    assert all(row["low"] <= row["high"] for row in gains.values())
    scored = run_lift_pool(tmp_path)
    assert {(row[2], int(row[3])) for row in scored} == {
        key for key in expected if not key[0].startswith("oracle")
    }
    assert all(0 <= float(row[4]) <= 1 for row in scored)
    assert scored_images(tmp_path) == set(read_coco(tmp_path / "raw/oracle.json").images.file_names)


def test_two_stage_detectors_are_trained_with_the_class_soft_teacher(tmp_path):
    SAMPLES["detection"](tmp_path / "raw", TINY)
    config = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"
    more = ["--set", "model.config", config, "--arms", "gold", "soft_teacher"]
    short = ["--set", "train.iterations", "2", "--set", "train.warmup_iterations", "0"]
    # With the usual rate and random weights, a ResNet-50 has no proposals after two steps, and
    # SoftTeacher fails without proposals.
    short += ["--set", "train.learning_rate", "0.0001"]
    rows = run_lift(tmp_path, *more, *short)
    assert [row.split(",")[3] for row in rows] == ["gold", "soft_teacher"]
    model = (
        tmp_path
        / "work"
        / "raw"
        / "scratch"
        / "seed_0"
        / "soft_teacher"
        / "0"
        / "model"
        / "weights.pth"
    )
    assert any("rpn_head" in name for name in load_weights(model))


def test_the_online_teacher_takes_the_augmentations_of_the_defaults(tmp_path):
    SAMPLES["detection"](tmp_path / "raw", TINY)
    more = ["--setting", "pretrained", "--arms", "gold", "soft_teacher"]
    short = ["--set", "train.iterations", "6", "--threshold", "soft_teacher", "0.01"]
    rows = run_lift(tmp_path, *more, *short)
    assert [row.split(",")[2:4] for row in rows] == [
        ["pretrained", "gold"],
        ["pretrained", "soft_teacher"],
    ]
