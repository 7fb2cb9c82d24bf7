import os
import signal
import subprocess
import sys
import time

import pytest

from pseudolabel.files import (
    hash_bytes,
    hash_file,
    inside,
    move_finished,
    scratch_folder,
    sole_worker,
    write_json,
    written_aside,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, [1])

    def fail():
        with written_aside(path) as aside:
            aside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "[\n  1\n]\n"
    assert names(tmp_path) == ["a.json"]


def test_a_folder_takes_the_place_of_the_one_before(tmp_path):
    for name in ("one", "two"):
        with written_aside(tmp_path / "out") as aside:
            aside.mkdir()
            (aside / name).touch()
    assert names(tmp_path / "out") == ["two"]


def test_json_has_the_same_bytes_whatever_the_order_of_keys(tmp_path):
    write_json(tmp_path / "one", {"a": 1, "b": 2})
    write_json(tmp_path / "two", {"b": 2, "a": 1})
    assert hash_file(tmp_path / "one") == hash_file(tmp_path / "two")


def test_hashes_of_file_and_bytes_agree(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert hash_file(tmp_path / "a") == hash_bytes(content)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "b/../../a", "a\0b"])
def test_names_that_leave_the_root_are_refused(tmp_path, name):
    assert inside(tmp_path / "root", name) is None


def test_names_inside_are_paths(tmp_path):
    assert inside(tmp_path, "a/b.png") == tmp_path / "a" / "b.png"


def test_scratch_follows_the_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "data"
    file.write_text("1")
    first = scratch_folder("train", {"a": 1}, [file])
    assert scratch_folder("train", {"a": 1}, [file]) == first
    assert scratch_folder("train", {"a": 2}, [file]) != first
    file.write_text("2")
    assert scratch_folder("train", {"a": 1}, [file]) != first


def test_finished_work_is_moved_and_the_scratch_is_gone(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for name in ("model", "checkpoint"):
        (scratch / name).write_text(name)
    move_finished(scratch, tmp_path / "out", ["model"])
    assert names(tmp_path / "out") == ["model"]
    assert not scratch.exists()


HOLD = """
import sys, time
from pathlib import Path
from pseudolabel.files import sole_worker
with sole_worker(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(folder, seconds):
    command = [sys.executable, "-c", HOLD, str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_worker_waits_for_the_first(tmp_path, capsys):
    process = hold(tmp_path, 0.7)
    start = time.monotonic()
    with sole_worker(tmp_path):
        waited = time.monotonic() - start
    process.wait()
    assert waited > 0.3
    assert "another process works in" in capsys.readouterr().err


def test_a_killed_worker_holds_nobody_up(tmp_path):
    process = hold(tmp_path, 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    start = time.monotonic()
    with sole_worker(tmp_path):
        assert time.monotonic() - start < 5
