"""Classes of images as COCO's results and as fields of a CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.exports.export import Export, Shot, Wanted
from pseudolabel.formats.tables import Shard, read_probabilities
from pseudolabel.records import Probabilities


def read(_: Path, shard: Shard) -> Iterator[Shot]:
    """Yield the probabilities of each image of a shard that could be read."""
    found, images = read_probabilities(shard.path), shard.images
    rows = dict(zip(found.image_ids.tolist(), found.values, strict=True))
    for row, (image_id, name) in enumerate(
        zip(images.ids.tolist(), images.file_names, strict=True)
    ):
        if image_id in rows:
            size = int(images.heights[row]), int(images.widths[row])
            yield Shot(image_id, str(name), size, rows[image_id])


def class_index(shot: Shot, _: Wanted) -> int:
    """Return the position of the likeliest class among the categories."""
    return int(shot.found.argmax())


def score(shot: Shot, _: Wanted) -> float:
    """Return the probability of the likeliest class."""
    return round(float(shot.found.max()), 4)


def results(shot: Shot, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield the likeliest class of an image."""
    category = wanted.categories[class_index(shot, wanted)]
    yield {"category_id": category.id, "score": score(shot, wanted)}


def together(shots: Sequence[Shot]) -> Probabilities:
    """Return the probabilities of some images."""
    ids = np.array([it.image_id for it in shots], np.int64)
    return Probabilities(ids, np.stack([it.found for it in shots]))


CLASSES = Export(
    read=read,
    per_image={
        "class": lambda shot, wanted: wanted.categories[class_index(shot, wanted)].name,
        "class_id": lambda shot, wanted: wanted.categories[class_index(shot, wanted)].id,
        "class_index": class_index,
        "score": score,
        "probabilities": lambda shot, _: " ".join(f"{it:.4f}" for it in shot.found.tolist()),
    },
    per_object={},
    results=results,
    together=together,
)
