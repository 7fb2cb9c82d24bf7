"""reviewed.json: images of the pool whose labels a person confirmed or corrected.

It lies in the project, not beside gold.json: a raw root may be shared, read-only or generated.

It is a COCO file like gold.json. Each of its images also has a `reviewer` and the `round` whose
predictions the person saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.core.regular_files import read_content

REVIEWED = "reviewed"
"""The name of the split."""


@dataclass(frozen=True)
class Review:
    """Who reviewed an image, and the round whose predictions this person saw."""

    reviewer: str
    round: int


def read_reviews(folder: Path | None) -> tuple[dict[str, Review], list[Fault]]:
    """Return the review of each image in reviewed.json, by the name of the image, and all faults.

    A file that is no COCO file has no reviews here: the reader of the split lists its faults.

    Args:
        folder: the folder of the file, which need not exist; None for no reviews.
    """
    reviews: dict[str, Review] = {}
    faults: list[Fault] = []
    if folder is None:
        return reviews, faults
    path = folder / f"{REVIEWED}.json"
    for row in _image_rows(path):
        name, reviewer, number = (row.get(key) for key in ("file_name", "reviewer", "round"))
        if not isinstance(name, str):
            continue
        record = f"image {name!r}"
        if not isinstance(reviewer, str) or not reviewer:
            faults.append(Fault(path.name, record, "a `reviewer`, text", short_repr(reviewer)))
        elif type(number) is not int or number < 0:
            faults.append(Fault(path.name, record, "a `round` from 0", short_repr(number)))
        else:
            reviews[name] = Review(reviewer, number)
    return reviews, faults


def _image_rows(path: Path) -> list[dict[str, Any]]:
    """Return the images of a COCO file, as far as it has any."""
    if not path.exists():
        return []
    try:
        content = orjson.loads(read_content(path))
    except (OSError, orjson.JSONDecodeError):
        return []
    rows = content.get("images") if isinstance(content, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
