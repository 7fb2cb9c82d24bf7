"""Galleries: images with labels drawn over them, one or two pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pseudolabel.core.records import Images
from pseudolabel.report.data_file import write_data
from pseudolabel.report.html_parts import heading, link, paragraph, placeholder
from pseudolabel.report.image_copies import Picture

DATA = "data"
"""The folder of a report with the data of its pages."""

Code = tuple[str, str]
"""A label's outcome: its name, and how it is drawn: kept, hidden, dropped or wrong."""
GOLD_CODES: list[Code] = [("gold", "kept"), ("crowd", "hidden")]


@dataclass(frozen=True)
class Gallery:
    """Some images of a page.

    Attributes:
        name: the name of its data, and of its element on the page.
        title: its heading.
        text: what it shows.
        link: a page to go on with, and the text of the link.
        items: the images as the page draws them.
        pictures: the images whose copies it needs.
    """

    name: str
    title: str
    text: str
    link: tuple[str, str] | None = None
    items: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def add(self, images: Images, row: int, caption: str, panels: Sequence[dict[str, Any]]) -> None:
        """Add an image with its panels.

        Args:
            images: the images of its split.
            row: its row among them.
            caption: the text below it.
            panels: what is drawn over it, one picture each, as `panel` returns them.
        """
        self.add_item(image_facts(images, row), caption, panels)

    def add_item(self, image: list[Any], caption: str, panels: Sequence[dict[str, Any]]) -> None:
        """Add an image, described by its facts, with its panels."""
        self.items.append({"image": image, "caption": caption, "panels": panels})
        self.pictures.append(picture_of(image))

    @property
    def parts(self) -> list[str]:
        """The HTML of the gallery; nothing if it has no images."""
        if not self.items:
            return []
        parts = [heading(self.title), paragraph(self.text)]
        parts += [link(*self.link)] if self.link else []
        return [*parts, placeholder("gallery", self.name)]

    def write(self, report: Path) -> None:
        """Write the data of the gallery."""
        write_data(report / DATA / f"{self.name}.js", self.name, self.items)


def panel(
    title: str,
    labels: Sequence[Any] = (),
    codes: Sequence[Code] = (),
    *,
    label_map: str = "",
    bars: Sequence[Any] = (),
) -> dict[str, Any]:
    """Return what is drawn over an image.

    Args:
        title: the text above it.
        labels: objects, each with class, score, outcome, box, and outlines if it has a mask.
        codes: the name of each outcome, and how it is drawn.
        label_map: the path of a label map in the report.
        bars: classes with their probabilities.
    """
    values = {"labels": labels, "codes": codes, "map": label_map, "bars": bars}
    return {"title": title} | {name: value for name, value in values.items() if len(value)}


def picture_of(image: Sequence[Any]) -> Picture:
    """Return the file of an image, described by its facts."""
    _, name, digest, width, height = image
    return Picture(name, digest, max(width, height))


def image_facts(images: Images, row: int) -> list[Any]:
    """Return what pages need to draw an image: its id, name, content hash, width and height."""
    return [
        int(images.ids[row]),
        str(images.file_names[row]),
        str(images.hashes[row]),
        int(images.widths[row]),
        int(images.heights[row]),
    ]
