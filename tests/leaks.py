"""Prepared data and models that break the rule: no model is trained on images it is measured on."""

import json
import shutil
from dataclasses import replace

from pseudolabel.core.columns import object_array
from pseudolabel.core.files import hash_file


def first_image(split, prepared):
    """The first image of a split, as its row in the COCO file."""
    return json.loads((prepared / split / "coco.json").read_bytes())["images"][0]


def copy_with_image_of(split, prepared, folder):
    """Copy prepared data, add an image of a split to gold, and return the image."""
    shutil.copytree(prepared, folder)
    path = folder / "gold" / "coco.json"
    content = json.loads(path.read_bytes())
    image = first_image(split, prepared)
    content["images"].append(image)
    path.write_text(json.dumps(content))
    return image


def record_as_trained_on(split, prepared, model):
    """Add an image of a split to a model's record of training images; return the image's name."""
    path = model / "training.json"
    record = json.loads(path.read_text())
    image = first_image(split, prepared)
    record["images"].append(image["hash"])
    path.write_text(json.dumps(record))
    return image["file_name"]


def without_hashes(images):
    """Images whose content is not known, so that tests may load changed copies of them."""
    return replace(images, hashes=object_array([""] * len(images)))


def prepared_from(images, prepared, folder):
    """Copy prepared data, as if prepare had read the images of a folder as they are now."""
    shutil.copytree(prepared, folder)
    for path in folder.glob("*/coco.json"):
        content = json.loads(path.read_bytes())
        for image in content["images"]:
            if (images / image["file_name"]).is_file():
                image["hash"] = hash_file(images / image["file_name"])
        path.write_text(json.dumps(content))
    return folder
