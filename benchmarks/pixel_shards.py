"""Label maps as PNG files and as shards: files, bytes, and the seconds that DVC takes.

    python -m benchmarks.pixel_shards                 # as in docs/benchmarks.md
    python -m benchmarks.pixel_shards --images 5000   # a quick run

Each way gets a DVC repository of its own, with the same maps of 64x64 pixels as one output. Then
the transform of the training reads maps at random, in one process. The program prints by how much
its resident memory grows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from pseudolabel.formats.label_maps import LABEL_MAPS, LabelMap, encode_map
from pseudolabel.formats.map_shards import MapShardWriter
from pseudolabel.formats.shards import shard_path
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.presets import preset_values
from pseudolabel.training.pixels import LoadLabelMap

SIDE, CLASSES = 64, 6
READS = 20_000
PRESETS = Path("presets")


def random_maps(images: int) -> Iterator[tuple[int, LabelMap]]:
    """Yield ids and maps: regions of eight pixels, some of them unlabelled."""
    rng = np.random.default_rng(0)
    values = np.array([*range(CLASSES), 255], np.uint8)
    for image_id in range(1, images + 1):
        regions = values[rng.integers(0, len(values), (SIDE // 8, SIDE // 8))]
        labels = cv2.resize(regions, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
        yield image_id, labels.astype(np.uint8)


def write_files(images: int, folder: Path) -> None:
    """Write one PNG file per image, as rounds did before."""
    split = SplitFolder(folder)
    for image_id, labels in random_maps(images):
        split.write_label_map(image_id, labels)


def write_shards(images: int, folder: Path) -> None:
    """Write shards as the filter does, with as many images as the preset has."""
    size = preset_values(PRESETS / "semantic.yaml", PRESETS)["pseudo_label"]["shard_images"]
    writer = MapShardWriter(folder / ".unfinished")
    for image_id, labels in random_maps(images):
        writer.add(image_id, encode_map(labels))
        if image_id % size == 0 or image_id == images:
            writer.close(shard_path(folder / LABEL_MAPS, (image_id - 1) // size))


def seconds(job: Callable[[], object]) -> float:
    """Run a job, and return its seconds."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def dvc(repository: Path, *arguments: str) -> None:
    """Run DVC in a repository."""
    command = [sys.executable, "-m", "dvc", *arguments, "--quiet"]
    subprocess.run(command, cwd=repository, check=True)


def resident_mb() -> float:
    """Return the resident memory of this process."""
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1e3


def read_at_random(images: int, folder: Path) -> str:
    """Return the speed and the memory of a training's reads."""
    load = LoadLabelMap()
    rows = np.random.default_rng(1).integers(1, images + 1, READS).tolist()

    def read(image_id: int) -> None:
        load.transform({"split": str(folder), "image_id": image_id, "seg_fields": []})

    read(rows[0])
    before = resident_mb()
    taken = seconds(lambda: [read(image_id) for image_id in rows])
    return f"{READS / taken:,.0f} random reads/s, +{resident_mb() - before:.0f} MB"


def measure(name: str, images: int, write: Callable[[int, Path], None]) -> None:
    """Write the maps, give them to DVC, read them, and print the results."""
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary)
        dvc(repository, "init", "--no-scm")
        dvc(repository, "config", "core.analytics", "false")
        folder = repository / "silver"
        written = seconds(lambda: write(images, folder))
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{name}: {len(files):,} files, {size:.1f} MB, written in {written:.1f} s")
        added = seconds(lambda: dvc(repository, "add", "silver"))
        idle = seconds(lambda: dvc(repository, "status"))
        print(f"  dvc add {added:.1f} s, idle dvc status {idle:.1f} s")
        print(f"  {read_at_random(images, folder)}", flush=True)


def main() -> None:
    """Measure both ways."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    images = parser.parse_args().images
    print(f"{images:,} label maps of {SIDE}x{SIDE} pixels")
    generated = seconds(lambda: [None for _ in random_maps(images)])
    print(f"generating them alone takes {generated:.1f} s, a part of each time to write")
    measure("PNG files", images, write_files)
    measure("shards", images, write_shards)


if __name__ == "__main__":
    main()
