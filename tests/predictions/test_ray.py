"""Labelling by a real Ray cluster of two nodes on this machine, also with nodes that are killed."""

import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import psutil
import pytest
import yaml

from pseudolabel.formats.shards import shard_paths
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.pseudo_label import label_pool
from tests.conftest import tiny_params
from tests.finding import contents
from tests.processes import finish, start_stage, wait_for, write_project

pytestmark = pytest.mark.slow
COPIES = 6
SHARDS = {"batch_size": 1, "shard_images": 1}


@pytest.fixture(scope="module")
def data(trained_tasks, tmp_path_factory):
    """A detector's data with six times as many images in the pool."""
    made, folder = trained_tasks("detection"), tmp_path_factory.mktemp("ray_data")
    shutil.copytree(made.root, folder / "raw")
    shutil.copytree(made.prepared, folder / "prepared")
    split = SplitFolder(folder / "prepared" / "pool")
    pool = split.read()
    images = pool.images[np.tile(np.arange(len(pool.images)), COPIES)]
    names = images.file_names.copy()
    for row, name in enumerate(images.file_names):
        names[row] = f"{row}.png"
        shutil.copy(made.root / "images" / name, folder / "raw" / "images" / names[row])
    ids = np.arange(1000, 1000 + len(images))
    split.write(replace(pool, images=replace(images, ids=ids, file_names=names)))
    return replace(made, root=folder / "raw", prepared=folder / "prepared")


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """What one process writes."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        label_pool(data.prepared, data.model, folder / "predictions", 1, params_of(data))
    return contents(folder / "predictions")


def params_of(data):
    return tiny_params(data.root, pseudo_label=SHARDS)


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes, with one core each. The last test kills the second one."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    made = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    made.second = made.add_node(num_cpus=1)
    yield made
    made.shutdown()


@pytest.fixture
def project(data, cluster, tmp_path):
    write_project(data.root, data.prepared, tmp_path, pseudo_label=SHARDS)
    values = yaml.safe_load((tmp_path / "params.yaml").read_text())
    values["pseudo_label"]["workers"]["ray"] = cluster.address
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "rounds" / "0").mkdir(parents=True)
    (tmp_path / "rounds" / "0" / "champion").symlink_to(data.model)
    return tmp_path


def shards_so_far(project):
    return list((project / ".scratch" / "pseudo_label").glob("*/shard-*.parquet"))


def result(project):
    return contents(project / "rounds" / "1" / "predictions")


def test_two_nodes_write_what_one_process_writes(project, alone):
    finish(start_stage(project, "pseudo_label", 1))
    assert result(project) == alone


def shard_paths_of(files):
    return [name for name in files if name.startswith("shard-")]


def test_a_driver_that_is_killed_goes_on_where_it_was(project, alone):
    process = start_stage(project, "pseudo_label", 1)
    wait_for(lambda: len(shards_so_far(project)) >= 5, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in shards_so_far(project)}
    assert len(before) < len(shard_paths_of(alone))
    finish(start_stage(project, "pseudo_label", 1))
    after = shard_paths(project / "rounds" / "1" / "predictions")
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in after}.items()
    assert result(project) == alone


def test_a_fault_that_a_worker_finds_is_told_as_such(project, data):
    name = SplitFolder(data.prepared / "pool").read().images.file_names[3]
    path = data.root / "images" / name
    content = path.read_bytes()
    path.write_bytes((data.root / "images" / "0.png").read_bytes() + b" ")
    try:
        process = start_stage(project, "pseudo_label", 1)
        message = process.communicate()[1].decode()
    finally:
        path.write_bytes(content)
    assert process.returncode == 1
    assert "expected the image that `prepare` read" in message
    assert "Traceback" not in message


def test_a_cluster_that_is_not_there_is_named(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["pseudo_label"]["workers"]["ray"] = "127.0.0.1:1"
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    process = start_stage(project, "pseudo_label", 1)
    message = process.communicate()[1].decode()
    assert process.returncode == 1
    assert "pseudo_label.workers.ray: expected a Ray cluster at '127.0.0.1:1'" in message


def test_a_node_that_is_killed_costs_its_shards_only(project, cluster, alone):
    process = start_stage(project, "pseudo_label", 1)
    wait_for(lambda: len(shards_so_far(project)) >= 5, process)
    raylet = psutil.Process(cluster.second.all_processes["raylet"][0].process.pid)
    for victim in [*raylet.children(recursive=True), raylet]:
        victim.kill()
    assert len(shards_so_far(project)) < len(shard_paths_of(alone))
    finish(process)
    assert result(project) == alone
