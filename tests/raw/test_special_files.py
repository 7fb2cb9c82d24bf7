"""Pipes in a raw root: check and `check --fix` never wait for their content."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pseudolabel.core.errors import DataError
from pseudolabel.core.regular_files import UnsuitableFileError, read_content
from pseudolabel.raw import SPLIT_READERS
from pseudolabel.raw.layout import read_raw
from pseudolabel.raw.repair import repair
from tests.builders import raw_root
from tests.pipes import nobody_waits


def test_devices_are_not_read():
    with pytest.raises(UnsuitableFileError, match=r"^a pipe, a socket or a device$"):
        read_content(Path("/dev/zero"))


@pytest.mark.parametrize(
    "name", ["images/gold/1.png", "gold.json", "groups.csv", "masks/gold/1.png"]
)
def test_a_pipe_is_a_fault_of_the_check(tmp_path, name):
    root = raw_root(tmp_path / "raw", gold_count=3)
    task = "semantic" if name.startswith("masks") else "detection"
    if task == "semantic":
        (root / "masks/gold").mkdir(parents=True)
        for number in range(3):
            Image.fromarray(np.ones((30, 40), np.uint8)).save(root / f"masks/gold/{number}.png")
    (root / name).unlink(missing_ok=True)
    with nobody_waits(root / name), pytest.raises(DataError) as caught:
        read_raw(root, SPLIT_READERS[task])
    assert "a pipe, a socket or a device" in {fault.found for fault in caught.value.faults}


def test_a_pipe_in_the_pool_is_left_out(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=3, pool_count=2)
    with nobody_waits(root / "images/pool/pipe.png"):
        raw = read_raw(root, SPLIT_READERS["detection"], hashes=True)
    assert raw.pool.file_names.tolist() == ["pool/0.png", "pool/1.png"]


@pytest.mark.parametrize("name", ["images/gold/1.png", "gold.json", "notes", "masks/gold/1.png"])
def test_repair_refuses_a_root_with_a_pipe(tmp_path, name):
    root = raw_root(tmp_path / "raw", gold_count=3)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).unlink(missing_ok=True)
    with nobody_waits(root / name), pytest.raises(DataError) as caught:
        repair(root, tmp_path / "new", "detection")
    assert [str(fault) for fault in caught.value.faults] == [
        f"{root / name}: expected a file, found a pipe, a socket or a device"
    ]
    assert not (tmp_path / "new").exists()
