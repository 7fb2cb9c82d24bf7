"""A full disk or memory ends in one line; a fault of the code keeps its traceback."""

import errno
from pathlib import Path

import pytest

from pseudolabel.core.errors import plain_errors


def message_of(error):
    with pytest.raises(SystemExit) as ended, plain_errors():
        raise error
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "", "a/b"), "error: a/b: No space left on device: free some space"),
        (OSError(errno.EROFS, "", "a"), "error: a: Read-only file system: make it writable"),
        (PermissionError(errno.EACCES, "", "a"), "error: a: Permission denied: change its perm"),
        (OSError(errno.EIO, ""), "error: Input/output error: check the disk"),
        (MemoryError(), "error: the memory is full: a smaller batch_size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you"), "error: the memory is"),
        (RuntimeError("DataLoader timed out after 300 seconds"), "error: a loader worker has sent"),
        (RuntimeError("DataLoader worker (pid 7) is killed"), "error: a loader worker has died"),
        (
            RuntimeError("Caught it in a worker\nunable to write to file </torch_7_8>: No space"),
            "error: the shared memory is full: data.workers: 0 reads images without workers",
        ),
        (KeyboardInterrupt(), "stopped: run again to continue"),
    ],
)
def test_faults_of_the_machine_are_one_line(error, message):
    assert message_of(error).startswith(message)
    assert "\n" not in message_of(error)


def test_a_full_disk_behind_another_error_is_found():
    error = RuntimeError("unexpected pos 64 vs 0")
    error.__context__ = OSError(errno.ENOSPC, "")
    assert message_of(error).startswith("error: No space left on device")


def test_a_real_full_disk():
    # Every write to /dev/full fails as on a full disk.
    with pytest.raises(SystemExit) as ended, plain_errors():
        Path("/dev/full").write_text("a" * 100_000)
    assert "No space left on device" in ended.value.code


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "", "a"), KeyError("a")])
def test_other_errors_keep_their_traceback(error):
    with pytest.raises(type(error)), plain_errors():
        raise error
