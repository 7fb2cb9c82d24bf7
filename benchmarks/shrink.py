"""A copy of a raw root with smaller images, so that reading takes less time than training.

    python -m benchmarks.shrink ../shared/data/dsb2018 data/dsb2018_192 192

Images with a longer side are shrunk to that many pixels, with their boxes and masks. Masks that
become empty are removed.
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

from pseudolabel.core.files import written_aside
from pseudolabel.formats.image_files import IMAGES


def shrink(source: Path, output: Path, longest: int) -> None:
    """Copy a raw root; no side of an image is longer than `longest` pixels."""
    with written_aside(output) as aside:
        shutil.copytree(source, aside)
        for path in tqdm(sorted((aside / IMAGES).iterdir()), desc="shrink"):
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            size = shrunk_size(image.shape[1], image.shape[0], longest)
            cv2.imwrite(str(path), cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        for path in sorted(aside.glob("*.json")):
            path.write_text(json.dumps(shrink_labels(json.loads(path.read_text()), longest)))


def shrunk_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return the width and height of an image whose longer side is limited."""
    factor = min(1.0, longest / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def shrink_labels(coco: dict[str, Any], longest: int) -> dict[str, Any]:
    """Return the content of a COCO file for images whose longer side is limited."""
    factors, sizes = {}, {}
    for image in coco["images"]:
        width, height = image["width"], image["height"]
        size = shrunk_size(width, height, longest)
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
    """Copy the raw root that the command line names."""
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
