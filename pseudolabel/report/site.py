"""The report: the pages, their data, and the copies of the images."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.core.files import read_json, written_aside
from pseudolabel.core.per_round import in_round
from pseudolabel.core.project import RoundFolder
from pseudolabel.core.records import Dataset
from pseudolabel.core.tasks import TASKS, Kind
from pseudolabel.core.workdir import SCRATCH
from pseudolabel.evaluation.compare import compare
from pseudolabel.evaluation.history import HISTORY, SPEED, outcome_path
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.pages.palette import CLASS_COLOURS
from pseudolabel.params.common import Params
from pseudolabel.report.changes import changes_gallery
from pseudolabel.report.class_errors import describe_class_errors
from pseudolabel.report.data_file import write_data
from pseudolabel.report.data_pack import unpack
from pseudolabel.report.data_page import data_parts, split_sheets
from pseudolabel.report.error_report import DescribeErrors, Scored
from pseudolabel.report.gallery import Gallery, picture_of
from pseudolabel.report.html_parts import page, paragraph
from pseudolabel.report.image_copies import (
    LARGE,
    THUMBNAIL,
    Picture,
    choose_large,
    thumbnails_of,
    write_copies,
)
from pseudolabel.report.object_errors import describe_object_errors
from pseudolabel.report.overview import Overview, flat_params, overview_parts
from pseudolabel.report.pixel_errors import describe_pixel_errors
from pseudolabel.report.pixels import write_pictures
from pseudolabel.report.round_index import PAGES, ROUND
from pseudolabel.report.silver_page import silver_parts

ERRORS: dict[Kind, DescribeErrors] = {
    "objects": describe_object_errors,
    "pixels": describe_pixel_errors,
    "classes": describe_class_errors,
}
_ASSETS = "assets"
_DRAWING = ("assets/drawing.js", "assets/lightbox.js")
_GALLERY = (*_DRAWING, "assets/gallery.js")
_SILVER = (*_DRAWING, "assets/grid.js", "assets/silver.js")


def write_site(prepared: Path, metrics: Path, report: Path, params: Params) -> str:
    """Write the report of all rounds and metrics.json, and return the table of rounds.

    Copies of images in the report before are taken over.

    Args:
        prepared: the folder of prepared data.
        metrics: the JSON file to write.
        report: the folder to write.
        params: all parameters.

    Raises:
        ChangedImageError: an image is no longer the one that `prepare` read.
    """
    with written_aside(report) as aside:
        aside.mkdir(parents=True)
        site = _Site(prepared, aside, params)
        table = compare(site.last.evaluation, metrics, aside)
        site.write()
        pool = SplitFolder(prepared / "pool").read().images
        thumbnails = thumbnails_of(pool, "the pool") if site.last.number else ()
        chosen = ((THUMBNAIL, picture) for picture in site.pictures())
        large = ((LARGE, picture) for picture in site.large())
        copies = chain(thumbnails, chosen, large)
        write_copies(copies, params.data.root / IMAGES, aside, SCRATCH / "report")
    return table


@dataclass(frozen=True)
class _Page:
    """A page: its file, its name, its content and its images."""

    file: str
    name: str
    parts: list[str]
    galleries: list[Gallery]
    scripts: Sequence[str] = _GALLERY


class _Site:
    """Puts the pages together.

    Args:
        prepared: the folder of prepared data.
        report: the folder to write to.
        params: all parameters.
    """

    def __init__(self, prepared: Path, report: Path, params: Params) -> None:
        self.prepared, self.report, self.params = prepared, report, params
        self.last = RoundFolder(params.round)
        self.rounds = [RoundFolder(number) for number in range(params.round + 1)]
        self.facts = [read_json(folder.index / ROUND) for folder in self.rounds]
        self.gold = SplitFolder(prepared / "gold").read()
        self.kind = TASKS[params.task].kind
        self.galleries: list[Gallery] = []

    def write(self) -> None:
        """Write all pages with their data, without the copies of images."""
        shutil.copytree(str(resources.files("pseudolabel.report") / _ASSETS), self.report / _ASSETS)
        pages = [self._overview()]
        pages += [self._silver()] if self.last.number else []
        pages += [site_page for site_page in map(self._errors, self._error_splits()) if site_page]
        pages.append(self._data())
        links = [(site_page.file, site_page.name) for site_page in pages]
        for site_page in pages:
            text = page(site_page.name, site_page.file, links, site_page.parts, site_page.scripts)
            content = text.encode("utf-8", "backslashreplace")
            (self.report / site_page.file).write_bytes(content)
            for gallery in site_page.galleries:
                gallery.write(self.report)
            self.galleries += site_page.galleries
        self._write_facts()
        for folder in self.rounds:
            target = self.report / "rounds" / str(folder.number)
            if (folder.index / PAGES).is_file():
                unpack(folder.index / PAGES, target)
            write_pictures(folder.index, target)

    def pictures(self) -> list[Picture]:
        """Return the images of all galleries."""
        return list(chain.from_iterable(gallery.pictures for gallery in self.galleries))

    def large(self) -> list[Picture]:
        """Return the images with large copies: of galleries, then those of the pool in doubt."""
        doubtful = map(picture_of, self.facts[-1].get("doubtful", []))
        return choose_large(chain(self.pictures(), doubtful))

    def _write_facts(self) -> None:
        """Write what the scripts of all pages need to know."""
        rounds = {
            str(row["round"]): {name: row[name] for name in ("images", "reasons", "compared")}
            for row in self.facts
            if "silver" in row
        }
        site: dict[str, Any] = {
            "kind": self.kind,
            "classes": self.gold.class_names,
            "colours": CLASS_COLOURS,
        }
        site |= {"rounds": rounds, "thumbnails": THUMBNAIL.folder, "large": LARGE.folder}
        site |= {"sides": [THUMBNAIL.side, LARGE.side]}
        site["with_large"] = sorted(picture.digest for picture in self.large())
        write_data(self.report / "site.js", "site", site)

    def _overview(self) -> _Page:
        changes = changes_gallery(self.facts[-1], self.kind)
        numbers = range(self.params.round + 1)
        overview = Overview(
            read_json(self.last.evaluation / HISTORY),
            read_json(self.last.evaluation / SPEED),
            self.facts,
            self.gold.class_names,
            _amounts(self.gold, self.kind),
            [flat_params(in_round(self.params, number)) for number in numbers],
        )
        return _Page("index.html", "Overview", overview_parts(overview, changes.parts), [changes])

    def _silver(self) -> _Page:
        numbers = [row["round"] for row in self.facts if "silver" in row]
        return _Page("silver.html", "Silver", silver_parts(numbers, self.kind), [], _SILVER)

    def _error_splits(self) -> list[str]:
        return ["val", *["test"] * self.params.report.test_errors]

    def _errors(self, split: str) -> _Page | None:
        """Return the page of errors on a split; None if the split has no images."""
        folder = self.prepared / split
        truth = SplitFolder(folder).read()
        if not len(truth.images):
            return None
        outcome = outcome_path(self.last.evaluation, self.last.number, split)
        max_boxes = getattr(self.params.evaluate, "max_boxes", 0)
        scored = Scored(split, folder, truth, outcome, self.params.task, max_boxes, self.report)
        errors = ERRORS[self.kind](scored)
        text = f"What the model of round {self.last.number} gets wrong on {split}."
        galleries = list(errors.galleries)
        shown = chain.from_iterable(gallery.parts for gallery in galleries)
        parts = [paragraph(text), *errors.parts, *shown]
        return _Page(f"errors-{split}.html", f"Errors on {split}", parts, galleries)

    def _data(self) -> _Page:
        sheets = split_sheets(self.prepared, self.params.task, self.report)
        parts = data_parts(self.prepared)
        parts += chain.from_iterable(sheet.parts for sheet in sheets)
        return _Page("data.html", "Data", parts, sheets)


def _amounts(gold: Dataset, kind: Kind) -> list[float]:
    """Return the objects, images or pixels of each class in gold."""
    weights: Any = gold.annotations.areas if kind == "pixels" else None
    return np.bincount(gold.class_indices, weights, len(gold.categories)).tolist()
