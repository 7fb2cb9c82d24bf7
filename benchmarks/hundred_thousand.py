"""Time and memory of checking and splitting a raw root of 100,000 images.

    python -m benchmarks.hundred_thousand   # as in docs/benchmarks.md

The images are small and of one colour, because decoding is not what is measured. Gold has 80,000
images with boxes, in groups of four. The check runs in a separate process; the program prints its
seconds and its peak resident memory.
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

from pseudolabel.core.files import write_json

CLASSES = 20
SIZES = [[64, 48], [128, 72], [80, 80]]
CHECK = """
import sys, time
from pathlib import Path
from pseudolabel.params.common import Prepare
from pseudolabel.splits.prepare import read_and_split
section = Prepare(
    val_share=0.2,
    tuning_share=0.0,
    folds=None,
    fold=0,
    duplicate_distance=None,
    max_pixels=100_000_000,
    transductive=False,
)
start = time.perf_counter()
prepared = read_and_split(Path(sys.argv[1]), "detection", section, 0)
seconds = time.perf_counter() - start
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(seconds, int(status["VmHWM"].split()[0]) / 1e6, prepared.report["images"])
"""


def chunk(name: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png_image(width: int, height: int, number: int) -> bytes:
    """Return a black PNG with a comment that makes its content unique."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + 3 * width) * height))
    parts = [chunk(b"IHDR", size), chunk(b"tEXt", b"number\0" + str(number).encode())]
    parts += [chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def write_root(
    root: Path,
    images: int,
    rng: np.random.Generator,
    labelled_share: float = 0.8,
    folders: int = 100,
) -> int:
    """Write the raw root, with images in a number of folders, and return the number of boxes."""
    sizes = rng.choice(SIZES, images)
    names = [f"{number % folders:03d}/{number:06d}.png" for number in range(images)]
    for number, name in enumerate(names):
        path = root / "images" / name
        if number < folders:
            path.parent.mkdir(parents=True)
        path.write_bytes(png_image(*sizes[number].tolist(), number))
    labelled = round(images * labelled_share)
    counts = rng.poisson(8, labelled)
    owners = np.repeat(np.arange(labelled), counts)
    limits = sizes[owners]
    low = rng.random((len(owners), 2)) * limits * 0.7
    sides = 2 + rng.random((len(owners), 2)) * limits * 0.25
    boxes = np.concatenate([low, sides], axis=1).round(1).tolist()
    classes = np.minimum(rng.geometric(0.2, len(owners)), CLASSES).tolist()
    content = {
        "categories": [
            {"id": number, "name": f"class {number}"} for number in range(1, CLASSES + 1)
        ],
        "images": [
            {"id": number, "file_name": name, "width": width, "height": height}
            for number, (name, (width, height)) in enumerate(
                zip(names[:labelled], sizes[:labelled].tolist(), strict=True)
            )
        ],
        "annotations": [
            {"id": number, "image_id": owner, "category_id": category, "bbox": box}
            for number, (owner, category, box) in enumerate(
                zip(owners.tolist(), classes, boxes, strict=True)
            )
        ],
    }
    write_json(root / "gold.json", content)
    rows = (f"{name},place {number // 4}" for number, name in enumerate(names))
    (root / "groups.csv").write_text("\n".join(["file,group", *rows]) + "\n", encoding="utf-8")
    return len(owners)


def images_asked_for(description: str | None) -> int:
    """Return the number of images from the command line."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    count: int = parser.parse_args().images
    return count


def main() -> None:
    """Write the raw root, check it, and print the results."""
    images = images_asked_for(__doc__)
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        boxes = write_root(Path(name), images, np.random.default_rng(0))
        written = time.perf_counter() - start
        print(f"{images:,} images, {boxes:,} boxes, written in {written:.0f} s", flush=True)
        command = [sys.executable, "-c", CHECK, name]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        seconds, gigabytes, images = done.stdout.split(maxsplit=2)
        print(f"checked and split in {float(seconds):.1f} s, peak {float(gigabytes):.2f} GB")
        print(f"images: {images.strip()}")


if __name__ == "__main__":
    main()
