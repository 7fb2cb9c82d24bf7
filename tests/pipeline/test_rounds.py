"""The loop as people use it: real models, a real DVC repository, real commands.

The tests of this module share one repository and run in order.
"""

import json
import time

import pytest

from tests.pipeline.conftest import copy_of_project, round_stages

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_committed")]


def experiments(repository):
    shown = json.loads(repository.run("dvc", "exp", "show", "--json"))
    return shown[-1]["experiments"] or []


def test_round_2_runs_rounds_0_to_2(at_round_2):
    assert sorted(at_round_2.first[:2]) == ["prepare", "sample"]
    ran = at_round_2.first[2:]
    assert ran == ["train@0", "evaluate@0", *round_stages(1), *round_stages(2), "compare"]
    metrics = json.loads(at_round_2.read("metrics.json"))
    names = {"round", "best_round", "lift.val.mAP", "lift.test.mAP"}
    names |= {f"{split}.{it}" for split in ("val", "test") for it in ("mAP", "mAP_50", "mAP_75")}
    names |= {"gain", "gain.low", "gain.high", "silver.agreement"}
    assert set(metrics) == names | {"iterations", "silver.images", "silver.annotations"}
    assert metrics["iterations"] in (80, 120)
    assert metrics["round"] == 2
    assert metrics["silver.annotations"] > 0
    assert b"| round | val mAP |" in at_round_2.read("report/rounds.md")


def test_a_second_repro_runs_nothing_in_under_three_seconds(at_round_2):
    start = time.monotonic()
    assert at_round_2.stages("dvc", "repro") == []
    # The promise is 3 s on an idle machine; a busy one must not fail the test.
    assert time.monotonic() - start < 10


def test_git_sees_only_what_is_to_be_committed(at_round_2):
    tracked = at_round_2.run("git", "show", "--stat=200", "--format=", "HEAD")
    changed = {line.split("|")[0].strip() for line in tracked.splitlines() if "|" in line}
    assert changed == {"data/dvc.lock", "dvc.lock", "metrics.json", "rounds/dvc.lock"}


def test_another_round_runs_its_own_stages_and_no_other(at_round_2):
    ran = at_round_2.stages("dvc", "exp", "run", "-S", "round=3")
    assert ran == [*round_stages(3), "compare"]
    assert not list((at_round_2.folder / "rounds" / "4").rglob("*"))
    diff = json.loads(at_round_2.run("dvc", "metrics", "diff", "--json"))["metrics.json"]
    assert (diff["round"]["old"], diff["round"]["new"]) == (2, 3)


def test_another_threshold_labels_nothing_anew_and_the_old_one_is_restored(at_round_2):
    metrics = at_round_2.read("metrics.json")
    ran = at_round_2.stages("dvc", "exp", "run", "-S", "round=1", "-S", "filter.score=0.02")
    assert ran == ["filter@1", "merge@1", "train@1", "evaluate@1", "compare"]
    assert at_round_2.stages("dvc", "exp", "run", "-S", "round=2", "-S", "filter.score=0.001") == []
    assert at_round_2.read("metrics.json") == metrics


def test_an_experiment_in_a_folder_of_its_own(at_round_2):
    before = at_round_2.read("params.yaml")
    output = at_round_2.run("dvc", "exp", "run", "--temp", "--name", "aside", "-S", "round=1")
    assert "Ran experiment(s): aside" in output
    assert at_round_2.read("params.yaml") == before
    (experiment,) = [it for it in experiments(at_round_2) if it["revs"][0]["name"] == "aside"]
    assert experiment["revs"][0]["data"]["metrics"]["metrics.json"]["data"]["round"] == 1


def test_queued_experiments(at_round_2):
    queued = ["dvc", "exp", "run", "--queue", "--name", "queued", "-S", "round=1"]
    at_round_2.run(*queued, "-S", "filter.min_boxes=2")
    at_round_2.run("dvc", "queue", "start")
    end = time.monotonic() + 240
    while "Success" not in (status := at_round_2.run("dvc", "queue", "status")):
        assert "Failed" not in status, at_round_2.run("dvc", "queue", "logs", "queued")
        assert time.monotonic() < end, status
        time.sleep(1)
    assert "queued" in {it["revs"][0]["name"] for it in experiments(at_round_2)}


def test_push_and_pull_into_a_second_clone(at_round_2, tmp_path):
    at_round_2.run("dvc", "remote", "add", "--default", "--local", "shelf", str(tmp_path / "shelf"))
    at_round_2.run("dvc", "push")
    clone = at_round_2.clone(tmp_path / "clone")
    clone.run("dvc", "remote", "add", "--default", "--local", "shelf", str(tmp_path / "shelf"))
    clone.run("dvc", "pull", "--with-deps", "compare")
    assert clone.read("rounds/2/champion/weights.pth") == at_round_2.read(
        "rounds/2/champion/weights.pth"
    )
    assert clone.stages("dvc", "repro") == []


def test_the_pipeline_twice_from_nothing_gives_the_same_bytes(at_round_2, tmp_path_factory):
    again = copy_of_project(tmp_path_factory.mktemp("again"))
    again.run("dvc", "repro", "rounds/dvc.yaml:evaluate@1")
    same = ["1/evaluation/history.json", "1/model/weights.pth", "1/silver/shard-000000.parquet"]
    same += ["1/merged/gold/coco.json", "1/merged/silver/coco.json"]
    for name in same:
        assert again.read(f"rounds/{name}") == at_round_2.read(f"rounds/{name}"), name


def test_a_fault_in_the_data_stops_with_a_plain_message(at_round_2, tmp_path):
    bad = tmp_path / "raw"
    (bad / "images").mkdir(parents=True)
    output = at_round_2.run("dvc", "exp", "run", "-S", f"data.root={bad}", fails=True)
    assert (
        f"error: 1 fault in the data:\n  {bad}: gold: expected gold labels, such as gold.json"
        in output
    )
    assert "Traceback" not in output


def test_a_study_goes_on_where_more_trials_are_asked_for(at_round_2):
    study = at_round_2.folder / "tune" / "training" / "trials.csv"
    few = ("-S", "tune.trials=1", "-S", "tune.inference_trials=3")
    ran = at_round_2.stages("dvc", "exp", "run", "tune/dvc.yaml", *few)
    assert sorted(ran) == ["tune@inference", "tune@training"]
    first = study.read_text()
    best = json.loads(at_round_2.read("tune/inference/best.json"))
    assert set(best["parameters"]) == {"evaluate.score_floor", "evaluate.nms_iou"}
    training = "tune/dvc.yaml:tune@training"
    assert at_round_2.stages("dvc", "exp", "run", training, "-S", "tune.trials=2") == [
        "tune@training"
    ]
    assert study.read_text().startswith(first)
    assert len(study.read_text().splitlines()) == len(first.splitlines()) + 1
