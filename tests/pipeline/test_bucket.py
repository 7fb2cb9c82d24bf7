"""Images and results in a bucket of S3: a real server, real models, real commands."""

import shutil

import pytest
import yaml

from tests.buckets import BUCKET, s3_server, upload
from tests.finding import contents
from tests.pipeline.campaign.kills import fingerprint
from tests.pipeline.conftest import copy_of_project

pytestmark = pytest.mark.slow
OUTPUTS = ("data/prepared", "rounds/0", "rounds/1")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("cache")) as client:
        yield client


@pytest.fixture(scope="module")
def at_round_1(tmp_path_factory):
    """A repository with a folder of raw data, after `dvc repro` at round 1."""
    repository = copy_of_project(tmp_path_factory.mktemp("local"), last_round=1)
    repository.run("dvc", "repro")
    repository.commit("Round 1")
    return repository


def test_results_are_pushed_to_a_bucket_and_pulled_from_it(client, at_round_1, tmp_path):
    remote = f"s3://{BUCKET}/results"
    at_round_1.run("dvc", "remote", "add", "--default", "store", remote)
    at_round_1.commit("A remote")
    at_round_1.run("dvc", "push")
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="results/")["KeyCount"] > 20
    before = {name: contents(at_round_1.folder / name) for name in OUTPUTS}
    # Wiped: neither outputs nor a cache are here, so all must come from the bucket.
    shutil.rmtree(at_round_1.folder / ".dvc" / "cache")
    for name in OUTPUTS:
        shutil.rmtree(at_round_1.folder / name)
    at_round_1.run("git", "checkout", "--", ".")
    other = at_round_1.clone(tmp_path / "other")
    for repository in (at_round_1, other):
        repository.run("dvc", "pull", "--with-deps", "compare")
        assert {name: contents(repository.folder / name) for name in OUTPUTS} == before
    assert other.stages("dvc", "repro") == []


@pytest.mark.usefixtures("client")
def test_an_experiment_is_pushed_to_a_bucket(at_round_1, tmp_path):
    bare = tmp_path / "bare.git"
    at_round_1.run("git", "clone", "--quiet", "--bare", ".", str(bare))
    at_round_1.run("git", "remote", "add", "origin", str(bare))
    at_round_1.run("dvc", "exp", "run", "--name", "strict", "-S", "filter.min_side=2")
    wanted = at_round_1.read("rounds/1/silver/report.json")
    at_round_1.run("dvc", "exp", "push", "origin", "strict")
    other = at_round_1.clone(tmp_path / "other")
    other.run("git", "remote", "set-url", "origin", str(bare))
    other.run("dvc", "exp", "pull", "origin", "strict")
    # In a new clone, DVC complains about the rounds that nobody has run.
    other.run("dvc", "exp", "apply", "strict", fails=True)
    assert other.read("rounds/1/silver/report.json") == wanted
    at_round_1.run("git", "reset", "--quiet", "--hard")
    at_round_1.run("dvc", "checkout", "--quiet", "--allow-missing")


def test_images_in_a_bucket_give_the_same_bytes(client, at_round_1, tmp_path):
    address = upload(client, at_round_1.folder / "data" / "sample", "raw")
    copy = copy_of_project(tmp_path, last_round=1)
    values = yaml.safe_load((tmp_path / "params.yaml").read_text())
    values["data"] = {"root": address, "workers": 2, "cache_gb": 0.0001}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    stages = copy.stages("dvc", "repro")
    assert stages[0] == "prepare"
    assert fingerprint(tmp_path) == fingerprint(at_round_1.folder)
    assert not list((tmp_path / ".scratch" / "s3").rglob("*.png"))
    assert copy.stages("dvc", "repro") == []
    # One more object is one more image of the pool.
    image = next((at_round_1.folder / "data/sample/images").rglob("*.png")).read_bytes()
    client.put_object(Bucket=BUCKET, Key="raw/images/more.png", Body=image + b"another")
    assert copy.stages("dvc", "repro", "prepare") == ["prepare"]
    client.delete_object(Bucket=BUCKET, Key="raw/images/more.png")
