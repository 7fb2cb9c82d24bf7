"""The files of a silver folder, beside its shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.formats.shards import read_table, write_table

REPORT = "report.json"
AGREEMENT = "agreement_with_round_before"
"""In the report: the share of comparable labels that are the same as in the previous round."""
PROBABILITIES = "probabilities"
"""Beside silver shards of classes: the folder with the probabilities of all classes per shard."""
SOFT_LABELS = "soft_labels.npy"
"""Beside merged silver of classes: the probabilities as an array, one row per image."""
OUTCOMES = "outcomes"
"""Beside silver shards of objects: the folder with the outcome of each prediction per shard."""
KEPT, HIDDEN = "kept", "hidden"
"""Outcomes of a prediction, beside the names of the reasons to drop it."""
DECISIONS = "images.parquet"
"""Beside silver shards: the filter's decision for every image of the pool."""


def write_decisions(
    path: Path,
    image_ids: NDArray[np.int64],
    left: NDArray[np.int64],
    reliabilities: NDArray[np.float32],
    reasons: Sequence[str],
) -> None:
    """Write the filter's decision for every image.

    Args:
        path: the file.
        image_ids: (n,) ids.
        left: (n,) numbers of boxes, pixels or labels that passed the label filters.
        reliabilities: (n,) confidence of the teacher in its labels.
        reasons: (n,) reason for dropping the image; empty if the image was kept.
    """
    reason = pa.array(reasons, pa.string()).dictionary_encode()
    columns = {"image_id": pa.array(image_ids), "left": pa.array(left)}
    columns |= {"reliability": pa.array(reliabilities), "reason": reason}
    write_table(path, pa.table(columns))


def read_decisions(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float32], list[str]]:
    """Return the (n,) ids, reliabilities and reasons of all images of a decisions file."""
    table = read_table(path, None)
    reasons = table.column("reason").cast(pa.string()).to_pylist()
    ids, reliabilities = (table.column(name).to_numpy() for name in ("image_id", "reliability"))
    return ids, reliabilities, reasons


def write_outcomes(path: Path, outcomes: NDArray[np.int64], names: Sequence[str]) -> None:
    """Write what became of each prediction of a shard, in the order of its rows.

    Args:
        path: the file.
        outcomes: (m,) index into the names.
        names: the outcomes by name: KEPT, HIDDEN, and the reasons to drop a prediction.
    """
    codes = pa.array(outcomes.astype(np.int32))
    column = pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string()))
    write_table(path, pa.table({"outcome": column}))


def read_outcomes(path: Path) -> tuple[NDArray[np.int64], list[str]]:
    """Return the (m,) outcomes of a shard's predictions as indices, and the names of outcomes."""
    column = read_table(path, None).column("outcome").combine_chunks()
    names: list[str] = column.dictionary.to_pylist()
    return column.indices.to_numpy().astype(np.int64), names


def kept_images(path: Path) -> NDArray[np.int64]:
    """Return the (k,) ids of the images that are kept according to a decisions file."""
    table = pq.read_table(path, columns=["image_id", "reason"])
    kept = pc.equal(table.column("reason").cast(pa.string()), "")
    return table.column("image_id").filter(kept).to_numpy()
