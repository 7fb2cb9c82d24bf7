"""Label maps: images/ and masks/ with a PNG for each image, whose pixels are numbers of classes."""

from __future__ import annotations

from pathlib import PurePosixPath

from tqdm import tqdm

from pseudolabel.errors import Fault
from pseudolabel.formats.images import images_below
from pseudolabel.formats.label_maps import MASKS
from pseudolabel.imports.source import Builder, Found, Request, images_folder, safe

FOLDERS = (MASKS, "SegmentationClass", "labels")
"""Where masks lie in layouts that people use, Pascal VOC's among them."""


def read(request: Request) -> Found:
    """Return the images that have a mask as one split; the classes' numbers count from 0."""
    found = Found()
    if not request.classes:
        expected = "`--classes`, the names of the pixels' values 0, 1, ..."
        found.faults.append(Fault(str(request.source), "", expected, "none"))
        return found
    folder = images_folder(request, "images", "JPEGImages")
    masks = next((request.source / it for it in FOLDERS if (request.source / it).is_dir()), None)
    if masks is None:
        found.faults.append(Fault(str(request.source), MASKS, "a folder of masks", "none"))
        return found
    builder = Builder(folder)
    for name in tqdm(images_below(folder), desc="reading", unit="img", mininterval=2):
        mask = PurePosixPath(name).with_suffix(".png").as_posix()
        path = safe(masks, mask)
        if path is not None and builder.add_image(MASKS, name) is not None:
            builder.split.maps[mask] = path
    if not builder.images:
        builder.fault(str(request.source), MASKS, "masks named as the images", "none")
    split = builder.finished()
    split.content["categories"] = [
        {"id": number, "name": name} for number, name in enumerate(request.classes)
    ]
    found.splits[request.split] = split
    found.faults += builder.faults
    return found
