"""Scratch folders: a finished result is published whole, and taken again after a kill."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pseudolabel.core import workdir
from pseudolabel.core.errors import BusyError
from pseudolabel.core.workdir import output_lock, publish_result, scratch_folder, scratch_lock

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from pseudolabel.core.workdir import output_lock
with output_lock(Path("rounds/0/model")):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_changed_input_gives_another_scratch_folder(tmp_path):
    file = tmp_path / "data"
    file.write_text("1")
    first = scratch_folder("train", {"a": 1}, [file])
    assert scratch_folder("train", {"a": 1}, [file]) == first
    assert scratch_folder("train", {"a": 2}, [file]) != first
    file.write_text("2")
    assert scratch_folder("train", {"a": 1}, [file]) != first


class Work:
    """Makes a result of a file and a folder in a scratch folder, and counts how often."""

    def __init__(self, name="train"):
        self.scratch = scratch_folder(name, {}, [])
        self.count = 0

    def __call__(self):
        self.count += 1
        (self.scratch / "parts" / "labels").mkdir(parents=True)
        (self.scratch / "parts" / "labels" / "a.png").write_text("a")
        for name in ("model", "checkpoint"):
            (self.scratch / name).write_text(name)
        return ["model", "parts/labels"]


def content(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


OUTPUT = {"model": "model", "labels/a.png": "a"}


def test_a_result_is_published_without_the_rest_and_taken_again():
    work, output = Work(), Path("out")
    publish_result(work.scratch, output, work)
    assert content(output) == OUTPUT
    assert sorted(path.name for path in work.scratch.iterdir()) == ["finished", "lock"]
    (output / "labels" / "a.png").unlink()
    publish_result(work.scratch, output, work)
    assert content(output) == OUTPUT
    assert work.count == 1


@pytest.mark.parametrize("change", ["a file", "a missing file", "one more file", "code"])
def test_a_result_that_has_changed_is_made_again(change):
    work, output = Work(), Path("out")
    publish_result(work.scratch, output, work)
    finished = work.scratch / "finished"
    if change == "a file":
        # Linked to the output: an edit there changes both.
        (output / "model").write_text("MODEL")
        assert (finished / "model").read_text() == "MODEL"
    elif change == "a missing file":
        (finished / "labels" / "a.png").unlink()
    elif change == "one more file":
        (finished / "more").touch()
    else:
        manifest = json.loads((finished / "manifest.json").read_text())
        (finished / "manifest.json").write_text(json.dumps(manifest | {"code": "0"}))
    publish_result(work.scratch, output, work)
    assert content(output) == OUTPUT
    assert work.count == 2


def test_an_output_on_another_disk_is_copied(monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(workdir.os, "link", refuse)
    work = Work()
    publish_result(work.scratch, Path("out"), work)
    assert content(Path("out")) == OUTPUT


def test_a_full_disk_leaves_no_half_output_and_the_result_is_kept(monkeypatch):
    work, output = Work(), Path("rounds/0/model")

    link = workdir._link_or_copy

    def fill(source, target):
        if not Path(target).is_relative_to(output.parent):
            link(source, target)
            return
        Path(target).write_text("half")
        raise OSError(28, "No space left on device", target)

    with monkeypatch.context() as patch:
        patch.setattr(workdir, "_link_or_copy", fill)
        with pytest.raises(OSError, match="No space left"):
            publish_result(work.scratch, output, work)
    assert list(output.parent.iterdir()) == []
    publish_result(work.scratch, output, work)
    assert content(output) == OUTPUT
    assert work.count == 1


def test_a_kill_while_a_result_is_collected_loses_no_work(monkeypatch):
    work = Work()

    def kill(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(workdir, "_describe_result", kill)
        with pytest.raises(KeyboardInterrupt):
            publish_result(work.scratch, Path("out"), work)
    assert {"model", "checkpoint", "parts"} <= {path.name for path in work.scratch.iterdir()}
    assert (work.scratch / "parts" / "labels" / "a.png").read_text() == "a"


def test_the_next_finished_result_removes_the_one_before():
    train, label = Work("train"), Work("pseudo_label")
    publish_result(train.scratch, Path("model"), train)
    publish_result(label.scratch, Path("predictions"), label)
    assert not train.scratch.exists()
    assert content(Path("model")) == OUTPUT


def test_a_result_in_use_is_not_removed():
    train, label = Work("train"), Work("pseudo_label")
    publish_result(train.scratch, Path("model"), train)
    code = "import sys; from pathlib import Path; from pseudolabel.core.workdir import scratch_lock"
    code += f"\nwith scratch_lock(Path({str(train.scratch)!r})): print('held', flush=True); input()"
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env={"PYTHONPATH": str(ROOT)}, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        publish_result(label.scratch, Path("predictions"), label)
        assert (train.scratch / "finished" / "model").is_file()
        with pytest.raises(BusyError), scratch_lock(train.scratch):
            pass
        process.communicate("\n")


def test_a_second_run_of_a_stage_is_refused_in_one_line():
    environment = {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BusyError) as error, output_lock(Path("rounds/0/model")):
            pass
        expected = rf"another run is writing rounds/0/model (process {process.pid} since "
        assert str(error.value).startswith(expected)
        assert str(error.value).endswith("): wait for it to end, or stop it")
        with output_lock(Path("rounds/1/model")):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    # The lock file is still there, but it locks nothing.
    with output_lock(Path("rounds/0/model")):
        pass
