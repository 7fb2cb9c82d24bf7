"""Labelling by parts, in several processes: the result is that of one process."""

import os
import shutil
import signal
import sys
from argparse import ArgumentTypeError

import pytest

from pseudolabel.core.workdir import SCRATCH
from pseudolabel.formats.shards import shard_paths
from pseudolabel.predictions.label_shards import Part
from pseudolabel.predictions.labelling import Labelling
from pseudolabel.predictions.pseudo_label import label_part, label_pool
from pseudolabel.predictions.ray_workers import RayError
from tests.finding import contents
from tests.processes import finish, start_stage, wait_for, write_project

TASKS = ("detection", "instance", "semantic", "classification")


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.mark.parametrize("text", ["1/1", "3/16", "16/16"])
def test_a_part_is_named_by_its_number_and_their_count(text):
    part = Part.parse(text)
    assert f"{part.number}/{part.parts}" == text


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "-1/4", "1/0", "1.5/4", "3/16/2", "a/b"])
def test_other_texts_name_no_part(text):
    with pytest.raises(ArgumentTypeError, match="expected a part such as 3/16"):
        Part.parse(text)


def test_each_shard_is_in_one_part():
    shards = [shard for number in (1, 2, 3) for shard in Part(number, 3).shards(95, 10)]
    assert sorted(shards) == list(range(10))
    assert Part(5, 8).shards(25, 10) == []


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
@pytest.mark.parametrize("parts", [2, 5])
def test_parts_together_are_what_one_process_writes(any_task, project, parts):
    params = any_task.params(pseudo_label={"batch_size": 2, "shard_images": 2})
    inputs = any_task.prepared, any_task.model
    label_pool(*inputs, project / "alone", 1, params)
    shutil.rmtree(SCRATCH)
    for number in range(parts, 0, -1):
        label_part(*inputs, 1, params, Part(number, parts))
    scratch = Labelling.plan(*inputs, 1, params).scratch
    assert len(shard_paths(scratch)) == 5
    label_pool(*inputs, project / "together", 1, params)
    assert contents(project / "together") == contents(project / "alone")


def test_a_part_that_is_missing_is_labelled_when_the_parts_are_collected(
    prepared, model, trained_tasks, project
):
    params = trained_tasks("detection").params(pseudo_label={"batch_size": 2, "shard_images": 2})
    label_part(prepared, model, 1, params, Part(2, 3))
    scratch = Labelling.plan(prepared, model, 1, params).scratch
    assert [path.name for path in shard_paths(scratch)] == [
        "shard-000001.parquet",
        "shard-000004.parquet",
    ]
    before = {path.name: path.read_bytes() for path in shard_paths(scratch)}
    label_pool(prepared, model, project / "all", 1, params)
    assert len(shard_paths(project / "all")) == 5
    assert before.items() <= contents(project / "all").items()


def test_what_a_killed_process_has_left_is_not_in_the_result(
    prepared, model, trained_tasks, project
):
    params = trained_tasks("detection").params()
    labelling = Labelling.plan(prepared, model, 1, params)
    for folder in (labelling.scratch, labelling.scratch / "tuning"):
        (folder / ".labelling-left").mkdir(parents=True)
        (folder / ".labelling-left" / "shard-000000.parquet").write_bytes(b"half")
    label_pool(prepared, model, project / "all", 1, params)
    assert not [name for name in contents(project / "all") if "left" in name]


@pytest.mark.slow
def test_parts_are_not_collected_while_one_is_labelled(root, prepared, model, tmp_path):
    changes = {"batch_size": 1, "shard_images": 1}
    write_project(root, prepared, tmp_path, pseudo_label=changes)
    (tmp_path / "rounds" / "0").mkdir(parents=True)
    (tmp_path / "rounds" / "0" / "champion").symlink_to(model)
    process = start_stage(tmp_path, "pseudo_label", 1, "--part", "2/2")
    scratch = tmp_path / ".scratch" / "pseudo_label"
    wait_for(lambda: list(scratch.glob("*/.parts/2_of_2/lock")), process)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        for arguments in ((1,), (1, "--part", "2/2")):
            other = start_stage(tmp_path, "pseudo_label", *arguments)
            message = other.communicate()[1].decode()
            assert other.returncode == 1
            assert "another run is labelling part 2 of 2" in message
    finally:
        os.kill(process.pid, signal.SIGCONT)
    finish(process)
    other = start_stage(tmp_path, "pseudo_label", 1)
    finish(other)
    assert len(shard_paths(tmp_path / "rounds" / "1" / "predictions")) == 10


def test_ray_is_named_where_it_is_missing(trained_tasks, project, monkeypatch):
    data = trained_tasks("detection")
    params = data.params(pseudo_label={"workers": {"ray": "auto", "num_cpus": 1, "num_gpus": 0}})
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RayError, match=r"install it: pip install 'pseudolabel\[ray\]'"):
        label_pool(data.prepared, data.model, project / "all", 1, params)
