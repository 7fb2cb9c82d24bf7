"""The changed copies of real images that the leak guard finds, by the kind of the change.

    python -m benchmarks.duplicate_copies   # as in docs/benchmarks.md

Each image of a random sample is copied with one change. A copy counts as found if `prepare` would
call it a near-duplicate of its original. The last lines count pairs of different images of a set
that are near each other: as they are shown, and only after mirroring or turning.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageEnhance

from pseudolabel.core.records import Images
from pseudolabel.formats.image_decoder import decode_image
from pseudolabel.formats.image_files import list_images
from pseudolabel.raw.perceptual_hashes import perceptual_hashes
from pseudolabel.splits.duplicates import DuplicateFinder, near_pairs

SETS = ("bccd", "dsb2018", "dubai_aerial", "clothing")
_ORIENTATION = 0x0112
_EXIF = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""What a picture is stored as for each EXIF orientation, so that it is shown upright."""

Change = Callable[[Image.Image], bytes]


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return an image as the content of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **({"compress_level": 1} if kind == "PNG" else {}), **options)
    return stream.getvalue()


def stored_turned(image: Image.Image, orientation: int) -> bytes:
    """Return a JPEG whose EXIF tag turns it upright."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    turned = image.transpose(_EXIF[orientation])
    return saved(turned, "JPEG", quality=90, exif=exif.tobytes())


def cropped(image: Image.Image, share: float) -> bytes:
    """Return an image without a share of its width and height: half of that on each side."""
    left, top = (round(side * share / 2) for side in image.size)
    return saved(image.crop((left, top, image.width - left, image.height - top)))


def other_hue(image: Image.Image) -> bytes:
    """Return an image with its colours turned by 60 degrees."""
    pixels = np.array(image.convert("HSV"))
    pixels[..., 0] += 43
    return saved(Image.fromarray(pixels, "HSV").convert("RGB"))


def deep(image: Image.Image) -> bytes:
    """Return a PNG with 16 bits per channel."""
    values = np.asarray(image)[..., ::-1].astype(np.uint16) * 257
    return cv2.imencode(".png", values)[1].tobytes()


def with_alpha(image: Image.Image) -> bytes:
    """Return a PNG whose left half is transparent."""
    alpha = np.full((image.height, image.width), 255, np.uint8)
    alpha[:, : image.width // 2] = 0
    return saved(Image.fromarray(np.dstack([np.asarray(image), alpha])))


CHANGES: dict[str, Change] = {
    "EXIF orientation 3": lambda image: stored_turned(image, 3),
    "EXIF orientation 6": lambda image: stored_turned(image, 6),
    "EXIF orientation 8": lambda image: stored_turned(image, 8),
    "mirrored": lambda image: saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "turned by 90 degrees": lambda image: saved(image.transpose(Image.Transpose.ROTATE_90)),
    "turned by 180 degrees": lambda image: saved(image.transpose(Image.Transpose.ROTATE_180)),
    "turned by 270 degrees": lambda image: saved(image.transpose(Image.Transpose.ROTATE_270)),
    "turned by 5 degrees": lambda image: saved(image.rotate(5)),
    "JPEG, quality 30": lambda image: saved(image, "JPEG", quality=30),
    "WebP, quality 50": lambda image: saved(image, "WEBP", quality=50),
    "half the size": lambda image: saved(image.reduce(2)),
    "grey": lambda image: saved(image.convert("L")),
    "16 bits": deep,
    "alpha": with_alpha,
    "20% brighter": lambda image: saved(ImageEnhance.Brightness(image).enhance(1.2)),
    "20% darker": lambda image: saved(ImageEnhance.Brightness(image).enhance(0.8)),
    "50% more contrast": lambda image: saved(ImageEnhance.Contrast(image).enhance(1.5)),
    "hue turned by 60 degrees": other_hue,
    "cropped by 2%": lambda image: cropped(image, 0.02),
    "cropped by 5%": lambda image: cropped(image, 0.05),
    "cropped by 10%": lambda image: cropped(image, 0.1),
}


def main() -> None:
    """Copy, change and compare the images, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, default=100, help="images per set")
    parser.add_argument("--distance", type=int, default=4, help="prepare.duplicate_distance")
    arguments = parser.parse_args()
    columns = [found_copies(arguments.data / name, arguments) for name in SETS]
    print(f"| copy | {' | '.join(SETS)} |\n| --- |{' --- |' * len(SETS)}")
    for change in CHANGES:
        print(f"| {change} | {' | '.join(f'{column[change]:.0%}' for column in columns)} |")
    for name in SETS:
        shown, turned = chance_pairs(arguments.data / name, arguments.distance)
        print(f"{name}: {shown} near pairs as shown, {turned} more mirrored or turned")


def found_copies(data: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the share of the copies that are found, by the change."""
    names = list_images(data / "images")
    rng = np.random.default_rng(0)
    chosen = rng.choice(names, min(arguments.images, len(names)), replace=False)
    found = dict.fromkeys(CHANGES, 0)
    for name in chosen:
        content = (data / "images" / name).read_bytes()
        image = Image.fromarray(np.ascontiguousarray(decode_image(content)[..., ::-1]))
        for change in _found_changes(image, arguments.distance):
            found[change] += 1
    return {change: count / len(chosen) for change, count in found.items()}


def _found_changes(image: Image.Image, distance: int) -> list[str]:
    """Return the changes after which an image is a near-duplicate of itself."""
    names = ["original", *CHANGES]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "original").write_bytes(saved(image))
        for change, make in CHANGES.items():
            Path(folder, change).write_bytes(make(image))
        hashes, damaged = perceptual_hashes(Path(folder), names)
    if damaged:
        raise SystemExit(f"damaged copies: {damaged}")
    sides = [1] * len(names)
    images = Images.build(list(range(len(names))), names, sides, sides)
    pairs = DuplicateFinder(hashes, {}, distance).find(
        images[slice(1, None)], "gold", images[slice(1)], "test"
    )
    return [pair.file for pair in pairs]


def chance_pairs(data: Path, distance: int) -> tuple[int, int]:
    """Return the near pairs of different images: as shown, and only if one is turned."""
    hashes, _ = perceptual_hashes(data / "images", list_images(data / "images"))
    table = np.array(list(hashes.values()), np.uint64)
    near: list[set[tuple[int, int]]] = []
    for column in table.T:
        values, inverse = np.unique(table[:, 0], return_inverse=True)
        others, other_inverse = np.unique(column, return_inverse=True)
        pairs = set()
        for i, j, _ in zip(*near_pairs(values, others, distance), strict=True):
            for one in np.flatnonzero(inverse == i):
                for other in np.flatnonzero(other_inverse == j):
                    pairs.add((int(min(one, other)), int(max(one, other))))
        near.append({pair for pair in pairs if pair[0] != pair[1]})
    return len(near[0]), len(set.union(*near[1:]) - near[0])


if __name__ == "__main__":
    main()
