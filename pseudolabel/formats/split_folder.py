"""The folder of one split: its COCO file and, for semantic segmentation, its label maps."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pseudolabel.core.records import Dataset, Images
from pseudolabel.formats.coco_reader import (
    count_coco_annotations,
    read_coco,
    read_coco_images,
)
from pseudolabel.formats.coco_writer import write_coco
from pseudolabel.formats.label_maps import LABEL_MAPS, LabelMap, map_path, read_map, write_map
from pseudolabel.formats.map_shards import MapShards
from pseudolabel.formats.shards import shard_paths

COCO_FILE = "coco.json"
REVIEWS = "reviews.csv"
"""Beside gold's COCO file: who reviewed which image, if any was reviewed."""


@dataclass(frozen=True)
class SplitFolder:
    """One split on disk, such as data/prepared/gold or rounds/1/merged/silver.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def coco_file(self) -> Path:
        """The path of the file with images, annotations and categories."""
        return self.path / COCO_FILE

    @property
    def has_label_maps(self) -> bool:
        """Whether the split has label maps: PNG files, or shards if it is silver."""
        return (self.path / LABEL_MAPS).is_dir()

    @property
    def reviewed_images(self) -> int:
        """How many images of the split were reviewed by a person."""
        path = self.path / REVIEWS
        if not path.exists():
            return 0
        with path.open(encoding="utf-8", newline="") as file:
            return sum(1 for _ in csv.DictReader(file))

    def read(self) -> Dataset:
        """Return the split's images and annotations.

        Raises:
            DataError: the COCO file is missing or breaks the contract; all faults are listed.
        """
        return read_coco(self.coco_file)

    def read_images(self) -> Images:
        """Return the split's images, without reading its annotations if possible.

        Raises:
            DataError: the COCO file is missing or breaks the contract.
        """
        return read_coco_images(self.coco_file)

    def count_annotations(self) -> tuple[int, int]:
        """Return how many annotations the split has, and how many of them are crowds.

        Raises:
            DataError: the COCO file is missing or breaks the contract.
        """
        return count_coco_annotations(self.coco_file)

    def write(self, dataset: Dataset) -> None:
        """Write the split's COCO file."""
        write_coco(self.coco_file, dataset)

    @cached_property
    def map_shards(self) -> MapShards:
        """The shards of label maps, which stay open; none if the maps are PNG files."""
        return MapShards(shard_paths(self.path / LABEL_MAPS) if self.has_label_maps else [])

    def label_map(self, image_id: int) -> LabelMap:
        """Return an image's (h, w) label map.

        Raises:
            DataError: there is none, or its file is damaged.
        """
        if len(self.map_shards.image_ids):
            return self.map_shards.labels(image_id)
        return read_map(map_path(self.path, image_id))

    def write_label_map(self, image_id: int, labels: LabelMap) -> None:
        """Write an image's (h, w) label map as a PNG file."""
        write_map(map_path(self.path, image_id), labels)

    def copy_label_maps(self, target: SplitFolder, new_ids: Mapping[int, int]) -> None:
        """Copy the PNG files of label maps to another split, if this split has label maps.

        Args:
            target: the split to copy to.
            new_ids: the id of each image in the target, by its id in this split.
        """
        if not self.has_label_maps:
            return
        (target.path / LABEL_MAPS).mkdir(parents=True, exist_ok=True)
        for old, new in new_ids.items():
            shutil.copy(map_path(self.path, old), map_path(target.path, new))
