"""The names of the classes of YOLO data, in the order of their numbers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.core.regular_files import read_utf8


def names_in_yaml(names: Any, file: str, faults: list[Fault]) -> list[str]:
    """Return the classes of `names` in data.yaml, a list or an object with the keys 0, 1, ...

    Args:
        names: the value of `names`.
        file: the name of the file, for faults.
        faults: the list to which faults are added.
    """
    if isinstance(names, dict) and all(type(key) is int for key in names):
        numbers = range(len(names))
        names = [names[number] for number in numbers] if set(names) == set(numbers) else names
    if not isinstance(names, list):
        faults.append(Fault(file, "names", "names of classes 0, 1, ...", short_repr(names)))
        return []
    wrong = [
        Fault(file, f"names: class {number}", "a text; put the name in quotes", short_repr(name))
        for number, name in enumerate(names)
        if not isinstance(name, str)
    ]
    faults += wrong
    return [] if wrong else _stripped_names(names, file, faults)


def names_in_text(path: Path, faults: list[Fault]) -> list[str]:
    """Return the classes of a file such as obj.names or classes.txt, one per line."""
    try:
        text = read_utf8(path)
    except (OSError, UnicodeDecodeError) as error:
        faults.append(Fault(path.name, "", "a text file in UTF-8", str(error)))
        return []
    return _stripped_names(text.rstrip().splitlines(), path.name, faults)


def _stripped_names(names: list[str], file: str, faults: list[Fault]) -> list[str]:
    """Return names without spaces at their ends; add a fault if one is empty or doubled."""
    stripped = [name.strip() for name in names]
    for name, count in Counter(stripped).items():
        if not name:
            faults.append(Fault(file, "names", "a name for each class", "an empty name"))
        elif count > 1:
            found = f"{count} classes of this name"
            faults.append(Fault(file, f"names: {short_repr(name)}", "a unique name", found))
    if not names:
        faults.append(Fault(file, "names", "the names of the classes", "none"))
    return stripped
