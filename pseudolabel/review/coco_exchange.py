"""Review by any tool that reads and writes COCO files, such as CVAT.

Predictions are sent with their score, also as an attribute, which CVAT shows. A tool's COCO file
cannot tell an image that nobody has opened from one without objects: the images to take are those
that the file has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from pseudolabel.core.bucket import shown_path
from pseudolabel.core.errors import DataError, Fault, ReviewError
from pseudolabel.core.files import write_json
from pseudolabel.core.records import Category
from pseudolabel.core.regular_files import read_content
from pseudolabel.core.tasks import Kind
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.review.batch import Batch
from pseudolabel.review.labels import LabelledImage, labelled_images, to_coco

TO_REVIEW = "to_review.json"
_CONTRACTS = {"detection": Contract.BOX, "instance": Contract.MASK, "semantic": Contract.MASK}


def write_to_review(batch: Batch, root: Path, categories: Sequence[Category]) -> Path:
    """Write the images of a batch with their predictions; return the COCO file.

    Args:
        batch: the batch.
        root: the raw root, whose images are copied.
        categories: the classes.

    Raises:
        ReviewError: an image cannot be copied.
        BucketError: the images are in a bucket, which cannot be read.
    """
    for image in batch.images:
        target = batch.folder / IMAGES / image.file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = root / IMAGES / image.file_name
        try:
            target.write_bytes(read_content(source))
        except OSError as error:
            found = error.strerror or type(error).__name__
            raise ReviewError(
                f"{shown_path(source)}: expected an image to copy, found {found}"
            ) from error
    content = to_coco(batch.images, categories)
    for row in content["annotations"]:
        if "score" in row:
            row["attributes"] = {"score": row["score"]}
    path = batch.folder / TO_REVIEW
    write_json(path, content)
    return path


def read_corrected(
    path: Path, batch: Batch, categories: Sequence[Category], task: str, kind: Kind
) -> list[LabelledImage]:
    """Return the images of a corrected file with their labels.

    Images are found by the longest ending of their path that only one image of the batch has,
    classes by their name.

    Args:
        path: the COCO file that the tool wrote.
        batch: the images that were sent.
        categories: the classes of gold.
        task: the task.
        kind: the kind of label.

    Raises:
        DataError: the file has faults, or images or classes that were not sent; all are listed.
    """
    contract = _CONTRACTS.get(task, Contract.CLASS)
    dataset, faults = parse_coco(path, contract)
    sent = {image.file_name: image for image in batch.images}
    known = {category.name for category in categories}
    for category in dataset.categories:
        if category.name not in known:
            expected = f"one of the classes {', '.join(sorted(known))}"
            faults.append(Fault(path.name, "categories", expected, repr(category.name)))
    found: dict[str, LabelledImage] = {}
    for image in labelled_images(dataset):
        record = f"image {image.file_name!r}"
        name = _sent_name(image.file_name, list(sent))
        if name is None:
            faults.append(Fault(path.name, record, f"an image of batch {batch.number}", "another"))
            continue
        size, own = (sent[name].width, sent[name].height), (image.width, image.height)
        if size != own:
            expected = f"the image's width and height, {size[0]}x{size[1]}"
            faults.append(Fault(path.name, record, expected, f"{own[0]}x{own[1]}"))
        if kind == "classes" and len(image.labels) > 1:
            count = str(len(image.labels))
            faults.append(Fault(path.name, record, "one class or none", count))
        found[name] = LabelledImage(name, *size, image.labels)
    if faults:
        raise DataError(faults)
    return [found[name] for name in sorted(found)]


def _sent_name(name: str, names: list[str]) -> str | None:
    """Return the one sent image whose path ends like a name, or has the name's ending."""
    if name in names:
        return name
    parts = name.replace("\\", "/").split("/")
    for length in range(len(parts), 0, -1):
        ending = "/".join(parts[-length:])
        matches = [one for one in names if one == ending or one.endswith(f"/{ending}")]
        if len(matches) == 1:
            return matches[0]
    return None


def reviewer_of(path: Path) -> str:
    """Return who corrected a COCO file: the contributor that it names, or else its own name."""
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return path.name
    info = content.get("info") if isinstance(content, dict) else None
    contributor = info.get("contributor") if isinstance(info, dict) else None
    return contributor if isinstance(contributor, str) and contributor else path.name
