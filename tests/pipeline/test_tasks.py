"""The same loop for the other tasks: real models, a real DVC repository, real commands."""

import json
import shutil

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from tests.pipeline.conftest import round_stages

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_committed")]
TASKS = ["instance", "semantic", "classification"]
each_task = pytest.mark.parametrize("task", TASKS, indirect=True)
HEADLINES = {
    "instance": ["mAP", "mAP_50", "mAP_75", "box_mAP"],
    "semantic": ["mIoU", "mAcc", "aAcc"],
    "classification": ["top1", "top5", "macro_f1", "ece"],
}


@pytest.mark.parametrize("task", ["classification"], indirect=True)
def test_test_images_are_pseudo_labelled_on_purpose_and_marked(at_round_2):
    options = ["-S", "prepare.transductive=true", "-S", "round=1", "-S", "filter.score=0.0"]
    said = at_round_2.run("dvc", "exp", "run", *options)
    assert "test transductive top1" in said
    metrics = json.loads(at_round_2.read("metrics.json"))
    assert {"test_transductive.top1", "lift.test_transductive.top1"} <= set(metrics)
    assert not any(name.startswith(("test.", "lift.test.")) for name in metrics)
    test, pool, silver = (
        set(read_coco(at_round_2.folder / path / FILE).images.ids.tolist())
        for path in ("data/prepared/test", "data/prepared/pool", "rounds/1/merged/silver")
    )
    assert test < pool
    assert test & silver


@each_task
def test_round_2_runs_rounds_0_to_2(at_round_2, task):
    assert sorted(at_round_2.first[:2]) == ["prepare", "sample"]
    ran = at_round_2.first[2:]
    assert ran == ["train@0", "evaluate@0", *round_stages(1), *round_stages(2), "compare"]
    metrics = json.loads(at_round_2.read("metrics.json"))
    names = {f"{split}.{it}" for split in ("val", "test") for it in HEADLINES[task]}
    names |= {f"lift.{split}.{HEADLINES[task][0]}" for split in ("val", "test")}
    names |= {"gain", "gain.low", "gain.high", "silver.agreement"}
    names |= {"round", "best_round", "iterations", "silver.images", "silver.annotations"}
    assert set(metrics) == names
    assert metrics["gain.low"] <= metrics["gain.high"]
    assert 0 <= metrics["silver.agreement"] <= 1
    assert metrics["silver.images"] > 0
    assert f"| round | val {HEADLINES[task][0]} |".encode() in at_round_2.read("report/rounds.md")


@each_task
def test_students_go_on_from_the_champion_or_begin_anew(at_round_2, task):
    def record_of(path):
        return json.loads(at_round_2.read(f"rounds/{path}/training.json"))

    began_from = [record_of(f"{it}/model")["first_weights"] for it in (0, 1, 2)]
    champions = [record_of(f"{it}/champion")["weights"] for it in (0, 1)]
    anew = task == "classification"
    assert began_from == [None, *([None] * 2 if anew else champions)]
    history = json.loads(at_round_2.read("rounds/2/evaluation/history.json"))
    assert (history[1]["iterations"] == history[0]["iterations"]) == anew


@each_task
def test_the_silver_is_of_the_task_and_says_where_it_comes_from(at_round_2, task):
    merged = at_round_2.folder / "rounds" / "2" / "merged" / "silver"
    rows = json.loads((merged / FILE).read_bytes())["annotations"]
    assert {(row["source"], row["round"]) for row in rows} == {("silver", 2)}
    assert len({row["teacher"] for row in rows}) == 1
    if task == "instance":
        assert all(row["segmentation"]["counts"] for row in rows)
    elif task == "classification":
        images = {row["image_id"] for row in rows}
        assert len(images) == len(rows)
    else:
        dataset = read_coco(merged / FILE)
        pixels = 0
        for row, image_id in enumerate(dataset.images.ids):
            labels = cv2.imread(str(merged / "masks" / f"{image_id:09d}.png"), -1)
            assert labels.shape == (dataset.images.heights[row], dataset.images.widths[row])
            assert set(np.unique(labels)) <= {0, 1, 2, 3, 255}
            pixels += (labels != 255).sum()
        assert pixels == sum(row["area"] for row in rows)


@each_task
def test_predictions_are_kept_in_the_form_of_the_task(at_round_2, task):
    folder = at_round_2.folder / "rounds" / "1" / "predictions"
    shards = tables.shard_paths(folder)
    assert len(shards) == 3
    columns = set(pq.read_schema(shards[0]).names)
    if task == "classification":
        assert columns == {"image_id", "probabilities"}
        assert np.allclose(tables.read_probabilities(shards[0]).values.sum(axis=1), 1, atol=1e-5)
    else:
        assert {"mask", "stability", "area"} <= columns
    maps = 10 if task == "semantic" else 0
    assert len(list(folder.glob("labels/*.png"))) == maps
    assert len(list(folder.glob("confidences/*.png"))) == maps


@each_task
@pytest.mark.usefixtures("task")
def test_another_round_runs_its_own_stages_and_no_other(at_round_2):
    ran = at_round_2.stages("dvc", "exp", "run", "-S", "round=3")
    assert ran == [*round_stages(3), "compare"]


@each_task
def test_another_threshold_labels_nothing_anew(at_round_2, task):
    # Calibrated, the classes of a model that hardly learnt anything are all below 0.2.
    scores = {"semantic": "filter.score=0.2", "classification": "filter.score=0.0"}
    change = scores.get(task, "filter.min_boxes=0")
    ran = at_round_2.stages("dvc", "exp", "run", "-S", "round=1", "-S", change)
    assert ran[0] == "filter@1"
    assert not [name for name in ran if name.startswith("pseudo_label")]


@pytest.mark.parametrize("task", ["classification"], indirect=True)
@pytest.mark.usefixtures("task")
def test_another_task_is_one_parameter_away_and_so_is_the_way_back(at_round_2):
    metrics = at_round_2.read("metrics.json")
    ran = at_round_2.stages("dvc", "exp", "run", "-S", "task=semantic", "-S", "round=0")
    assert ran == ["sample", "prepare", "train@0", "evaluate@0", "compare"]
    assert b"val mIoU" in at_round_2.read("report/rounds.md")
    ran = at_round_2.stages("dvc", "exp", "run", "-S", "task=classification", "-S", "round=2")
    assert ran == []
    assert at_round_2.read("metrics.json") == metrics


@pytest.mark.parametrize("task", ["classification"], indirect=True)
@pytest.mark.usefixtures("task")
def test_the_last_champion_hands_in_test_or_a_folder(at_round_2, tmp_path):
    results = at_round_2.folder / "export" / "results"
    assert at_round_2.stages("dvc", "repro", "export/dvc.yaml") == ["export"]
    names = (results / "submission.csv").read_text().splitlines()[1:]
    test = read_coco(at_round_2.folder / "data/prepared/test" / FILE).images
    assert [it.split(",")[0] for it in names] == test.file_names.tolist()
    assert at_round_2.stages("dvc", "repro", "export/dvc.yaml") == []
    shutil.copy(at_round_2.folder / "data/sample/images" / test.file_names[0], tmp_path / "a.png")
    at_round_2.run("dvc", "exp", "run", "export/dvc.yaml", "-S", f"export.images={tmp_path}")
    (line,) = (results / "submission.csv").read_text().splitlines()[1:]
    assert line == names[0].replace(test.file_names[0], "a.png")
