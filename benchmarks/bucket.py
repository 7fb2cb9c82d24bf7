"""Images in a bucket: images per second with a cold and a warm cache, beside local files.

    python -m benchmarks.bucket                  # 2,000 photos of 640x480 pixels
    python -m benchmarks.bucket --images 200

The server of S3 is moto's, in a process of its own on this machine. So a cold cache shows what the
client and this server cost, and no network. Each row is read in one process, image by image, as a
loader worker reads. The rows `manifest` read many images at a time, as the stage does.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import boto3
import cv2
import numpy as np

from pseudolabel.core.bucket import raw_root
from pseudolabel.core.files import hash_bytes
from pseudolabel.core.image_cache import FOLDER, limit_cache
from pseudolabel.formats.image_decoder import decode_image
from pseudolabel.formats.image_files import IMAGES, read_unchanged
from pseudolabel.manifest.manifest import read_manifest

BUCKET, SIDES = "pond", (640, 480)
_SECONDS_TO_START = 60


def write_photos(folder: Path, count: int) -> None:
    """Write JPEGs with the detail of a photo; each has a content of its own."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    width, height = SIDES
    coarse = rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    photo = cv2.resize(coarse, SIDES, interpolation=cv2.INTER_CUBIC)
    for number in range(count):
        cv2.putText(photo, str(number), (20, 200), cv2.FONT_HERSHEY_PLAIN, 8, (0, 0, 0), 6)
        shown = np.roll(photo, number, axis=1)
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), shown, [cv2.IMWRITE_JPEG_QUALITY, 85])


@contextmanager
def server() -> Iterator[None]:
    """Start the server in a process of its own, and let this process find it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    os.environ.update(dict.fromkeys(keys, "us-east-1"), AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < end:
            with socket.socket() as other:
                if other.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def timed(label: str, count: int, work: Callable[[], object]) -> None:
    """Print the images per second of some work."""
    start = time.perf_counter()
    work()
    print(f"  {label}: {count / (time.perf_counter() - start):,.0f} images/s", flush=True)


def measure(folder: Path, images: Path, digests: Sequence[tuple[str, str]]) -> None:
    """Print what it costs to read and to decode each image of a folder and of a bucket."""
    count = len(digests)

    def read(source: Path) -> None:
        for name, digest in digests:
            read_unchanged(source / name, digest)

    def decode(source: Path) -> None:
        for name, digest in digests:
            decode_image(read_unchanged(source / name, digest))

    def use_cache(name: str) -> None:
        os.environ[FOLDER] = str(folder / name)
        limit_cache(10**11)

    timed("read, local files", count, lambda: read(folder / "raw" / IMAGES))
    use_cache("cold")
    timed("read, cold cache", count, lambda: read(images))
    timed("read, warm cache", count, lambda: read(images))
    timed("read and decode, local files", count, lambda: decode(folder / "raw" / IMAGES))
    use_cache("cold_again")
    timed("read and decode, cold cache", count, lambda: decode(images))
    timed("read and decode, warm cache", count, lambda: decode(images))


def main() -> None:
    """Generate images, put them into a bucket, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2000)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as scratch, server():
        folder = Path(scratch)
        os.chdir(folder)
        write_photos(folder / "raw" / IMAGES, count)
        photos = sorted((folder / "raw" / IMAGES).iterdir())
        size = sum(photo.stat().st_size for photo in photos) / count
        print(f"{count:,} images of {size / 1000:.0f} kB")
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        for photo in photos:
            key = f"raw/{IMAGES}/{photo.name}"
            client.put_object(Bucket=BUCKET, Key=key, Body=photo.read_bytes())
        os.environ[FOLDER] = str(folder / "of_manifest")
        root = raw_root(f"s3://{BUCKET}/raw")
        timed("manifest, local files", count, lambda: read_manifest(folder / "raw"))
        timed("manifest, bucket", count, lambda: read_manifest(root, folder / "kept.parquet"))
        timed(
            "manifest, bucket, again", count, lambda: read_manifest(root, folder / "kept.parquet")
        )
        digests = [(photo.name, hash_bytes(photo.read_bytes())) for photo in photos]
        measure(folder, root / IMAGES, digests)


if __name__ == "__main__":
    main()
