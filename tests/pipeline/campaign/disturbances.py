"""Disturbs a stage by the machine or by hand, runs it again, and compares its output.

    python -m tests.pipeline.campaign.disturbances --task classification --work FOLDER

Disks that are full, broken, or cannot be written are file systems of their own, mounted for one
process: this needs Linux, the right to mount, and loop devices. A clock that is set back needs
faketime. Prints a table with the error of each disturbed run. It ends with status 1 if a
disturbed run prints a traceback, if it did not fail though it must, or if the output of the next
run differs from that of a run that nothing disturbed.
"""

import argparse
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.campaign.kills import environment, fingerprint, make_project, repro

TRAIN, LABEL = "python -m stages.train 0", "python -m stages.pseudo_label 1"
STAGES = {
    TRAIN: ("prepare", "rounds/dvc.yaml:train_teacher", "rounds/0/model"),
    LABEL: (
        "rounds/dvc.yaml:evaluate_teacher",
        "rounds/dvc.yaml:pseudo_label@1",
        "rounds/1/predictions",
    ),
}
"""What must run before each stage, its name, and its output."""
IMAGES = "data/sample/images"
BROKEN_DISK = Path(__file__).with_name("broken_disk.py")


def first_of(split):
    """The first image of a split, as a shell command."""
    code = f"import json; print(json.load(open('data/prepared/{split}/coco.json'))['images'][0]"
    return f"{IMAGES}/$(python -c \"{code}['file_name'])\")"


def on_a_disk(folder, options, command):
    """A command that runs while a file system of its own is mounted in a folder."""
    return f"mkdir -p {folder} && mount {options} {folder} && {command}"


def on_unreadable_blocks(folder, command):
    """A command that runs while the files of a folder have lost the blocks with their content.

    They are on a loop device whose file is cut, so that the kernel answers with EIO.
    """
    return (
        "truncate -s 32M disk.img && mkfs.ext4 -qF -O ^has_journal disk.img && mkdir -p disk"
        f" && mount -o loop disk.img disk && cp {folder}/* disk && umount disk"
        f" && mount -o loop,ro disk.img {folder} && ls -l {folder} > listed.txt"
        f" && echo 2 > /proc/sys/vm/drop_caches; echo 1 > /proc/sys/vm/drop_caches"
        f" && truncate -s 1M disk.img && {command}"
    )


def on_a_breaking_disk(folder, pattern, command):
    """A command that runs while the disk of a folder breaks, once a file matches a pattern.

    The project has no folder `tests`: the program is called by its path.
    """
    return f"python {BROKEN_DISK} {folder} '{pattern}' -- {command}"


def killed(command):
    """A command that kills a training after a checkpoint."""
    wait = "until ls .scratch/train/*/iter_*.pth; do sleep 0.2; done"
    return f"{{ {command} & }}; timeout 300 sh -c '{wait}' > /dev/null 2>&1; kill -9 $!; wait $!"


@dataclass(frozen=True)
class Disturbance:
    """A shell command that runs one stage under a disturbance, and one that ends it.

    Attributes:
        stage: the command of the stage.
        command: runs in the project's folder, with the right to mount.
        end: runs before the stage is run again.
        fails: whether the disturbed stage must fail.
        needs: a program without which this is not tried.
    """

    stage: str
    command: str
    end: str = "true"
    fails: bool = True
    needs: str = "bash"


