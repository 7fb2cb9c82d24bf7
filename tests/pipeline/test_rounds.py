"""The loop as people use it: real models, a real DVC repository, real commands.

The tests of this module share one repository and run in order.
"""

import csv
import io
import json
import random
import time

import pytest

from tests.pipeline.campaign.kills import Campaign, fingerprint, remove_cut_records
from tests.pipeline.conftest import TEACHER_STAGES, copy_of_project, round_stages, without_indexes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_committed")]

TRAIN = {"train_teacher", "train@1", "train@2"}
LABEL = {"pseudo_label@1", "pseudo_label@2"}
FILTER = {"filter@1", "filter@2"}
MERGE = {"merge@1", "merge@2"}
EVALUATE = {"evaluate_teacher", "evaluate@1", "evaluate@2"}
SHOW = {"index_teacher", "index@1", "index@2", "compare"}
ALL = {"manifest", "prepare", "sample"} | TRAIN | LABEL | FILTER | MERGE | EVALUATE | SHOW
# One file of each package, and the stages that depend on it.
TOUCHED = {
    "core/boxes.py": ALL,
    "params/filter.py": set(),
    "formats/shards.py": ALL,
    "pages/html.py": {"prepare"} | SHOW,
    "manifest/kept_files.py": {"manifest", "prepare", "sample"},
    "raw/repair.py": {"prepare", "sample"},
    "splits/stratify.py": {"prepare"},
    "models/configs.py": TRAIN | LABEL | EVALUATE,
    "training/augmentations.py": TRAIN,
    "predictions/ensemble.py": LABEL | EVALUATE,
    "silver/thresholds.py": FILTER | MERGE | SHOW,
    "evaluation/bootstrap.py": EVALUATE | {"compare"},
    "export/submission.py": set(),
    "audit/objects.py": set(),
    "report/tide.py": SHOW,
    "search/study.py": set(),
    "cli/check.py": set(),
}


def experiments(repository):
    shown = json.loads(repository.run("dvc", "exp", "show", "--json"))
    return shown[-1]["experiments"] or []


def test_round_2_runs_rounds_0_to_2(at_round_2):
    assert sorted(at_round_2.first[:2]) == ["prepare", "sample"]
    indexes = {name for name in at_round_2.first if name.startswith("index")}
    assert indexes == {"index_teacher", "index@1", "index@2"}
    ran = without_indexes(at_round_2.first[2:])
    assert ran == [*TEACHER_STAGES, *round_stages(1), *round_stages(2), "compare"]
    metrics = json.loads(at_round_2.read("metrics.json"))
    names = {"round", "best_round", "lift.val.mAP", "lift.test.mAP"}
    names |= {
        f"{split}.{name}" for split in ("val", "test") for name in ("mAP", "mAP_50", "mAP_75")
    }
    names |= {"gain", "gain.low", "gain.high", "silver.agreement"}
    assert set(metrics) == names | {"iterations", "silver.images", "silver.annotations"}
    assert metrics["iterations"] in (80, 120)
    assert metrics["round"] == 2
    assert metrics["silver.annotations"] > 0
    assert b"| round | val mAP |" in at_round_2.read("report/rounds.md")


def test_a_second_repro_runs_nothing(at_round_2):
    assert at_round_2.stages("dvc", "repro") == []


def test_git_tracks_lock_files_and_metrics_only(at_round_2):
    tracked = at_round_2.run("git", "show", "--stat=200", "--format=", "HEAD")
    changed = {line.split("|")[0].strip() for line in tracked.splitlines() if "|" in line}
    assert changed == {"extras/dvc.lock", "dvc.lock", "metrics.json", "rounds/dvc.lock"}


def changed_stages(repository, path):
    """The stages of rounds 0 to 2 that `dvc status` lists with a changed dependency."""
    status = json.loads(repository.run("dvc", "status", "--json"))
    changed = set()
    for name, changes in status.items():
        deps = [item.get("changed deps", {}) for item in changes if isinstance(item, dict)]
        if any(path in group for group in deps):
            changed.add(name.split(":")[-1])
    return changed


def test_a_touched_file_reruns_the_stages_that_depend_on_its_package(at_round_2):
    ran, found = {*at_round_2.first, "manifest", "sample"}, {}
    for path in TOUCHED:
        file = at_round_2.folder / "pseudolabel" / path
        content = file.read_text()
        file.write_text(content + "\n# Touched.\n")
        found[path] = changed_stages(at_round_2, f"pseudolabel/{path.split('/')[0]}") & ran
        file.write_text(content)
    assert found == TOUCHED


def test_a_changed_filter_labels_and_trains_nothing_again(at_round_2):
    file = at_round_2.folder / "pseudolabel" / "silver" / "alarms.py"
    file.write_text(file.read_text() + "\n# Touched.\n")
    # The same code writes the same silver: DVC stops there.
    ran = without_indexes(at_round_2.stages("dvc", "repro"))
    assert ran == ["filter@1", "merge@1", "filter@2", "merge@2", "compare"]


