"""Predictions on disk: one writer and one reader per kind of label.

All are Parquet shards. A row is an object, or an image with its probabilities or its maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.records import Annotations, Predictions
from pseudolabel.core.tasks import Kind
from pseudolabel.formats.label_maps import encode_map
from pseudolabel.formats.map_shards import (
    CONFIDENCES,
    LABELS,
    MapShards,
    MapShardWriter,
)
from pseudolabel.formats.shards import (
    Shard,
    read_probabilities,
    read_shard,
    read_unreadable,
    write_probabilities,
    write_shard,
)

_UNFINISHED = ".unfinished"
"""The file of the shard of maps that is being written, in the folder of predictions."""


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


def shard_writer(kind: Kind, folder: Path, classes: int) -> ShardWriter:
    """Return the writer for a kind of label.

    Args:
        kind: the kind of label.
        folder: the folder of predictions.
        classes: the number of classes.
    """
    if kind == "classes":
        return _ProbabilitiesWriter(classes)
    if kind == "pixels":
        return _LabelMapsWriter(folder)
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
        maps = MapShards([shard.path])
        for image_id in shard.images.ids[readable].tolist():
            yield maps.prediction(image_id)
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


class _LabelMapsWriter:
    def __init__(self, folder: Path) -> None:
        self.writer = MapShardWriter(folder / _UNFINISHED, (LABELS, CONFIDENCES))

    def add(self, predictions: Predictions) -> None:
        maps = cast(LabelMaps, predictions)
        for image_id, labels, confidences in zip(
            maps.image_ids.tolist(), maps.labels, maps.confidences, strict=True
        ):
            self.writer.add(image_id, encode_map(labels), encode_map(confidences))

    def close(self, path: Path, unreadable: Sequence[str]) -> None:
        self.writer.close(path, unreadable)


class _ProbabilitiesWriter:
    def __init__(self, classes: int) -> None:
        self.parts = [Probabilities(np.empty(0, np.int64), np.empty((0, classes), np.float32))]

    def add(self, predictions: Predictions) -> None:
        self.parts.append(cast(Probabilities, predictions))

    def close(self, path: Path, unreadable: Sequence[str]) -> None:
        write_probabilities(path, Probabilities.concatenate(self.parts), unreadable)
        self.parts = self.parts[:1]
