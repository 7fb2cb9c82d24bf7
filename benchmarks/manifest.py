"""The manifest of many raw files: what `dvc repro` costs when nothing or one image has changed.

    python -m benchmarks.manifest                       # 100,000 images
    python -m benchmarks.manifest --images 20000        # as in docs/benchmarks.md
    python -m benchmarks.manifest --images 1000000 --no-plain

The images are of 2 kB and of one colour, in folders of 10,000. The project has stages `manifest`
and `prepare`. Beside it, a plain DVC stage depends on the folder of images, as `prepare` once did.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.hundred_thousand import png_image
from pseudolabel.core.files import write_json

IN_FOLDER = 10_000
LABELLED = 40
SIDE = (64, 48)
FILL = 1_800
"""Bytes that are added to each image, so that it has 2 kB."""


def write_images(root: Path, first: int, count: int) -> None:
    """Write images; each has a content of its own."""
    content = png_image(*SIDE, 0)
    for number in range(first, first + count):
        folder = root / "images" / f"{number // IN_FOLDER:04d}"
        if number % IN_FOLDER == 0:
            folder.mkdir(parents=True)
        fill = f"{number:09d}".encode() * (FILL // 9)
        (folder / f"{number:08d}.png").write_bytes(content + fill)


def write_labels(root: Path) -> None:
    """Write gold, val and test with a box on each of their images."""
    width, height = SIDE
    for part, split in enumerate(("gold", "val", "test")):
        rows = range(1 + part * LABELLED, 1 + (part + 1) * LABELLED)
        names = {row: f"0000/{row:08d}.png" for row in rows}
        images = [
            {"id": row, "file_name": name, "width": width, "height": height}
            for row, name in names.items()
        ]
        box = {"category_id": 1, "bbox": [4, 4, 20, 20], "area": 400, "iscrowd": 0}
        boxes = [{"id": row, "image_id": row, **box} for row in rows]
        categories = [{"id": 1, "name": "a"}]
        content = {"images": images, "annotations": boxes, "categories": categories}
        write_json(root / f"{split}.json", content)


def timed(folder: Path, *command: str) -> str:
    """Run a command, and return its seconds and those of its processes on a core."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True, capture_output=True)
    seconds, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return f"{seconds:.1f} s ({cpu:.1f} s of CPU)"


def measure_project(folder: Path, root: Path, count: int) -> None:
    """Print what the stages of a project cost."""
    command = ("pseudolabel", "init", "project", "--task", "detection", "--data", str(root))
    subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True, capture_output=True)
    project = folder / "project"
    params = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    # Decoding all images for near-duplicates is not what is measured here.
    params["prepare"]["duplicate_distance"] = None
    (project / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    repro = ("dvc", "repro", "prepare")
    print(f"first `dvc repro prepare`: {timed(project, *repro)}", flush=True)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"peak memory of its largest process: {largest:.2f} GB", flush=True)
    # Files of the last two seconds would be read once more.
    print(f"second: {timed(project, *repro)}", flush=True)
    print(f"idle: {timed(project, *repro)}", flush=True)
    write_images(root, count, 1)
    print(f"one more image: {timed(project, *repro)}", flush=True)


def measure_plain(folder: Path, root: Path) -> None:
    """Print what a DVC stage costs that depends on the folder of images."""
    plain = folder / "plain"
    plain.mkdir()
    for command in (("git", "init", "--quiet"), (sys.executable, "-m", "dvc", "init", "--quiet")):
        subprocess.run(command, cwd=plain, check=True)
    stage = {"cmd": "echo done > out", "deps": [str(root / "images")], "outs": ["out"]}
    (plain / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"look": stage}}), encoding="utf-8")
    print(f"plain stage, first: {timed(plain, 'dvc', 'repro')}", flush=True)
    print(f"plain stage, idle: {timed(plain, 'dvc', 'repro')}", flush=True)


def main() -> None:
    """Generate a raw root, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--no-plain", dest="plain", action="store_false")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "raw"
        write_images(root, 0, asked.images)
        write_labels(root)
        print(f"{asked.images:,} images")
        if asked.plain:
            measure_plain(Path(scratch), root)
        measure_project(Path(scratch), root, asked.images)


if __name__ == "__main__":
    main()
