"""Predictions on disk: one writer and one reader per kind of label.

Objects and classes are Parquet shards. Pixels are PNGs; their shards hold one row per image and
class, with its area and its mean confidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.records import Annotations, Predictions
from pseudolabel.core.tasks import Kind
from pseudolabel.formats.label_maps import (
    label_map_rows,
    read_prediction_maps,
    write_prediction_maps,
)
from pseudolabel.formats.shards import (
    Shard,
    read_probabilities,
    read_shard,
    read_unreadable,
    write_probabilities,
    write_shard,
)


class ShardWriter(Protocol):
    """Collects predictions batch by batch and writes them shard by shard."""

    def add(self, predictions: Predictions) -> None:
        """Add the predictions of one batch to the current shard."""

    def close(self, path: Path, unreadable: Sequence[str]) -> None:
        """Write the current shard and start the next one.

        Args:
            path: the shard.
            unreadable: names of the image files of the shard that cannot be decoded.
        """


def shard_writer(
    kind: Kind, folder: Path, category_ids: NDArray[np.int32], round_number: int
) -> ShardWriter:
    """Return the writer for a kind of label.

    Args:
        kind: the kind of label.
        folder: the folder of predictions.
        category_ids: (c,) ids of the classes.
        round_number: the round that predicts.
    """
    if kind == "classes":
        return _ProbabilitiesWriter(len(category_ids))
    if kind == "pixels":
        return _LabelMapsWriter(folder, category_ids, round_number)
    return _AnnotationsWriter()


def read_predictions(kind: Kind, shard: Shard) -> Iterator[Predictions]:
    """Yield the predictions of a shard: the whole shard, or label maps image by image.

    Raises:
        DataError: a file is missing or was not written by this project.
    """
    if kind == "classes":
        yield read_probabilities(shard.path)
    elif kind == "pixels":
        unreadable = read_unreadable(shard.path)
        readable = ~np.isin(shard.images.file_names.astype(str), np.array(unreadable, str))
        yield from read_prediction_maps(shard.path.parent, shard.images.ids[readable].tolist())
    else:
        yield read_shard(shard.path)


class _AnnotationsWriter:
    def __init__(self) -> None:
        self.parts = [Annotations.empty()]

    def add(self, predictions: Predictions) -> None:
        self.parts.append(cast(Annotations, predictions))

    def close(self, path: Path, unreadable: Sequence[str]) -> None:
        write_shard(path, Annotations.concatenate(self.parts), unreadable)
        self.parts = [Annotations.empty()]


class _LabelMapsWriter(_AnnotationsWriter):
    def __init__(self, folder: Path, category_ids: NDArray[np.int32], round_number: int) -> None:
        super().__init__()
        self.folder, self.category_ids, self.round_number = folder, category_ids, round_number

    def add(self, predictions: Predictions) -> None:
        maps = cast(LabelMaps, predictions)
        write_prediction_maps(self.folder, maps)
        for image_id, labels, confidences in zip(
            maps.image_ids.tolist(), maps.labels, maps.confidences, strict=True
        ):
            super().add(
                label_map_rows(image_id, labels, confidences, self.category_ids, self.round_number)
            )


class _ProbabilitiesWriter:
    def __init__(self, classes: int) -> None:
        self.parts = [Probabilities(np.empty(0, np.int64), np.empty((0, classes), np.float32))]

    def add(self, predictions: Predictions) -> None:
        self.parts.append(cast(Probabilities, predictions))

    def close(self, path: Path, unreadable: Sequence[str]) -> None:
        write_probabilities(path, Probabilities.concatenate(self.parts), unreadable)
        self.parts = self.parts[:1]
