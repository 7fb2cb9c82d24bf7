"""Folds in the loop: queued experiments, their champions collected, cross-fit, audit, teachers.

The tests of this module share one repository and run in order.
"""

import csv
import json
import sys

import pytest

from pseudolabel.formats.split_folder import SplitFolder

pytestmark = pytest.mark.slow
task = pytest.fixture(scope="module")(lambda: "classification")
COLLECT = (sys.executable, "-m", "pseudolabel", "folds")


@pytest.fixture(scope="module")
def queued(repository):
    """The repository after two folds were queued and trained."""
    folds = ["-S", "prepare.folds=2", "-S", "prepare.fold=0,1", "-S", "round=0"]
    repository.run("dvc", "exp", "run", "--queue", *folds)
    repository.run("dvc", "queue", "start")
    repository.run("dvc", "queue", "logs", "--follow", wait_for_queue(repository))
    return repository


def wait_for_queue(repository):
    """The name of the last task, once all are done."""
    while True:
        rows = repository.run("dvc", "queue", "status").splitlines()
        if not any("Running" in row or "Queued" in row for row in rows):
            return next(row.split()[0] for row in rows if "Success" in row)


def test_collecting_without_folds_names_the_command(repository):
    output = repository.run(*COLLECT, fails=True)
    assert "error: expected one experiment per fold, found none: run the folds with" in output


def test_the_champions_of_queued_folds_are_collected(queued):
    output = queued.run(*COLLECT)
    assert [line.split(":")[0] for line in output.splitlines()] == ["fold 0", "fold 1"]
    held_out = [
        set(SplitFolder(queued.folder / f"folds/models/{fold}/held_out").read().images.file_names)
        for fold in (0, 1)
    ]
    # The sample has its own val, so that the folds together are all of gold.
    assert not held_out[0] & held_out[1]
    assert len(held_out[0] | held_out[1]) == 24


def test_an_unknown_experiment_is_a_fault(queued):
    output = queued.run(*COLLECT, "no-such", fails=True)
    assert "error: expected experiments of the current commit" in output
    assert "found no-such" in output


def test_gold_is_audited_by_models_that_did_not_see_it(queued):
    # The sample comes from DVC's cache: the experiments have written it.
    assert queued.stages("dvc", "repro", "extras/dvc.yaml:audit") == ["cross_fit", "audit"]
    gold = SplitFolder(queued.folder / "folds/predictions/gold").read()
    assert len(gold.images) == 24
    with (queued.folder / "folds/audit/suspects.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    qualities = [float(row["quality"]) for row in rows]
    assert qualities == sorted(qualities)
    assert {row["kind"] for row in rows} <= {"wrong class"}
    assert (queued.folder / "folds/audit/suspects.html").exists()


def test_all_folds_label_the_pool_together(queued):
    options = ["-S", "pseudo_label.teachers=folds", "-S", "round=1", "-S", "filter.score=0.0"]
    ran = queued.stages("dvc", "exp", "run", *options)
    assert "pseudo_label@1" in ran
    teacher = json.loads(queued.read("rounds/1/predictions/teacher.json"))
    assert len(teacher["weights_of_each"]) == 2
    assert teacher["weights"] not in teacher["weights_of_each"]


def test_folds_trained_on_val_must_not_label(queued):
    path = queued.folder / "folds/models/0/champion/training.json"
    record = json.loads(path.read_bytes())
    val = json.loads(queued.read("data/prepared/val/coco.json"))
    record["images"].append(val["images"][0]["hash"])
    path.write_text(json.dumps(record))
    options = ["-S", "pseudo_label.teachers=folds", "-S", "round=1"]
    output = queued.run("dvc", "exp", "run", *options, fails=True)
    assert "folds/models/0/champion: expected a model that was not trained on val" in output
