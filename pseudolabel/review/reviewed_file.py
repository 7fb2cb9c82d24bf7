"""Write what persons submitted into reviewed.json; `prepare` joins its images to gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from pseudolabel.core.errors import DataError
from pseudolabel.core.files import written_aside
from pseudolabel.core.records import Category
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.raw.reviewed import REVIEWED, Review, read_reviews
from pseudolabel.review.labels import LabelledImage, as_gold, labelled_images, to_coco


def update_reviewed(
    folder: Path,
    returned: Sequence[LabelledImage],
    reviews: Mapping[str, Review],
    categories: Sequence[Category],
) -> Path:
    """Add reviewed images to reviewed.json, in place of what it says about them; return its path.

    Images without labels are negatives. The same call again writes the same bytes.

    Args:
        folder: the folder of the file.
        returned: the images that persons submitted.
        reviews: who reviewed each of them.
        categories: the classes of gold.

    Raises:
        DataError: reviewed.json has faults; all of them are listed.
    """
    path = folder / f"{REVIEWED}.json"
    images, known = _existing(path)
    images |= {image.file_name: as_gold(image) for image in returned}
    extra: dict[str, dict[str, Any]] = {
        name: {"reviewer": review.reviewer, "round": review.round}
        for name, review in {**known, **reviews}.items()
    }
    content = to_coco(list(images.values()), categories, extra)
    with written_aside(path) as aside:
        aside.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return path


def _existing(path: Path) -> tuple[dict[str, LabelledImage], dict[str, Review]]:
    """Return the images in reviewed.json, and who reviewed them; nothing if there is no file."""
    if not path.exists():
        return {}, {}
    dataset, faults = parse_coco(path, Contract.ANY)
    reviews, more = read_reviews(path.parent)
    if faults or more:
        raise DataError([*faults, *more])
    images = {image.file_name: as_gold(image) for image in labelled_images(dataset)}
    return images, reviews
