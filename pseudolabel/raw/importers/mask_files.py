"""Reading a mask file as class numbers: grey, indexed or coloured, of any depth."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pseudolabel.core.errors import DataError, Fault, counted
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.image_header import IMAGE_FORMATS, PILLOW_ERRORS
from pseudolabel.formats.label_maps import UNLABELLED, LabelMap

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg")
_COLOUR = 1 << 24
"""Added to a colour that is no class, so that it differs from the numbers of classes."""
_EXAMPLES = 5

_Numbers = NDArray[np.int64]


@dataclass
class MaskReader:
    """Reads masks in one way, and collects what is in their pixels.

    Attributes:
        class_count: the number of classes.
        colours: the colour of each class as 0xrrggbb; empty if pixels are numbers.
        ignore_zero: pixels of 0 are unlabelled, and the classes are counted from 1.
        seen: the class numbers in all masks, and UNLABELLED.
        odd: values that are no class, with the masks that have them.
        doubtful: masks of the values 0 and UNLABELLED only, which may mean background and object.
        has_unlabelled: a mask has UNLABELLED beside a value other than 0, so that it is no class.
    """

    class_count: int
    colours: Sequence[int] = ()
    ignore_zero: bool = False
    seen: set[int] = field(default_factory=set)
    odd: dict[str, list[int]] = field(default_factory=dict)
    doubtful: list[str] = field(default_factory=list)
    has_unlabelled: bool = False

    def read(self, path: Path) -> LabelMap:
        """Return the class number of each pixel; UNLABELLED where there is none.

        Raises:
            DataError: the file is no mask without loss.
        """
        numbers = self._numbers(*_read_pixels(path))
        return np.where(numbers < self.class_count, numbers, UNLABELLED).astype(np.uint8)

    def survey(self, name: str, path: Path) -> tuple[tuple[int, int], set[int]]:
        """Return the height and width of a mask and its class numbers; note its other values.

        Raises:
            DataError: the file is no mask without loss.
        """
        pixels, colours = _read_pixels(path)
        if pixels is not None and not self.colours:
            self._note_doubt(name, pixels)
        numbers = self._numbers(pixels, colours)
        values = set(np.unique(numbers).tolist())
        classes = {value for value in values if value < self.class_count}
        self.seen |= classes | (values & {UNLABELLED})
        odd = sorted(values - classes - {UNLABELLED})
        if odd:
            self.odd[name] = odd
        height, width = numbers.shape
        return (height, width), classes

    def faults(self, file: str) -> list[Fault]:
        """Return the faults of all surveyed masks together: values that are no class."""
        if self.odd:
            return [self._odd_fault(file)]
        if self.doubtful and not self.has_unlabelled:
            found = (
                f"only 0 and {UNLABELLED}; `--colours '#000000,#ffffff'` makes {UNLABELLED} "
                "a class, '#000000,#010101' does not"
            )
            record = f"{counted(len(self.doubtful), 'mask')}, such as {self.doubtful[0]!r}"
            return [Fault(file, record, "other values, too", found)]
        if self.ignore_zero and self.seen == {UNLABELLED}:
            return [Fault(file, "all masks", "pixels of classes", "only unlabelled pixels")]
        return []

    def _note_doubt(self, name: str, pixels: _Numbers) -> None:
        """Note whether a mask shows what its pixels of UNLABELLED mean."""
        unlabelled = pixels == UNLABELLED
        if not unlabelled.any():
            return
        if (unlabelled | (pixels == 0)).all():
            self.doubtful.append(name)
        else:
            self.has_unlabelled = True

    def _odd_fault(self, file: str) -> Fault:
        """Return one fault for all values that are no class."""
        values = sorted({value for values in self.odd.values() for value in values})
        first = 1 if self.ignore_zero else 0
        if values[-1] < _COLOUR:
            shown = [str(value + first) for value in values]
            expected = f"pixels from {first} to {self.class_count - 1 + first} or {UNLABELLED}"
            expected += " (a number per class, not one per object)"
        else:
            shown = [f"#{value - _COLOUR:06x}" for value in values if value >= _COLOUR]
            expected = "grey or indexed masks, or all colours in `--colours` or labelmap.txt"
        more = ", ..." if len(shown) > _EXAMPLES else ""
        record = f"{len(self.odd):,} masks, such as {next(iter(self.odd))!r}"
        return Fault(file, record, expected, ", ".join(shown[:_EXAMPLES]) + more)

    def _numbers(self, values: _Numbers | None, colours: _Numbers) -> _Numbers:
        """Return the class number of each pixel, UNLABELLED, or a larger value that is no class."""
        if self.colours or values is None:
            return self._from_colours(values, colours)
        if not self.ignore_zero:
            return values
        return np.where((values == 0) | (values == UNLABELLED), UNLABELLED, values - 1)

    def _from_colours(self, values: _Numbers | None, colours: _Numbers) -> _Numbers:
        """Return the class number of each colour."""
        known = np.argsort(self.colours)
        numbers = colours + _COLOUR
        if values is not None:
            # An index of 255 is unlabelled, as in the masks of Pascal VOC, if its colour is free.
            numbers[values == UNLABELLED] = UNLABELLED
        if not len(known):
            return numbers
        keys = np.array(self.colours, np.int64)[known]
        places = np.searchsorted(keys, colours).clip(max=len(keys) - 1)
        return np.where(keys[places] == colours, known[places], numbers)


def _read_pixels(path: Path) -> tuple[_Numbers | None, _Numbers]:
    """Return the number of each pixel, or None in a mask of colours; and the colours, 0xrrggbb.

    Raises:
        DataError: the file is no mask without loss.
    """
    try:
        with Image.open(io.BytesIO(read_content(path)), formats=IMAGE_FORMATS) as image:
            if image.format == "JPEG":
                fault = Fault(path.name, "", "a PNG", "a JPEG, which changes the values of pixels")
                raise DataError([fault])
            if image.mode.startswith("F"):
                raise DataError([Fault(path.name, "", "whole numbers", "numbers with a fraction")])
            return _pixels_of(image)
    except PILLOW_ERRORS as error:
        found = str(error) or type(error).__name__
        raise DataError([Fault(path.name, "", "a readable mask", found)]) from error


def _pixels_of(image: Image.Image) -> tuple[_Numbers | None, _Numbers]:
    """Return the numbers and the colours of an open image."""
    if image.mode == "LA":
        image = image.getchannel("L")
    if image.mode == "L" or image.mode.startswith("I"):
        numbers = np.array(image).astype(np.int64)
        return numbers, numbers.clip(0, 255) * 0x010101
    if image.mode == "1":
        numbers = np.array(image).astype(np.int64)
        return numbers, numbers * 0xFFFFFF
    bands = np.array(image.convert("RGB")).astype(np.int64)
    colours = bands[..., 0] << 16 | bands[..., 1] << 8 | bands[..., 2]
    if image.mode == "P":
        return np.array(image).astype(np.int64), colours
    is_grey = bool((bands == bands[..., :1]).all())
    return (bands[..., 0] if is_grey else None), colours
