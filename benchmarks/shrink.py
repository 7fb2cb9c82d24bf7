"""A smaller copy of a raw root of boxes or masks, so that reading does not outweigh training.

    python -m benchmarks.shrink ../shared/data/dsb2018 data/dsb2018_192 192

Images longer than that are shrunk to it, with their labels; masks of which nothing is left go.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from pseudolabel.files import written_aside
from pseudolabel.formats.images import IMAGES


def shrink(source: Path, output: Path, longest: int) -> None:
    """Copy a raw root, no image longer than so many pixels."""
    with written_aside(output) as aside:
        shutil.copytree(source, aside)
        for path in tqdm(sorted((aside / IMAGES).iterdir()), desc="shrink"):
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            size = shrunk(image.shape[1], image.shape[0], longest)
            cv2.imwrite(str(path), cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        for path in sorted(aside.glob("*.json")):
            path.write_text(json.dumps(shrunk_labels(json.loads(path.read_text()), longest)))


def shrunk(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return the width and height of an image when it is at most so long."""
    factor = min(1.0, longest / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def shrunk_labels(coco: dict[str, Any], longest: int) -> dict[str, Any]:
    """Return a COCO file's content for images that are at most so long."""
    factors, sizes = {}, {}
    for image in coco["images"]:
        width, height = image["width"], image["height"]
        size = shrunk(width, height, longest)
        factors[image["id"]] = np.array([size[0] / width, size[1] / height])
        sizes[image["id"]] = size
        image["width"], image["height"] = size
    kept = []
    for annotation in coco.get("annotations", []):
        factor = factors[annotation["image_id"]]
        box = np.array(annotation["bbox"]) * np.tile(factor, 2)
        annotation |= {"bbox": box.tolist(), "area": annotation["area"] * factor.prod()}
        if annotation.get("segmentation"):
            size = sizes[annotation["image_id"]]
            mask = coco_mask.decode(annotation["segmentation"])
            small = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
            if not small.any():
                continue
            encoded = coco_mask.encode(np.asfortranarray(small))
            annotation["segmentation"] = encoded | {"counts": encoded["counts"].decode()}
            annotation["bbox"] = coco_mask.toBbox(encoded).tolist()
            annotation["area"] = int(coco_mask.area(encoded))
        kept.append(annotation)
    return coco | {"annotations": kept}


def main() -> None:
    """Copy what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("longest", type=int, help="pixels")
    arguments = parser.parse_args()
    shrink(arguments.source, arguments.output, arguments.longest)


if __name__ == "__main__":
    main()
