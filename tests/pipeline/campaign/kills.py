"""Kills `dvc repro` at random moments, runs it again, and compares the end with an unbroken run.

    python -m tests.pipeline.campaign.kills --task detection --kills 40 --work FOLDER

Prints a table with one row per kind of kill. It ends with status 1 if work was lost, if an error
was not a plain message, or if the files in the end differ from those of the unbroken run.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from pseudolabel.core.files import hash_file
from tests.pipeline.conftest import copy_of_project

LONGEST_DELAY = 14.0
"""Seconds until a kill: about as long as the longest stage of a tiny project."""
LONGEST_PART = 1 / 6
"""The longest stage takes about this part of the time of a loop of two rounds."""
LONGEST_RUN = 900
OUTPUTS = ("data/prepared", "rounds", "report", "metrics.json")
MEASURED = ("speed.json", "rounds.md", "dvc.lock")
"""Files with images per second, and the record of their hashes: they differ from run to run."""
RESUMED = re.compile(r"resumes at (?:iteration|image) ([\d,]+)")
WORKING = re.compile(r"(?:train|pseudo_label): +\d+%")
CHECKPOINT = re.compile(r"iter_(\d+)\.pth")
BUSY = "another run is"
DVC_RECORDS = (".dvc/tmp/rwlock", "dvc.lock", "extras/dvc.lock", "rounds/dvc.lock")
"""Files that DVC writes in place: a kill can cut them short, and DVC then refuses to run."""


def is_stage(process):
    return any(word.startswith("stages.") for word in process.cmdline())


def stage_of(dvc):
    """The process of the stage that DVC runs; none between two stages."""
    return [one for one in dvc.children(recursive=True) if is_stage(one)][:1]


def workers_of(dvc):
    """A process that the stage has started: a loader worker, or a process of torchrun."""
    return [one for stage in stage_of(dvc) for one in stage.children(recursive=True)][-1:]


def all_of(dvc):
    return [*dvc.children(recursive=True), dvc]


KILLS = {
    "all processes, SIGKILL": (all_of, signal.SIGKILL),
    "all processes, SIGINT": (all_of, signal.SIGINT),
    "all processes, SIGTERM": (all_of, signal.SIGTERM),
    "DVC alone, SIGKILL": (lambda dvc: [dvc], signal.SIGKILL),
    "the stage alone, SIGKILL": (stage_of, signal.SIGKILL),
    "a worker alone, SIGKILL": (workers_of, signal.SIGKILL),
}


@dataclass
class Run:
    """One `dvc repro`: its exit status, its output, and the processes that a kill left behind."""

    status: int
    log: str
    killed: bool
    orphans: list = field(default_factory=list)


def environment():
    """The environment of commands: `python` and `dvc` are those that run this program."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return dict(os.environ, PATH=path, PYTHONUNBUFFERED="1")


def repro(folder, kill=None, delay=LONGEST_RUN, arguments=()):
    """Run `dvc repro`, and send a kind of kill after a delay, if it has not ended before."""
    log = folder.parent / f"{folder.name}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ["dvc", "repro", *arguments],
            cwd=folder,
            stdout=stream,
            stderr=stream,
            env=environment(),
        )
        dvc = psutil.Process(process.pid)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            orphans = send(dvc, *kill)
            killed = orphans is not None
            process.wait(LONGEST_RUN)
        else:
            killed, orphans = False, None
    text = log.read_text(encoding="utf-8", errors="replace")
    return Run(process.returncode, text, killed, orphans or [])


def send(dvc, choose, number):
    """Send a signal to the chosen processes; return all others, None if none was chosen."""
    chosen, everyone = choose(dvc), all_of(dvc)
    for process in chosen:
        process.send_signal(number)
    return [one for one in everyone if one not in chosen] if chosen else None


def kept_progress(folder):
    """The iterations and images that the unfinished stage has kept, as its message names them."""
    unfinished = [path for path in folder.glob(".scratch/*/*") if not (path / "finished").exists()]
    checkpoints = [path.name for one in unfinished for path in one.glob("iter_*.pth")]
    iterations = [int(CHECKPOINT.fullmatch(name)[1]) for name in checkpoints]
    # A kill can cut the last one short.
    return sorted(iterations)[-2] if len(iterations) > 1 else 0


def remove_cut_records(folder):
    """Remove the files of DVC that were cut short, as docs/interruptions.md says; their names."""
    removed = [name for name in DVC_RECORDS if is_cut(folder / name)]
    for name in removed:
        (folder / name).unlink()
    return removed


def is_cut(path):
    try:
        return path.exists() and not isinstance(yaml.safe_load(path.read_text()), dict)
    except yaml.YAMLError:
        return True


def fingerprint(folder):
    """The hashes of all files that the pipeline wrote, by name."""
    paths = [folder / name for name in OUTPUTS]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return {
        str(one.relative_to(folder)): hash_file(one)
        for one in files
        if one.is_file() and one.name not in MEASURED
    }