TINY_DISK, READ_ONLY = "-t tmpfs -o size=200k none", "-t tmpfs -o ro none"
KEPT = f"image={first_of('gold')} && cp $image kept.png && echo $image > kept.txt"
RESTORED = "mv kept.png $(cat kept.txt) && rm kept.txt"
DISTURBANCES = {
    "the disk of rounds/ fills while the model is moved": Disturbance(
        TRAIN, on_a_disk("rounds/0", TINY_DISK, TRAIN)
    ),
    "the disk of .scratch/ fills while training": Disturbance(
        TRAIN, on_a_disk(".scratch", TINY_DISK, TRAIN)
    ),
    "the disk of .scratch/ fills while labelling": Disturbance(
        LABEL, on_a_disk(".scratch", "-t tmpfs -o size=12k none", LABEL)
    ),
    "the disk of rounds/ cannot be written": Disturbance(
        TRAIN, on_a_disk("rounds/0", READ_ONLY, TRAIN)
    ),
    "the disk of .scratch/ cannot be written": Disturbance(
        TRAIN, on_a_disk(".scratch", READ_ONLY, TRAIN)
    ),
    "the disk of the images breaks while training (EIO)": Disturbance(
        TRAIN, on_unreadable_blocks(IMAGES, TRAIN), "rm -r disk.img disk listed.txt"
    ),
    "the disk of the images breaks while labelling (EIO)": Disturbance(
        LABEL, on_unreadable_blocks(IMAGES, LABEL), "rm -r disk.img disk listed.txt"
    ),
    "the disk of rounds/ breaks while training (EIO at writing)": Disturbance(
        TRAIN, on_a_breaking_disk("rounds/0", "*", TRAIN)
    ),
    "the disk of .scratch/ breaks while training (EIO at writing)": Disturbance(
        TRAIN, on_a_breaking_disk(".scratch", "train/*/iter_*.pth", TRAIN)
    ),
    "the disk of .scratch/ breaks while labelling (EIO at writing)": Disturbance(
        LABEL, on_a_breaking_disk(".scratch", "pseudo_label/*/*", LABEL)
    ),
    "an image is gone while training": Disturbance(
        TRAIN,
        f"{KEPT} && rm $image && {TRAIN}",
        RESTORED,
    ),
    "an image is overwritten while training": Disturbance(
        TRAIN,
        f"{KEPT} && cp {first_of('test')} $image && {TRAIN}",
        RESTORED,
    ),
    "all files of unfinished work are dated 2001": Disturbance(
        TRAIN,
        f"{killed(TRAIN)}; find .scratch -exec touch -d 2001-01-01 {{}} + && {TRAIN}",
        fails=False,
    ),
    "all files of unfinished work are dated 2099": Disturbance(
        TRAIN,
        f"{killed(TRAIN)}; find .scratch -exec touch -d 2099-01-01 {{}} + && {TRAIN}",
        fails=False,
    ),
    "the clock is set back by an hour after a kill": Disturbance(
        TRAIN, f"{killed(TRAIN)}; faketime -f -1h {TRAIN}", fails=False, needs="faketime"
    ),
}


def disturb(project, disturbance):
    """Run a disturbed stage after those before it; return its exit status and its output."""
    before, _, _ = STAGES[disturbance.stage]
    subprocess.run(["dvc", "repro", "--quiet", before], cwd=project, env=environment(), check=True)
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


def output_of(project, stage):
    """The hashes of a stage's output."""
    _, _, output = STAGES[stage]
    hashes = fingerprint(project)
    return {name: found for name, found in hashes.items() if name.startswith(f"{output}/")}


def faults_of(project, name, disturbance, expected):
    """Yield what is wrong after one disturbance; print its row of the table."""
    status, output = disturb(project, disturbance)
    # A progress bar may be in the same line.
    lines = re.findall("error: .*", output)
    message = lines[-1] if lines else "resumes, and ends"
    if (
        "Traceback" in output
        or bool(status) != disturbance.fails
        or len(lines) != disturbance.fails
    ):
        yield f"{name}: status {status}\n{output}"
    _, target, _ = STAGES[disturbance.stage]
    # Forced, so that the output is not taken from the cache of another run.
    again = repro(project, arguments=("--force", "--single-item", target))
    same = output_of(project, disturbance.stage) == expected[disturbance.stage]
    if again.status or not same:
        yield f"{name}: the next run: status {again.status}\n{again.log}"
    print(f"| {name} | {message} | {'the same bytes' if same else 'other bytes'} |", flush=True)


def main():
    """Run all disturbances, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="classification", help="task of the generated sample")
    parser.add_argument("--work", type=Path, required=True, help="folder for the two projects")
    parser.add_argument("--only", default="", help="only disturbances whose names have this text")
    asked = parser.parse_args()
    undisturbed = make_project(asked.work.resolve() / "undisturbed", asked.task, 0)
    run = repro(undisturbed, arguments=(STAGES[LABEL][1],))
    if run.status:
        sys.exit(run.log)
    expected = {stage: output_of(undisturbed, stage) for stage in STAGES}
    project = make_project(asked.work.resolve() / "disturbed", asked.task, 0)
    # The stages before the disturbed one need not run again.
    cache = ["dvc", "config", "cache.dir", str(undisturbed / ".dvc" / "cache")]
    subprocess.run(cache, cwd=project, env=environment(), check=True)
    subprocess.run(["git", "commit", "-qam", "The other's cache"], cwd=project, check=True)
    print("| disturbance | message of the run | the next run |\n| --- | --- | --- |")
    faults = []
    for name, disturbance in DISTURBANCES.items():
        if asked.only not in name:
            continue
        if not shutil.which(disturbance.needs):
            print(f"| {name} | not tried: no {disturbance.needs} | |")
            continue
        faults += faults_of(project, name, disturbance, expected)
        subprocess.run(["git", "clean", "-ffdxq"], cwd=project, check=True)
    sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
