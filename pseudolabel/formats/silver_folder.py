"""The files of a silver folder, beside its shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.formats.shards import write_table

REPORT = "report.json"
AGREEMENT = "agreement_with_round_before"
"""In the report: the share of comparable labels that are the same as in the previous round."""
PROBABILITIES = "probabilities"
"""Beside silver shards of classes: the folder with the probabilities of all classes per shard."""
SOFT_LABELS = "soft_labels.npy"
"""Beside merged silver of classes: the probabilities as an array, one row per image."""
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


def kept_images(path: Path) -> NDArray[np.int64]:
    """Return the (k,) ids of the images that are kept according to a decisions file."""
    table = pq.read_table(path, columns=["image_id", "reason"])
    kept = pc.equal(table.column("reason").cast(pa.string()), "")
    return table.column("image_id").filter(kept).to_numpy()
