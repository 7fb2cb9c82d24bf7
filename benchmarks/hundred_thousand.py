"""Time and memory of checking and splitting a raw root of 100,000 images.

    python -m benchmarks.hundred_thousand   # as in docs/benchmarks.md

Writes image files that are headers alone (what checking reads; decoding is left out, as by
`prepare.duplicate_distance: null`), gold of 80,000 of them with boxes, and groups of four; then
runs the check in a process of its own and prints its seconds and its peak resident memory.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np

from pseudolabel.files import write_json

CLASSES = 20
CHECK = """
import sys, time
from pathlib import Path
from pseudolabel.params.sections import Prepare
from pseudolabel.prepare import read_and_split
from pseudolabel.tasks import TASKS
section = Prepare(
    val_share=0.2, folds=None, fold=0, duplicate_distance=None, transductive=False
)
start = time.perf_counter()
prepared = read_and_split(Path(sys.argv[1]), TASKS["detection"], section, 0)
seconds = time.perf_counter() - start
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(seconds, int(status["VmHWM"].split()[0]) / 1e6, prepared.report["images"])
"""


def chunk(name: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def header_of(width: int, height: int, number: int) -> bytes:
    """Return a PNG that ends behind its header, with a comment that makes its content its own."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", size), chunk(b"tEXt", b"number\0" + str(number).encode())]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IDAT", b"")


def write_root(root: Path, images: int, rng: np.random.Generator) -> int:
    """Write the raw root, and return how many boxes it has."""
    sizes = rng.choice([[640, 480], [1280, 720], [800, 800]], images)
    names = [f"{number // 1000:03d}/{number:06d}.png" for number in range(images)]
    for number, name in enumerate(names):
        path = root / "images" / name
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(header_of(*sizes[number].tolist(), number))
    labelled = images * 4 // 5
    counts = rng.poisson(8, labelled)
    owners = np.repeat(np.arange(labelled), counts)
    limits = sizes[owners]
    low = rng.random((len(owners), 2)) * limits * 0.7
    sides = 2 + rng.random((len(owners), 2)) * limits * 0.25
    boxes = np.concatenate([low, sides], axis=1).round(1).tolist()
    classes = np.minimum(rng.geometric(0.2, len(owners)), CLASSES).tolist()
    content = {
        "categories": [{"id": it, "name": f"class {it}"} for it in range(1, CLASSES + 1)],
        "images": [
            {"id": number, "file_name": name, "width": width, "height": height}
            for number, (name, (width, height)) in enumerate(
                zip(names[:labelled], sizes[:labelled].tolist(), strict=True)
            )
        ],
        "annotations": [
            {"id": number, "image_id": owner, "category_id": kind, "bbox": box}
            for number, (owner, kind, box) in enumerate(
                zip(owners.tolist(), classes, boxes, strict=True)
            )
        ],
    }
    write_json(root / "gold.json", content)
    rows = (f"{name},place {number // 4}" for number, name in enumerate(names))
    (root / "groups.csv").write_text("\n".join(["file,group", *rows]) + "\n", encoding="utf-8")
    return len(owners)


def main() -> None:
    """Write, check, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        boxes = write_root(Path(name), arguments.images, np.random.default_rng(0))
        wrote = time.perf_counter() - start
        print(f"{arguments.images:,} images, {boxes:,} boxes, written in {wrote:.0f} s", flush=True)
        command = [sys.executable, "-c", CHECK, name]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        seconds, gigabytes, images = done.stdout.split(maxsplit=2)
        print(f"checked and split in {float(seconds):.1f} s, peak {float(gigabytes):.2f} GB")
        print(f"images: {images.strip()}")


if __name__ == "__main__":
    main()
