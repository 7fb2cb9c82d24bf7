"""The stage final: one training on all labels except test, with tiny models."""

import json
import shutil

import pytest

from pseudolabel.core.files import hash_file, write_json
from pseudolabel.evaluation.history import HISTORY, SELECTION
from pseudolabel.export.export import export
from pseudolabel.formats.model_folder import images_seen, kept_weights, own_iterations
from pseudolabel.formats.split_folder import SplitFolder
from tests.processes import start_stage, write_project

HEADLINES = {"detection": "mAP", "semantic": "mIoU", "classification": "top1"}


def run_final(data, project, prepared, row=None, **changes):
    """Run the stage in a project; return its exit status and its messages.

    Args:
        row: the row of the last round in the history.
        changes: parameters.
    """
    project.mkdir(exist_ok=True)
    write_project(data.root, prepared, project, task=data.task, **changes)
    (project / "rounds" / "0").mkdir(parents=True)
    (project / "rounds" / "0" / "champion").symlink_to(data.model)
    write_json(project / "rounds" / "0" / "evaluation" / HISTORY, [row or {}])
    process = start_stage(project, "final")
    messages = process.communicate()[1].decode()
    return process.returncode, messages


@pytest.mark.slow
@pytest.mark.parametrize("any_task", HEADLINES, indirect=True)
def test_all_splits_but_test_are_trained_on_and_only_test_is_scored(any_task, tmp_path):
    status, messages = run_final(any_task, tmp_path, any_task.prepared)
    assert status == 0, messages
    model = tmp_path / "final" / "model"
    splits = [
        SplitFolder(any_task.prepared / name).read().images for name in ("gold", "val", "tuning")
    ]
    record = json.loads((model / "training.json").read_text())
    assert record["data"]["gold"]["images"] == sum(map(len, splits)) == 9
    champion = hash_file(any_task.model / "weights.pth")
    expected = None if any_task.task == "classification" else champion
    assert record["initial_weights"] == expected
    assert images_seen(model) == {digest for images in splits for digest in images.hashes}
    metrics = json.loads((tmp_path / "final" / "metrics.json").read_text())
    assert f"test.{HEADLINES[any_task.task]}" in metrics
    assert all(name.startswith("test.") for name in metrics)
    if any_task.task == "classification":
        # The model was trained on val, but test is what is exported.
        params = any_task.params(export={"models": [str(model)]})
        export(any_task.prepared, any_task.model, tmp_path / "out", params)
        assert (tmp_path / "out" / "submission.csv").is_file()


@pytest.mark.slow
def test_the_weights_are_those_of_the_iteration_that_the_last_round_chose(trained_tasks, tmp_path):
    data = trained_tasks("classification")
    changes = {"train": {"snapshots": 2}, "evaluate": {"select": "best"}}
    row = {SELECTION: {"iteration": 4}}
    status, messages = run_final(data, tmp_path, data.prepared, row, **changes)
    assert status == 0, messages
    model = tmp_path / "final" / "model"
    assert [own_iterations(path) for path in kept_weights(model)] == [2, 4, 6]
    record = json.loads((model / "training.json").read_text())
    assert record["iterations"] == own_iterations(model / "weights.pth") == 4
    assert record["weights"] == hash_file(model / "weights.pth")
    assert not list((tmp_path / ".scratch").glob("*everything"))


@pytest.mark.slow
def test_images_of_test_are_refused(trained_tasks, tmp_path):
    data = trained_tasks("classification")
    prepared = tmp_path / "prepared"
    shutil.copytree(data.prepared, prepared)
    SplitFolder(prepared / "val").write(SplitFolder(prepared / "test").read())
    status, messages = run_final(data, tmp_path / "project", prepared)
    assert status == 1
    assert "expected an image that is not in test" in messages
    assert not (tmp_path / "project" / "final").exists()
