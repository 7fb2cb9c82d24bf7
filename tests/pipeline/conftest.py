"""A copy of this project as a git and DVC repository of its own, with tiny data and training."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pseudolabel.params.presets import use

ROOT = Path(__file__).parents[2]
TINY = {
    "sample": {"gold": 6, "val": 3, "test": 3, "pool": 10, "width": 96, "height": 80},
    "model": {"image_size": [96, 96]},
    "data": {"workers": 0},
    "train": {
        "iterations": 40,
        "batch_size": 2,
        "warmup_iterations": 5,
        "checkpoint_every": 10,
        "ema_momentum": 0.2,
    },
    "pseudo_label": {"batch_size": 4, "shard_images": 4},
}
# Filters that let models pass which have hardly learned anything.
OBJECTS = {
    "pseudo_label": {"score_floor": 0.001},
    "filter": {"score": 0.001, "min_side": 1, "max_boxes": 300},
}
LENIENT = {
    "detection": OBJECTS,
    "instance": {
        "train": {"iterations": 60},
        "pseudo_label": OBJECTS["pseudo_label"],
        "filter": OBJECTS["filter"] | {"min_stability": 0.0, "min_area": 1, "max_overlap": 1.0},
    },
    "semantic": {"train": {"iterations": 150}, "filter": {"score": 0.3, "min_confident": 0.1}},
    "classification": {
        "sample": {"gold": 24, "val": 12},
        "train": {"iterations": 60, "batch_size": 8},
        "filter": {"score": "auto"},
    },
}
STAGE = re.compile(r"^Running stage '(?:[\w/]+\.yaml:)?([\w@]+)'", re.MULTILINE)


class Repository:
    """Runs commands in a copy of the project."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, *command, fails=False):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=dict(os.environ, PATH=path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stdout
        return done.stdout

    def stages(self, *command):
        """The stages that a command ran, in order, without `manifest`, which always runs."""
        return [name for name in STAGE.findall(self.run(*command)) if name != "manifest"]

    def clone(self, folder):
        self.run("git", "clone", "--quiet", str(self.folder), str(folder))
        return Repository(folder)

    def commit(self, message):
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def read(self, name):
        return (self.folder / name).read_bytes()


def make_tiny(path, task, last_round=2):
    """Rewrite a params.yaml with a tiny sample, a tiny training and lenient filters."""
    values = yaml.safe_load(path.read_text()) | {"round": last_round}
    for sections in (TINY, LENIENT[task]):
        for section, changes in sections.items():
            values[section].update(changes)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def copy_of_project(folder, task="detection", last_round=2):
    """This project's files as in the working tree, with tiny parameters, committed."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    use(f"sample_{task}", folder / "params.yaml", folder / "presets")
    make_tiny(folder / "params.yaml", task, last_round)
    repository = Repository(folder)
    repository.run("git", "init", "--quiet", "--initial-branch", "main")
    repository.run("git", "config", "user.email", "test@example.org")
    repository.run("git", "config", "user.name", "Test")
    repository.commit("A copy")
    return repository


@pytest.fixture(scope="module")
def task(request):
    """The task of a module's repository: detection, unless the module is parametrised."""
    return getattr(request, "param", "detection")


@pytest.fixture(scope="module")
def repository(tmp_path_factory, task):
    """A repository of the module's own."""
    return copy_of_project(tmp_path_factory.mktemp(task), task)


def without_network():
    """The command that runs others without any network; empty if this system has none."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    # A new namespace has a loopback device only, and that one is down.
    command = ["unshare", *user, "--net"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
    except OSError:
        return []
    return [] if done.returncode else command


@pytest.fixture(scope="module")
def at_round_2(repository):
    """The repository after `dvc repro` at round 2, without a network if the system can do that.

    `first` lists the stages that ran.
    """
    repository.first = repository.stages(*without_network(), "dvc", "repro")
    repository.commit("Round 2")
    return repository


@pytest.fixture
def as_committed(at_round_2):
    """Puts the repository back to round 2 after each test."""
    yield
    at_round_2.run("git", "reset", "--quiet", "--hard")
    at_round_2.run("dvc", "checkout", "--quiet", "--allow-missing")


def without_indexes(stages):
    """Stages in order, without `index`, which DVC runs somewhere between silver and compare."""
    return [name for name in stages if not name.startswith("index")]


TEACHER_STAGES = ["train_teacher", "evaluate_teacher"]


def round_stages(number):
    """The stages of a round after round 0, in order."""
    names = ["pseudo_label", "filter", "merge", "train", "evaluate"]
    return [f"{name}@{number}" for name in names]
