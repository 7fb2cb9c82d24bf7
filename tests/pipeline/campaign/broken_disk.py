"""Runs a command while a disk of its own breaks in a folder: the kernel answers writes with EIO.

    python -m tests.pipeline.campaign.broken_disk FOLDER PATTERN COMMAND...

The disk is a loop device on a file in memory. Once a file in FOLDER matches PATTERN, that file is
sealed, so that nothing can be written to it. This needs Linux and the right to mount; the caller
runs it in a mount namespace of its own. Ends with the exit status of the command.
"""

import argparse
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

DISK_BYTES = 64 << 20


def mount_disk(folder):
    """Mount a file system in a folder; return the file in memory that it is on."""
    file = os.memfd_create("disk", os.MFD_ALLOW_SEALING)
    os.ftruncate(file, DISK_BYTES)
    path = f"/proc/{os.getpid()}/fd/{file}"
    folder.mkdir(parents=True, exist_ok=True)
    # Without a journal and in step with each write, so that the writer itself gets the error.
    subprocess.run(["mkfs.ext4", "-qF", "-O", "^has_journal", path], check=True)
    subprocess.run(["mount", "-o", "loop,sync", path, folder], check=True)
    return file


def main():
    """Run the command, and break its disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pattern", help="such as 'train/*/iter_*.pth'; '*' breaks it at once")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    file = mount_disk(asked.folder)
    with subprocess.Popen(asked.command) as running:
        while running.poll() is None and not any(asked.folder.glob(asked.pattern)):
            time.sleep(0.05)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    sys.exit(running.returncode)


if __name__ == "__main__":
    main()