def columns_of_experiments(project, *options):
    table = project.run("dvc", "exp", "show", "--csv", *options)
    return next(csv.reader(io.StringIO(table[table.index("Experiment,") :])))


def test_the_table_of_experiments_has_few_columns(at_round_2):
    columns = columns_of_experiments(at_round_2)
    # A column for each parameter, package, stage and folder of a round.
    assert len(columns) <= 241
    assert len(columns) == len(set(columns))
    code = [name for name in columns if name.startswith(("pseudolabel/", "stages/"))]
    assert all(name.count("/") == 1 for name in code)
    assert all(name.startswith("stages/") for name in columns if name.endswith(".py"))
    assert len(columns_of_experiments(at_round_2, "--drop", ".*/")) <= 131


def test_a_loop_that_is_killed_again_and_again_ends_with_the_same_bytes(at_round_2, tmp_path):
    expected = fingerprint(at_round_2.folder)
    assert "rounds/2/model/weights.pth" in expected
    (tmp_path / "broken").mkdir()
    broken = copy_of_project(tmp_path / "broken")
    campaign = Campaign(broken.folder, kills=4, numbers=random.Random(0))
    campaign.run(expected)
    assert campaign.faults == []
    assert campaign.kills_done >= 4


@pytest.mark.parametrize("name", [".dvc/tmp/rwlock", "rounds/dvc.lock"])
def test_a_file_of_dvc_that_was_cut_short_can_be_deleted(at_round_2, name):
    (at_round_2.folder / name).write_text("")
    assert name in at_round_2.run("dvc", "repro", fails=True)
    assert remove_cut_records(at_round_2.folder) == [name]
    assert at_round_2.stages("dvc", "repro") == []


def test_another_round_runs_its_own_stages_and_no_other(at_round_2):
    ran = at_round_2.stages("dvc", "exp", "run", "-S", "round=3")
    assert without_indexes(ran) == [*round_stages(3), "compare"]
    assert [name for name in ran if name.startswith("index")] == ["index@3"]
    assert not list((at_round_2.folder / "rounds" / "4").rglob("*"))
    diff = json.loads(at_round_2.run("dvc", "metrics", "diff", "--json"))["metrics.json"]
    assert (diff["round"]["old"], diff["round"]["new"]) == (2, 3)


def test_another_threshold_does_not_label_the_pool_again(at_round_2):
    metrics = at_round_2.read("metrics.json")
    ran = at_round_2.stages("dvc", "exp", "run", "-S", "round=1", "-S", "filter.score=0.02")
    stages = ["filter@1", "merge@1", "train@1", "evaluate@1", "compare"]
    assert without_indexes(ran) == stages
    assert at_round_2.stages("dvc", "exp", "run", "-S", "round=2", "-S", "filter.score=0.001") == []
    assert at_round_2.read("metrics.json") == metrics


def test_an_experiment_in_a_temporary_folder(at_round_2):
    before = at_round_2.read("params.yaml")
    output = at_round_2.run("dvc", "exp", "run", "--temp", "--name", "aside", "-S", "round=1")
    assert "Ran experiment(s): aside" in output
    assert at_round_2.read("params.yaml") == before
    (experiment,) = [row for row in experiments(at_round_2) if row["revs"][0]["name"] == "aside"]
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
    assert "queued" in {row["revs"][0]["name"] for row in experiments(at_round_2)}


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


def test_a_fault_in_the_data_stops_with_a_plain_message(at_round_2, tmp_path):
    bad = tmp_path / "raw"
    (bad / "images").mkdir(parents=True)
    command = ("dvc", "exp", "run", "-S", f"data.root={bad}")
    # DVC itself looks for gold.json.
    assert f"dependency '{bad}/gold.json' does not exist" in at_round_2.run(*command, fails=True)
    (bad / "gold.json").write_text("[]")
    output = at_round_2.run(*command, fails=True)
    assert "error: 1 fault in the data:\n  gold.json: expected a JSON object, found list" in output
    assert "Traceback" not in output


def test_a_study_continues_with_more_trials(at_round_2):
    study = at_round_2.folder / "tune" / "training" / "trials.csv"
    few = ("-S", "tune.trials=1", "-S", "tune.inference_trials=3")
    targets = [f"extras/dvc.yaml:tune@{name}" for name in ("inference", "training")]
    ran = at_round_2.stages("dvc", "exp", "run", *targets, *few)
    assert sorted(ran) == ["tune@inference", "tune@training"]
    first = study.read_text()
    best = json.loads(at_round_2.read("tune/inference/best.json"))
    assert set(best["parameters"]) == {"evaluate.score_floor", "evaluate.nms_iou"}
    more = at_round_2.stages("dvc", "exp", "run", targets[1], "-S", "tune.trials=2")
    assert more == ["tune@training"]
    assert study.read_text().startswith(first)
    assert len(study.read_text().splitlines()) == len(first.splitlines()) + 1
