"""Disturbs a stage by the machine or by hand, runs the loop again, and compares the end.

    python -m tests.pipeline.campaign.disturbances --task classification --work FOLDER

Disks that are full or cannot be written are file systems of their own, mounted for one process:
this needs Linux, and the right to mount. Prints a table with the last line of each disturbed run.
It ends with status 1 if that line is a traceback's, if the run did not fail though it must, or if
the files in the end differ from those of a run that nothing disturbed.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.campaign.kills import environment, fingerprint, make_project, repro

TRAIN, LABEL = "python -m stages.train 0", "python -m stages.pseudo_label 1"
IMAGE = "$(ls data/sample/images/gold/* | head -1)"
KEPT_IMAGE = "kept.png"


def on_a_disk(folder, options, command):
    """A command that runs while a file system of its own is mounted in a folder."""
    return f"mkdir -p {folder} && mount {options} {folder} && {command}"


@dataclass(frozen=True)
class Disturbance:
    """A shell command that runs one stage under a disturbance, and one that ends it.

    Attributes:
        command: runs in the project's folder, with the right to mount.
        end: runs before the loop is run again.
        fails: whether the disturbed stage must fail.
    """

    command: str
    end: str = "true"
    fails: bool = True


TINY_DISK, READ_ONLY = "-t tmpfs -o size=200k none", "-t tmpfs -o ro none"
DISTURBANCES = {
    "the disk of rounds/ fills while the model is moved": Disturbance(
        on_a_disk("rounds/0", TINY_DISK, TRAIN)
    ),
    "the disk of .scratch/ fills while training": Disturbance(
        on_a_disk(".scratch", TINY_DISK, TRAIN)
    ),
    "the disk of rounds/ cannot be written": Disturbance(on_a_disk("rounds/0", READ_ONLY, TRAIN)),
    "the disk of .scratch/ cannot be written": Disturbance(on_a_disk(".scratch", READ_ONLY, TRAIN)),
    "the memory ends while training": Disturbance(f"ulimit -v 3000000 && {TRAIN}"),
    "an image is gone while training": Disturbance(
        f"cp {IMAGE} {KEPT_IMAGE} && basename {IMAGE} > kept.txt && rm {IMAGE} && {TRAIN}",
        f"mv {KEPT_IMAGE} data/sample/images/gold/$(cat kept.txt) && rm kept.txt",
    ),
    "an image is overwritten while training": Disturbance(
        f"cp {IMAGE} {KEPT_IMAGE} && basename {IMAGE} > kept.txt"
        f" && cp $(ls data/sample/images/test/* | head -1) {IMAGE} && {TRAIN}",
        f"mv {KEPT_IMAGE} data/sample/images/gold/$(cat kept.txt) && rm kept.txt",
    ),
    "all files of unfinished work are dated 2001": Disturbance(
        f"({TRAIN} & sleep 12; kill -9 $!); find .scratch -exec touch -d 2001-01-01 {{}} +",
        fails=False,
    ),
    "all files of unfinished work are dated 2099": Disturbance(
        f"({TRAIN} & sleep 12; kill -9 $!); find .scratch -exec touch -d 2099-01-01 {{}} +",
        fails=False,
    ),
}


def disturb(project, disturbance):
    """Run a disturbed stage after `prepare`; return its exit status and its last line."""
    subprocess.run(
        ["dvc", "repro", "--quiet", "prepare"], cwd=project, env=environment(), check=True
    )
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", disturbance.command],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    subprocess.run(["bash", "-c", disturbance.end], cwd=project, check=True)
    return done.returncode, done.stdout


def main():
    """Run all disturbances, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="classification", help="task of the generated sample")
    parser.add_argument("--work", type=Path, required=True, help="folder for the two projects")
    asked = parser.parse_args()
    undisturbed = make_project(asked.work / "undisturbed", asked.task, 0)
    run = repro(undisturbed)
    if run.status:
        sys.exit(run.log)
    expected = fingerprint(undisturbed)
    project = make_project(asked.work / "disturbed", asked.task, 0)
    print("| disturbance | message of the run | the next run |\n| --- | --- | --- |")
    faults = []
    for name, disturbance in DISTURBANCES.items():
        status, output = disturb(project, disturbance)
        last = (output.strip().splitlines() or [""])[-1]
        if disturbance.fails and (not status or "Traceback" in output):
            faults.append(f"{name}: status {status}\n{output}")
        again = repro(project)
        same = fingerprint(project) == expected
        if again.status or not same:
            faults.append(f"{name}: the next run: status {again.status}\n{again.log}")
        print(f"| {name} | {last} | {'the same bytes' if same else 'other bytes'} |", flush=True)
        subprocess.run(["git", "clean", "-ffdxq"], cwd=project, check=True)
    sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
