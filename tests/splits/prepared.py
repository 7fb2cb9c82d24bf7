"""Prepared data of the task detection, read back."""

import orjson

from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.splits.prepare import prepare
from tests.builders import splitting


def prepare_detection(root, output, seed=0, **changes):
    """Prepare a raw root, and return its splits by name and the values of report.json."""
    prepare(root, output, "detection", splitting(**changes), seed, reviews=root)
    splits = {path.parent.name: SplitFolder(path.parent) for path in output.glob("*/coco.json")}
    report = orjson.loads((output / "report.json").read_bytes())
    return {name: split.read() for name, split in splits.items()}, report


def file_names(splits):
    return {name: set(dataset.images.file_names.tolist()) for name, dataset in splits.items()}