@dataclass
class Campaign:
    """Kills until their number is reached, over as many whole runs of the loop as that takes."""

    folder: Path
    kills: int
    numbers: random.Random
    longest_delay: float = LONGEST_DELAY
    rows: dict = field(default_factory=lambda: {name: [0, 0, 0] for name in KILLS})
    faults: list = field(default_factory=list)

    @property
    def kills_done(self):
        """The number of kills until now."""
        return sum(row[0] for row in self.rows.values())

    def run(self, expected):
        """Kill and run again; faults collects lost work, tracebacks and other bytes."""
        while self.kills_done < self.kills and not self.faults:
            self._one_loop()
            found = fingerprint(self.folder)
            names = sorted(set(expected) | set(found))
            other = [name for name in names if expected.get(name) != found.get(name)]
            if other and not self.faults:
                self.faults.append(f"other bytes at the end: {', '.join(other[:5])}")
            # All that is not in git: outputs, unfinished work, DVC's cache and records.
            subprocess.run(["git", "clean", "-ffdxq"], cwd=self.folder, check=True)

    def _one_loop(self):
        """Run the loop until it ends by itself, with kills on the way."""
        kept, last = 0, None
        while not self.faults:
            name = self.numbers.choice(list(KILLS))
            left = self.kills - self.kills_done
            delay = self.numbers.uniform(1, self.longest_delay) if left > 0 else LONGEST_RUN
            run = repro(self.folder, KILLS[name], delay)
            self.rows[name][0] += run.killed
            begun = WORKING.search(run.log)
            if begun and kept and not RESUMED.search(run.log[: begun.start()]):
                self.faults.append(f"lost {kept} iterations:\n{run.log}")
            if BUSY in run.log:
                self.rows[name][1] += 1
            elif run.status and not run.killed:
                self._failed(run, last)
            psutil.wait_procs(run.orphans, LONGEST_RUN)
            kept = kept_progress(self.folder)
            line = f"{name}: after {delay:.1f} s" if run.killed else "ended"
            print(f"{line}, status {run.status}, kept {kept}", flush=True)
            last = name if run.killed else last
            if run.status == 0:
                return

    def _failed(self, run, last):
        """A failure without a kill is a fault, unless the last kill has cut a file of DVC."""
        removed = remove_cut_records(self.folder)
        if removed:
            print(f"removed: {', '.join(removed)}", flush=True)
            self.rows[last][2] += 1
        else:
            self.faults.append(f"failed without a kill:\n{run.log}")


def make_project(folder, task, workers, processes=1):
    """A copy of this project with tiny parameters, a checkpoint often, and loader workers.

    With several processes, torchrun trains, and a worker to kill is one of its processes.
    """
    folder.mkdir(parents=True)
    project = copy_of_project(folder, task)
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["train"]["checkpoint_every"] = 5
    values["data"]["workers"] = workers
    values["train"]["launcher"]["processes"] = processes
    values["train"]["batch_size"] *= processes
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    project.commit("Often a checkpoint")
    return folder


def run_campaign(work, task, kills, seed, *project):
    """Return a finished campaign.

    Args:
        work: the folder for the two projects.
        task: their task.
        kills: the number of kills.
        seed: of the moments.
        project: loader workers, and processes that train.
    """
    unbroken = make_project(work / "unbroken", task, *project)
    start = time.monotonic()
    run = repro(unbroken)
    if run.status:
        sys.exit(run.log)
    longest_delay = (time.monotonic() - start) * LONGEST_PART
    broken = make_project(work / "broken", task, *project)
    campaign = Campaign(broken, kills, random.Random(seed), longest_delay)
    campaign.run(fingerprint(unbroken))
    return campaign


def table(task, campaign):
    """The campaign as rows of a Markdown table."""
    lines = []
    for name, numbers in campaign.rows.items():
        lines.append(" | ".join([f"| {task}", name, *map(str, numbers)]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="detection", help="task of the generated sample")
    parser.add_argument("--kills", type=int, default=40, help="number of kills")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the moments")
    parser.add_argument("--workers", type=int, default=1, help="loader workers")
    parser.add_argument("--processes", type=int, default=1, help="processes that train")
    parser.add_argument("--work", type=Path, required=True, help="folder for the two projects")
    asked = parser.parse_args()
    # A shell that starts this in the background lets it ignore SIGINT, and all that it starts, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    project = asked.workers, asked.processes
    done = run_campaign(asked.work, asked.task, asked.kills, asked.seed, *project)
    print("| task | killed | kills | refused for a process that still worked | DVC's file cut |")
    print("| --- | --- | --- | --- | --- |")
    print(table(asked.task, done))
    sys.exit("\n".join(done.faults))
