"""One training on several machines, which are two commands in one folder here."""

import csv
import os
import signal
from contextlib import contextmanager

import psutil
import pytest

from pseudolabel.training.train import train
from tests.processes import finish, launcher, start_module, start_stage, wait_for, write_project

# AdamW would divide rounding errors by small gradients, and so enlarge them from step to step.
CHANGES = {"batch_size": 4, "iterations": 12, "checkpoint_every": 2}
CHANGES |= {"optimizer": {"type": "SGD", "momentum": 0.9}, "learning_rate": 0.005}
WORKER = "pseudolabel.training.torchrun_worker"
MODEL = "rounds/0/model"


@pytest.fixture(scope="module")
def task(trained_tasks):
    """A classifier: it has batch norms, and its loss is a mean over images."""
    return trained_tasks("classification")


def project(task, folder, **launched):
    """A project of which torchrun trains the model."""
    changes = CHANGES | {"launcher": launcher(**launched)}
    folder.mkdir()
    write_project(task.root, task.prepared, folder, task.task, train=changes)
    return folder


@contextmanager
def other_machine(folder):
    """The command that a second machine runs; it waits for trainings until it is stopped."""
    joined = start_module(folder, "pseudolabel", "join")
    try:
        yield psutil.Process(joined.pid)
    finally:
        if joined.poll() is None:
            os.killpg(joined.pid, signal.SIGTERM)
        joined.communicate(timeout=60)


@pytest.fixture(scope="module")
def on_two_machines(task, tmp_path_factory):
    """The model of a training on two machines that nothing disturbed."""
    folder = project(task, tmp_path_factory.mktemp("machines") / "project", machines=2)
    with other_machine(folder):
        finish(start_stage(folder, "train", 0))
    return folder / MODEL


def losses(model):
    with (model / "curve.csv").open() as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream)]


def contents(model):
    return {path.name: path.read_bytes() for path in model.iterdir()}


@pytest.mark.slow
def test_two_machines_write_the_bytes_of_two_processes(task, on_two_machines, tmp_path):
    folder = project(task, tmp_path / "project", processes=2)
    finish(start_stage(folder, "train", 0))
    assert contents(folder / MODEL) == contents(on_two_machines)


@pytest.mark.slow
def test_two_machines_have_the_losses_of_one_process(task, on_two_machines, tmp_path):
    train(task.prepared, task.prepared, tmp_path / "model", task.params(train=CHANGES))
    expected = losses(tmp_path / "model")
    assert len(expected) == 12
    assert losses(on_two_machines) == pytest.approx(expected, rel=1e-3)


def start_and_wait(folder):
    """Start a training on the first machine, and return it after its second checkpoint."""
    stage = start_stage(folder, "train", 0)
    wait_for(lambda: list(folder.glob(".scratch/train/*/iter_4.pth")), stage)
    return stage


@pytest.mark.slow
def test_all_machines_go_on_from_a_checkpoint_if_a_process_is_killed(
    task, on_two_machines, tmp_path, capfd
):
    folder = project(task, tmp_path / "project", machines=2)
    with other_machine(folder) as other:
        stage = start_and_wait(folder)
        (killed,) = [
            process
            for process in other.children(recursive=True)
            if WORKER in process.cmdline() and "--module" not in process.cmdline()
        ]
        killed.kill()
        finish(stage)
    assert "resumes at iteration" in capfd.readouterr().out
    assert contents(folder / MODEL) == contents(on_two_machines)


@pytest.mark.slow
def test_another_machine_takes_the_place_of_one_that_fails(task, on_two_machines, tmp_path, capfd):
    folder = project(task, tmp_path / "project", machines=2)
    with other_machine(folder) as other:
        stage = start_and_wait(folder)
        for process in [other, *other.children(recursive=True)]:
            process.kill()
    with other_machine(folder):
        messages = stage.communicate(timeout=300)[1].decode()
        if stage.returncode:
            # torchrun still counted on the machine that failed.
            assert "another machine does not answer any more" in messages
            finish(start_stage(folder, "train", 0))
    assert "resumes at iteration" in capfd.readouterr().out
    assert contents(folder / MODEL) == contents(on_two_machines)
