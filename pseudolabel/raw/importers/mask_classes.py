"""The classes of masks, and the colours that stand for them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pseudolabel.core.errors import Fault
from pseudolabel.core.regular_files import read_utf8
from pseudolabel.formats.label_maps import UNLABELLED
from pseudolabel.raw.importers.base import ImportRequest, compare_classes

_LABEL_MAP = "labelmap.txt"
_LINE = re.compile(r"(?P<name>.+?):(?P<rgb>\d{1,3},\d{1,3},\d{1,3})(:.*)?")
_HEX = re.compile(r"#?[0-9a-fA-F]{6}")


def read_classes(request: ImportRequest, faults: list[Fault]) -> tuple[list[str], list[int]]:
    """Return the names of the classes, and their colours as 0xrrggbb; none for masks of numbers.

    `--colours` and `--classes` have both; otherwise labelmap.txt has both if it is in the source.

    Args:
        request: the request.
        faults: the list to which faults are added.
    """
    path = request.source / _LABEL_MAP
    names, colours = list(request.classes), []
    if request.colours:
        colours = _parse_colours(request.colours, len(names), faults)
    elif path.is_file():
        names, colours = _read_label_map(path, faults)
        faults += compare_classes(request, names, path.name)
    if colours and request.ignore_zero:
        faults.append(Fault(str(request.source), "", "colours or `--ignore-zero`", "both"))
    if not names:
        expected = "`--classes`, the names of the pixel values 0, 1, ..."
        faults.append(Fault(str(request.source), "", expected, "none"))
    if len(names) > UNLABELLED:
        faults.append(
            Fault(str(request.source), "", f"at most {UNLABELLED} classes", f"{len(names)}")
        )
    for kind, values in (("class", names), ("colour", [f"#{colour:06x}" for colour in colours])):
        for value, count in Counter(values).items():
            if count > 1:
                found = f"{value!r} {count} times"
                faults.append(Fault(str(request.source), "", f"each {kind} once", found))
    return names, colours


def _parse_colours(colours: tuple[str, ...], class_count: int, faults: list[Fault]) -> list[int]:
    """Return the colours of `--colours` as 0xrrggbb."""
    for colour in colours:
        if not _HEX.fullmatch(colour):
            faults.append(Fault("--colours", "", "colours such as #ff0000", repr(colour)))
            return []
    if len(colours) != class_count:
        found = f"{len(colours)} colours and {class_count} classes"
        faults.append(Fault("--colours", "", "a colour for each of `--classes`", found))
    return [int(colour.removeprefix("#"), 16) for colour in colours]


def _read_label_map(path: Path, faults: list[Fault]) -> tuple[list[str], list[int]]:
    """Return the names and colours of a labelmap.txt, whose lines are `name:r,g,b:...`."""
    try:
        lines = read_utf8(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(Fault(path.name, "", "a text file in UTF-8", str(error)))
        return [], []
    names, colours = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        red, green, blue = map(int, match["rgb"].split(",")) if match else (256, 256, 256)
        if match is None or max(red, green, blue) > 255:
            faults.append(Fault(path.name, f"line {number}", "`name:red,green,blue`", line[:60]))
            continue
        names.append(match["name"].strip())
        colours.append(red << 16 | green << 8 | blue)
    return names, colours
