"""Perceptual hashes kept between runs, so that one more image costs one more image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pseudolabel.core.files import hash_bytes, hash_file, written_aside
from pseudolabel.formats import image_decoder
from pseudolabel.raw import perceptual_hashes as hashing
from pseudolabel.raw.perceptual_hashes import Hashes, perceptual_hashes

HASHES = "perceptual_hashes.parquet"
"""In the folder of what is kept between runs."""
_VIEWS = 8
"""The hashes of one image: as it is shown, and turned and mirrored."""
_CODE = b"code"
"""In the metadata: the hash of the code that decodes images and computes hashes."""
_KEEP_EVERY = 20_000
"""Images that are decoded before their hashes are kept: a kill costs no more."""


def kept_perceptual_hashes(
    folder: Path, digests: Mapping[str, str], kept: Path | None
) -> tuple[dict[str, Hashes], dict[str, str]]:
    """Return the perceptual hashes of each image; and what each other file is instead.

    Images whose content is known from before are not decoded again.

    Args:
        folder: the folder of the images.
        digests: the content hash of each image, by its path relative to the folder.
        kept: the file with the hashes of the last time, which is replaced; None to keep none.

    Raises:
        ChangedImageError: an image has another content hash.
    """
    known = {} if kept is None else _read(kept)
    used = set(digests.values())
    fewer = {digest: hashes for digest, hashes in known.items() if digest in used}
    unknown = [name for name, digest in digests.items() if digest not in fewer]
    damaged: dict[str, str] = {}
    for begin in range(0, len(unknown), _KEEP_EVERY):
        names = unknown[begin : begin + _KEEP_EVERY]
        found, faulty = perceptual_hashes(folder, names, digests)
        damaged |= faulty
        fewer |= {digests[name]: hashes for name, hashes in found.items()}
        if kept is not None:
            _write(kept, fewer)
    if kept is not None and not unknown and len(fewer) < len(known):
        _write(kept, fewer)
    usable = {name: fewer[digest] for name, digest in digests.items() if digest in fewer}
    return {name: hashes for name, hashes in usable.items() if name not in damaged}, damaged


def _write(path: Path, hashes: Mapping[str, Hashes]) -> None:
    values = np.array(list(hashes.values()), np.uint64).reshape(-1)
    columns = {
        "digest": pa.array(list(hashes), pa.string()),
        "hashes": pa.FixedSizeListArray.from_arrays(pa.array(values), _VIEWS),
    }
    table = pa.table(columns).replace_schema_metadata({_CODE: _code()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        pq.write_table(table, aside, compression="zstd", compression_level=1)


def _read(path: Path) -> dict[str, Hashes]:
    """Return the kept hashes by the hash of the content; none if another version wrote them."""
    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path)
    except pa.ArrowException:
        # Damaged, for example by a power cut: all images are decoded again.
        return {}
    if (table.schema.metadata or {}).get(_CODE) != _code():
        return {}
    values = table.column("hashes").combine_chunks().flatten().to_numpy().reshape(-1, _VIEWS)
    digests = table.column("digest").to_pylist()
    return {digest: tuple(row) for digest, row in zip(digests, values.tolist(), strict=True)}


def _code() -> bytes:
    files = [Path(str(module.__file__)) for module in (hashing, image_decoder)]
    return hash_bytes("".join(map(hash_file, files)).encode()).encode()
