"""The images of the pool that may be sent to a person, with doubts and predicted labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.core import masks
from pseudolabel.core.errors import ReviewError
from pseudolabel.core.files import read_json
from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.project import LAST_ROUND, PREPARED, RoundFolder
from pseudolabel.core.records import Annotations, Category, Images
from pseudolabel.core.tasks import Kind
from pseudolabel.formats.prediction_store import read_predictions
from pseudolabel.formats.shards import TEACHER_FILE, list_shards, read_shards
from pseudolabel.formats.silver_folder import DECISIONS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.review.labels import Box, Label, LabelledImage

_WITHOUT_SILVER = 0.5
"""The lowest score of a class without any silver."""
_SMALLEST_SIDE = 0.1
"""Pixels."""


@dataclass(frozen=True)
class Candidates:
    """The images of the pool that no split is measured on, as the last round saw them.

    Attributes:
        images: (n,) images.
        doubts: (n,) 0 to 1, one minus the reliability that the filter wrote.
        categories: the classes.
        round: the round whose silver they are in.
        teacher: the hash of the weights that predicted.
    """

    images: Images
    doubts: NDArray[np.float32]
    categories: tuple[Category, ...]
    round: int
    teacher: str

    def of(self, rows: NDArray[np.bool_]) -> Candidates:
        """Return some of the candidates."""
        return replace(self, images=self.images[rows], doubts=self.doubts[rows])


def last_round() -> RoundFolder:
    """Return the last round with silver.

    Raises:
        ReviewError: no round has silver.
    """
    for number in range(LAST_ROUND, 0, -1):
        if (RoundFolder(number).silver / DECISIONS).exists():
            return RoundFolder(number)
    raise ReviewError("rounds/: expected the silver of a round, found none: run `dvc repro`")


def read_candidates(folder: RoundFolder) -> Candidates:
    """Return the images of the pool that may be sent; those of test never are.

    Args:
        folder: the round.
    """
    pool = SplitFolder(PREPARED / "pool").read()
    # With prepare.transductive, the images of test are in the pool, too.
    test = SplitFolder(PREPARED / "test").read().images
    images = pool.images[~np.isin(pool.images.hashes, test.hashes)]
    table = pq.read_table(folder.silver / DECISIONS, columns=["image_id", "reliability"])
    ids = table.column("image_id").to_numpy()
    order = np.argsort(ids)
    images = images[np.isin(images.ids, ids)]
    rows = order[np.searchsorted(ids[order], images.ids)]
    doubts = 1 - table.column("reliability").to_numpy()[rows]
    teacher = read_json(folder.silver / TEACHER_FILE)["weights"]
    return Candidates(images, doubts, pool.categories, folder.number, teacher)


def predicted_labels(
    folder: RoundFolder, images: Images, categories: tuple[Category, ...], kind: Kind
) -> list[LabelledImage]:
    """Return images with the labels that the teacher of a round predicted, in order.

    Objects below the lowest score of their class in silver are left out, and those without an area.

    Args:
        folder: the round.
        images: some images of the pool.
        categories: the classes.
        kind: the kind of label.
    """
    pool = SplitFolder(PREPARED / "pool").read().images
    size = read_json(folder.predictions / TEACHER_FILE)["shard_images"]
    labels: dict[int, tuple[Label, ...]] = dict.fromkeys(images.ids.tolist(), ())
    lowest = _lowest_scores(folder, categories) if kind == "objects" else {}
    for shard in list_shards(folder.predictions, pool, size):
        wanted = np.isin(shard.images.ids, images.ids)
        if not wanted.any():
            continue
        part = type(shard)(shard.path, shard.images[wanted]) if kind == "pixels" else shard
        for batch in read_predictions(kind, part):
            for image_id, found in _labels_of(batch, categories, lowest):
                if image_id in labels:
                    labels[image_id] = found
    columns = (
        images.ids.tolist(),
        images.file_names,
        images.widths.tolist(),
        images.heights.tolist(),
    )
    return [
        LabelledImage(str(name), width, height, _visible(labels[image_id], width, height))
        for image_id, name, width, height in zip(*columns, strict=True)
    ]


def _visible(labels: tuple[Label, ...], width: int, height: int) -> tuple[Label, ...]:
    """Return the labels with an area: a labelling tool cannot give back the others."""
    return tuple(
        label
        for label in labels
        if (label.box is None or min(label.box[2:]) >= _SMALLEST_SIDE)
        and (label.mask is None or masks.areas([label.mask], height, width)[0])
    )


def _lowest_scores(folder: RoundFolder, categories: tuple[Category, ...]) -> dict[int, float]:
    """Return the lowest score of each class in silver, by id of the class."""
    silver = read_shards(folder.silver)
    silver = silver[~silver.crowds]
    lowest = {}
    for category in categories:
        scores = silver.scores[silver.category_ids == category.id]
        lowest[category.id] = float(scores.min()) if len(scores) else _WITHOUT_SILVER
    return lowest


def _labels_of(
    batch: Any, categories: tuple[Category, ...], lowest: dict[int, float]
) -> list[tuple[int, tuple[Label, ...]]]:
    """Return the labels of each image of a batch of predictions."""
    if isinstance(batch, Probabilities):
        names = [category.name for category in categories]
        return [
            (image_id, (Label(names[row.argmax()], score=round(float(row.max()), 4)),))
            for image_id, row in zip(batch.image_ids.tolist(), batch.values, strict=True)
        ]
    if isinstance(batch, LabelMaps):
        return [
            (image_id, _labels_of_map(values, categories))
            for image_id, values in zip(batch.image_ids.tolist(), batch.labels, strict=True)
        ]
    return _labels_of_objects(cast(Annotations, batch), categories, lowest)


def _labels_of_map(
    values: NDArray[np.uint8], categories: tuple[Category, ...]
) -> tuple[Label, ...]:
    """Return one label per class in a label map."""
    present = [index for index in range(len(categories)) if (values == index).any()]
    if not present:
        return ()
    found = masks.encode(np.stack([values == index for index in present]))
    return tuple(
        Label(categories[index].name, mask=mask) for index, mask in zip(present, found, strict=True)
    )


def _labels_of_objects(
    rows: Annotations, categories: tuple[Category, ...], lowest: dict[int, float]
) -> list[tuple[int, tuple[Label, ...]]]:
    """Return the objects of each image that reach the lowest score of their class."""
    names = {category.id: category.name for category in categories}
    kept = rows.scores >= np.array([lowest[one] for one in rows.category_ids.tolist()])
    rows = rows[kept]
    ids = np.unique(rows.image_ids)
    return [
        (image_id, tuple(_object_label(part, row, names) for row in range(len(part))))
        for image_id, part in zip(ids.tolist(), rows.by_image(ids), strict=True)
    ]


def _object_label(rows: Annotations, row: int, names: dict[int, str]) -> Label:
    """Return one row as a label."""
    x, y, right, bottom = rows.boxes_xyxy[row].astype(float).round(2).tolist()
    box: Box = (x, y, round(right - x, 2), round(bottom - y, 2))
    name, score = names[int(rows.category_ids[row])], round(float(rows.scores[row]), 4)
    return Label(name, box, rows.masks[row] or None, score)
