"""`pseudolabel init` and `upgrade`: projects of one's own, from the files of this repository."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pseudolabel.cli.template import pipeline_files
from tests.builders import pseudolabel, raw_root


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project made for raw data that lies beside it."""
    folder = tmp_path_factory.mktemp("init")
    raw_root(folder / "photos")
    code, output, errors = pseudolabel(
        "init", folder / "mine", "--task", "instance", "--data", folder / "photos"
    )
    assert code == 0, errors
    assert "a project for instance, with the data in ../photos" in output
    return folder / "mine"


def git(folder, *arguments):
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_a_project_has_all_pipeline_files(project):
    names = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    expected = {"dvc.yaml", "rounds/dvc.yaml", "extras/dvc.yaml", "stages/train.py", "params.yaml"}
    expected |= {".gitignore", ".dvcignore", ".dvc/config", ".dvc/plots/by_class.json", "README.md"}
    expected |= {"pseudolabel.version", "configs/instance/rtmdet_ins_small.py"}
    assert expected <= names
    assert not any(name.startswith("pseudolabel/") for name in names)
    assert len((project / "README.md").read_text().splitlines()) <= 15
    assert (project / ".git").is_dir()
    assert git(project, "log", "--format=%s") == "A new project\n"
    assert git(project, "status", "--porcelain") == ""


def test_in_a_repository_only_the_files_of_the_project_are_committed(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "own.txt").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    git(tmp_path, "add", "own.txt")
    code, _, errors = pseudolabel("init", tmp_path / "mine", "--task", "detection")
    assert code == 0, errors
    committed = set(git(tmp_path, "ls-tree", "-r", "--name-only", "HEAD").split())
    assert {"mine/params.yaml", "mine/dvc.yaml", "mine/.dvc/config"} <= committed
    assert not committed & {"own.txt", "mine/notes.txt"}
    assert git(tmp_path, "diff", "--cached", "--name-only") == "own.txt\n"
    # Without data it is a project for the sample, with the sample's small model.
    values = yaml.safe_load((tmp_path / "mine/params.yaml").read_text())
    assert values["model"]["config"] == "configs/detection/rtmdet_small.py"


def test_a_project_has_the_parameters_of_its_task_and_data(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    assert (values["task"], values["data"]["root"]) == ("instance", "../photos")


@pytest.mark.parametrize("name", ["dvc.yaml", "rounds/dvc.yaml", "extras/dvc.yaml"])
def test_the_stages_of_a_project_depend_on_the_version_of_the_library(project, name):
    stages = yaml.safe_load((project / name).read_text())["stages"]
    for stage in stages.values():
        deps = stage.get("do", stage)["deps"]
        assert deps.count("pseudolabel.version") == 1
        assert not any(dep.startswith("pseudolabel/") for dep in deps)


def test_a_folder_with_files_of_these_names_stays_as_it_is(tmp_path):
    (tmp_path / "params.yaml").write_text("mine")
    code, _, errors = pseudolabel("init", tmp_path, "--task", "detection")
    assert code == 1
    assert "params.yaml: expected a folder without this file, found a file" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_data_must_be_a_folder(tmp_path):
    missing = tmp_path / "none"
    code, _, errors = pseudolabel(
        "init", tmp_path / "new", "--task", "detection", "--data", missing
    )
    assert code == 1
    assert f"{missing}: expected a folder of raw data, found none" in errors
    assert not (tmp_path / "new").exists()


def upgrade(project, answer, *options):
    done = subprocess.run(
        [str(Path(sys.executable).parent / "pseudolabel"), "upgrade", *options],
        cwd=project,
        input=answer,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_upgrade_shows_the_difference_and_asks(project):
    assert upgrade(project, "") == (0, "up to date: pseudolabel 0.1.0\n")
    file = project / "rounds" / "dvc.yaml"
    shipped = file.read_text()
    file.write_text(shipped.replace("# DVC has no loops", "# Changed"))
    (project / "pseudolabel.version").write_text("pseudolabel 0.0.1\n")
    code, output = upgrade(project, "n\n")
    assert code == 1
    assert "-# Changed" in output
    assert "+pseudolabel 0.1.0" in output
    assert "# Changed" in file.read_text()
    code, output = upgrade(project, "", "--yes")
    assert (code, output.splitlines()[-1]) == (0, "written: 2 files, pseudolabel 0.1.0")
    assert file.read_text() == shipped


def test_upgrade_outside_of_a_project_is_refused(tmp_path):
    code, output = upgrade(tmp_path, "")
    assert code == 1
    assert "pseudolabel.version: expected a project, made by `pseudolabel init`" in output


def test_the_pipeline_files_are_those_of_this_repository():
    files = pipeline_files()
    assert {"presets/semantic.yaml", "stages/merge.py", "folds/models/README.md"} <= set(files)
    assert not any("__pycache__" in name or name.startswith("tests/") for name in files)


def test_a_project_can_have_its_data_in_a_bucket(tmp_path):
    project = tmp_path / "mine"
    address = "s3://pond/my data"
    code, output, errors = pseudolabel("init", project, "--task", "detection", "--data", address)
    assert code == 0, errors
    assert f"a project for detection, with the data in {address}" in output
    assert yaml.safe_load((project / "params.yaml").read_text())["data"]["root"] == address
    assert f"pseudolabel check {address}" in (project / "README.md").read_text()
    for action in ("send", "start"):
        command = [sys.executable, "-m", "pseudolabel", "review", action]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        expected = f"error: data.root: expected a folder, found {address}: send with --to cvat"
        assert expected in done.stderr


def test_a_faulty_address_of_a_bucket_is_told(tmp_path):
    code, _, errors = pseudolabel(
        "init", tmp_path / "mine", "--task", "detection", "--data", "s3://pond/"
    )
    assert code == 2
    assert "argument --data: expected an address such as s3://bucket/folder, without" in errors
    assert not (tmp_path / "mine").exists()
