"""Reading images in batches, each image in all views that models need."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import Compose, pseudo_collate
from torch.utils.data import DataLoader, Dataset

from pseudolabel.core.records import Images
from pseudolabel.core.shared_memory import LOADER_TIMEOUT, refuse_small_shared_memory
from pseudolabel.core.worker_processes import end_with_parent
from pseudolabel.formats.image_header import UnreadableImageError
from pseudolabel.models.transforms import LOAD, Pipeline


def image_loader(
    images: Images,
    root: Path,
    pipelines: Sequence[Pipeline],
    batch_size: int,
    workers: int,
) -> DataLoader[Any]:
    """Return a data loader of images in order.

    It yields tuples of three values: one batch per pipeline, the number of images, and the row
    numbers of images that cannot be decoded. The batches do not contain these images. If no image
    can be decoded, there are no batches.

    Args:
        images: the images.
        root: the image folder.
        pipelines: the transforms of each view.
        batch_size: number of images per batch.
        workers: number of processes that read images.

    Raises:
        SharedMemoryError: the batches of the processes do not fit into shared memory.
    """
    dataset = _ImageViews(images, root, pipelines)
    if workers and len(dataset):
        refuse_small_shared_memory(workers, batch_size * dataset.bytes_of_first())
    return DataLoader(
        dataset,
        batch_size=batch_size,
        timeout=LOADER_TIMEOUT if workers else 0,
        num_workers=workers,
        worker_init_fn=end_with_parent,
        collate_fn=_collate,
    )


class _ImageViews(Dataset[Any]):  # type: ignore[misc]
    """Images in all views; None instead of the views of an image that cannot be decoded."""

    def __init__(self, images: Images, root: Path, pipelines: Sequence[Pipeline]) -> None:
        self.images, self.root = images, root
        self.load = Compose([LOAD])
        self.pipelines = [Compose(pipeline) for pipeline in pipelines]

    def __len__(self) -> int:
        return len(self.images)

    def bytes_of_first(self) -> int:
        """Return the size of the pixels of the first image in all views; 0 if it has none."""
        _, views = self[0]
        pixels = [view["inputs"] for view in views or [] if "inputs" in view]
        return sum(int(one.nbytes) for one in pixels)

    def __getitem__(self, row: int) -> tuple[int, list[Any] | None]:
        file = {
            "img_path": str(self.root / self.images.file_names[row]),
            "img_id": int(self.images.ids[row]),
            "content_hash": self.images.hashes[row],
        }
        try:
            loaded = self.load(file)
        except UnreadableImageError:
            return row, None
        return row, [pipeline(copy.copy(loaded)) for pipeline in self.pipelines]


def _collate(items: list[tuple[int, Any]]) -> tuple[list[Any], int, list[int]]:
    """Return one batch per view, the number of images, and the rows of unreadable images."""
    readable = [views for _, views in items if views is not None]
    unreadable = [row for row, views in items if views is None]
    batches = [pseudo_collate(list(view)) for view in zip(*readable, strict=True)]
    return batches, len(items), unreadable
