"""The lift benchmark on a tiny sample: every arm is trained once, and what is there stays."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.lift_table import by_arm, intervals, read_results
from pseudolabel.engines.checkpoints import load_weights
from pseudolabel.params.sections import Sample
from pseudolabel.tasks import TASKS

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
    command += ["--root", folder / "raw", "--out", folder / "lift.csv", "--work", folder / "work"]
    for name, value in SETTINGS.items():
        command += ["--set", name, value]
    done = subprocess.run(
        [*map(str, command), *more], cwd=PROJECT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [line for line in done.stdout.splitlines() if line.startswith("raw,")]


def rows_of(folder):
    with (folder / "lift.csv").open() as file:
        return [
            (row["arm"], int(row["round"]), row["val"], row["test"]) for row in csv.DictReader(file)
        ]


def costs_of(folder):
    with (folder / "lift.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [(row["arm"], row["round"], row["seconds"], row["peak_mb"]) for row in rows]


def test_all_arms_are_measured_once_and_test_only_when_it_is_asked_for(tmp_path):
    TASKS["detection"].write_sample(tmp_path / "raw", TINY)
    assert len(run_lift(tmp_path, "--val-only", "--arms", "gold", "loop")) == 4
    assert [row[3] for row in rows_of(tmp_path)] == [""] * 4
    models = {it: it.stat().st_mtime_ns for it in (tmp_path / "work").rglob("model/weights.pth")}
    costs = costs_of(tmp_path)
    (tmp_path / "lift.csv").unlink()
    run_lift(tmp_path)
    rows = rows_of(tmp_path)
    expected = [("gold", 0), ("loop", 1), ("loop", 2), ("loop", 3)]
    expected += [("oracle", 0), ("gold_long", 0), ("soft_teacher", 0)]
    assert [row[:2] for row in rows] == expected
    assert all(0 <= float(score) <= 1 for row in rows for score in row[2:])
    # Looking at test judged the models that were there, and trained none again; costs stay.
    assert costs_of(tmp_path)[:4] == costs
    assert all(path.stat().st_mtime_ns == then for path, then in models.items())
    assert run_lift(tmp_path) == []
    arms = by_arm(read_results(tmp_path / "lift.csv"))
    gains = {row["over"]: row for row in intervals("raw", arms, tmp_path / "work")}
    assert set(gains) == {"gold", "gold_long", "soft_teacher", "oracle"}
    assert all(row["low"] <= row["high"] for row in gains.values())


def test_detectors_of_two_stages_are_trained_by_soft_teacher_itself(tmp_path):
    TASKS["detection"].write_sample(tmp_path / "raw", TINY)
    config = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"
    more = ["--set", "model.config", config, "--arms", "gold", "soft_teacher"]
    short = ["--set", "train.iterations", "2", "--set", "train.warmup_iterations", "0"]
    # At the usual rate, two steps leave a ResNet-50 from nothing without a single proposal, which
    # SoftTeacher does not provide for.
    short += ["--set", "train.learning_rate", "0.0001"]
    rows = run_lift(tmp_path, *more, *short)
    assert [row.split(",")[2] for row in rows] == ["gold", "soft_teacher"]
    model = tmp_path / "work" / "raw" / "seed_0" / "soft_teacher" / "0" / "model" / "weights.pth"
    assert any("rpn_head" in name for name in load_weights(model))
