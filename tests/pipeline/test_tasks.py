"""The same loop for the other tasks: real models, a real DVC repository, real commands."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from pseudolabel.core.files import hash_file
from pseudolabel.formats.map_shards import MapShards
from pseudolabel.formats.model_folder import kept_weights
from pseudolabel.formats.shards import read_probabilities, shard_paths
from pseudolabel.formats.split_folder import SplitFolder
from tests.pipeline.conftest import (
    TEACHER_STAGES,
    round_stages,
    without_indexes,
    without_network,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_committed")]
TASKS = ["instance", "semantic", "classification"]
each_task = pytest.mark.parametrize("task", TASKS, indirect=True)
HEADLINES = {
    "instance": ["mAP", "mAP_50", "mAP_75", "box_mAP"],
    "semantic": ["mIoU", "mAcc", "aAcc"],
    "classification": ["top1", "top5", "macro_f1", "ece"],
}


@pytest.mark.parametrize("task", ["classification"], indirect=True)
def test_transductive_metrics_are_marked(at_round_2):
    options = ["-S", "prepare.transductive=true", "-S", "round=1", "-S", "filter.score=0.0"]
    output = at_round_2.run("dvc", "exp", "run", *options)
    assert "test transductive top1" in output
    metrics = json.loads(at_round_2.read("metrics.json"))
    assert {"test_transductive.top1", "lift.test_transductive.top1"} <= set(metrics)
    assert not any(name.startswith(("test.", "lift.test.")) for name in metrics)
    test, pool, silver = (
        set(SplitFolder(at_round_2.folder / path).read().images.ids.tolist())
        for path in ("data/prepared/test", "data/prepared/pool", "rounds/1/merged/silver")
    )
    assert test < pool
    assert test & silver


@pytest.mark.parametrize("task", ["classification"], indirect=True)
@pytest.mark.usefixtures("task")
def test_weights_that_tuning_chose_label_the_pool(at_round_2):
    changes = ["evaluate.select=best", "train.snapshots=3", "round=0"]
    changes.append("pseudo_label.stability=checkpoints")
    options = [part for change in changes for part in ("-S", change)]
    assert "chosen iteration" in at_round_2.run("dvc", "exp", "run", *options)
    (row,) = json.loads(at_round_2.read("rounds/0/evaluation/history.json"))
    assert row["selection"]["split"] == "tuning"
    iterations = [point["iteration"] for point in row["selection"]["curve"]]
    assert iterations == [15, 30, 45, 60]
    champion = at_round_2.folder / "rounds" / "0" / "champion"
    record = json.loads((champion / "training.json").read_text())
    assert record["iterations"] == row["selection"]["iteration"]
    assert record["weights"] == hash_file(champion / "weights.pth")
    assert len(kept_weights(champion)) == 4
    assert json.loads(at_round_2.read("metrics.json"))["chosen_iteration"] == record["iterations"]
    assert at_round_2.stages("dvc", "repro") == []
    at_round_2.run("dvc", "repro", "rounds/dvc.yaml:pseudo_label@1")
    teacher = json.loads(at_round_2.read("rounds/1/predictions/teacher.json"))
    assert teacher["weights"] == record["weights"]


@each_task
def test_round_2_runs_rounds_0_to_2(at_round_2, task):
    assert sorted(at_round_2.first[:2]) == ["prepare", "sample"]
    ran = without_indexes(at_round_2.first[2:])
    assert ran == [*TEACHER_STAGES, *round_stages(1), *round_stages(2), "compare"]
    metrics = json.loads(at_round_2.read("metrics.json"))
    names = {f"{split}.{name}" for split in ("val", "test") for name in HEADLINES[task]}
    names |= {f"lift.{split}.{HEADLINES[task][0]}" for split in ("val", "test")}
    names |= {"gain", "gain.low", "gain.high", "silver.agreement"}
    names |= {"round", "best_round", "iterations", "silver.images", "silver.annotations"}
    assert set(metrics) == names
    assert metrics["gain.low"] <= metrics["gain.high"]
    assert 0 <= metrics["silver.agreement"] <= 1
    assert metrics["silver.images"] > 0
    assert f"| round | val {HEADLINES[task][0]} |".encode() in at_round_2.read("report/rounds.md")


@pytest.mark.skipif(not without_network(), reason="this system has no network namespaces")
@each_task
@pytest.mark.usefixtures("task")
def test_the_loop_ends_without_a_network(at_round_2):
    # The first two lines are headers; the fixture ran the loop with the same command.
    devices = at_round_2.run(*without_network(), "cat", "/proc/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]
    assert (at_round_2.folder / "rounds/2/champion").is_dir()


@each_task
def test_students_begin_from_the_champion_or_from_random_weights(at_round_2, task):
    def record(path):
        return json.loads(at_round_2.read(f"rounds/{path}/training.json"))

    initial = [record(f"{number}/model")["initial_weights"] for number in (0, 1, 2)]
    champions = [record(f"{number}/champion")["weights"] for number in (0, 1)]
    is_random = task == "classification"
    assert initial == [None, *([None] * 2 if is_random else champions)]
    history = json.loads(at_round_2.read("rounds/2/evaluation/history.json"))
    assert (history[1]["iterations"] == history[0]["iterations"]) == is_random


@each_task
def test_silver_has_the_labels_of_the_task_and_their_source(at_round_2, task):
    merged = at_round_2.folder / "rounds" / "2" / "merged" / "silver"
    split = SplitFolder(merged)
    rows = json.loads(split.coco_file.read_bytes())["annotations"]
    assert {(row["source"], row["round"]) for row in rows} == {("silver", 2)}
    assert len({row["teacher"] for row in rows}) == 1
    if task == "instance":
        assert all(row["segmentation"]["counts"] for row in rows)
    elif task == "classification":
        images = {row["image_id"] for row in rows}
        assert len(images) == len(rows)
    else:
        dataset = split.read()
        pixels = 0
        assert [path.suffix for path in (merged / "masks").iterdir()] == [".parquet"] * 3
        for row, image_id in enumerate(dataset.images.ids.tolist()):
            labels = split.label_map(image_id)
            assert labels.shape == (dataset.images.heights[row], dataset.images.widths[row])
            assert set(np.unique(labels)) <= {0, 1, 2, 3, 255}
            pixels += (labels != 255).sum()
        assert pixels == sum(row["area"] for row in rows)


@each_task
def test_predictions_have_the_form_of_the_task(at_round_2, task):
    folder = at_round_2.folder / "rounds" / "1" / "predictions"
    shards = shard_paths(folder)
    assert len(shards) == 3
    columns = set(pq.read_schema(shards[0]).names)
    if task == "classification":
        assert columns == {"image_id", "probabilities"}
        assert np.allclose(read_probabilities(shards[0]).values.sum(axis=1), 1, atol=1e-5)
    elif task == "semantic":
        assert columns == {"image_id", "labels", "confidences"}
        assert len(MapShards(shards).image_ids) == 10
        assert not list(folder.rglob("*.png"))
    else:
        assert {"mask", "stability", "area"} <= columns


@pytest.mark.parametrize("task", ["classification"], indirect=True)
@pytest.mark.usefixtures("task")
def test_another_task_is_one_command_away(at_round_2):
    before = at_round_2.read("params.yaml")
    output = at_round_2.run("dvc", "exp", "run", "-S", "task=semantic", fails=True)
    assert "python -m pseudolabel use semantic" in output
    (at_round_2.folder / "params.yaml").write_bytes(before)
    at_round_2.run("python", "-m", "pseudolabel", "use", "semantic")
    assert at_round_2.stages("dvc", "repro", "prepare") == ["sample", "prepare"]
    (at_round_2.folder / "params.yaml").write_bytes(before)
    assert at_round_2.stages("dvc", "repro") == []


@pytest.mark.parametrize("task", ["classification"], indirect=True)
@pytest.mark.usefixtures("task")
def test_the_champion_is_exported_on_test_or_a_folder(at_round_2, tmp_path):
    results = at_round_2.folder / "export" / "results"
    assert at_round_2.stages("dvc", "repro", "extras/dvc.yaml:export") == ["export"]
    names = (results / "submission.csv").read_text().splitlines()[1:]
    test = SplitFolder(at_round_2.folder / "data/prepared/test").read().images
    assert [name.split(",")[0] for name in names] == test.file_names.tolist()
    assert at_round_2.stages("dvc", "repro", "extras/dvc.yaml:export") == []
    shutil.copy(at_round_2.folder / "data/sample/images" / test.file_names[0], tmp_path / "a.png")
    at_round_2.run("dvc", "exp", "run", "extras/dvc.yaml:export", "-S", f"export.images={tmp_path}")
    (line,) = (results / "submission.csv").read_text().splitlines()[1:]
    assert line == names[0].replace(test.file_names[0], "a.png")
