"""The split that the name of a folder, a key or a file means."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAMES = {
    "gold": ("train", "training", "trainval", "gold"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
    "pool": ("unlabeled", "unlabelled", "pool"),
}
SPLITS = tuple(_NAMES)
"""The splits in the order in which they are imported."""
_SPLIT_OF = {name: split for split, names in _NAMES.items() for name in names}


def split_of(name: str) -> str | None:
    """Return the split that a name of a folder or of a key means, in any letter case."""
    return _SPLIT_OF.get(name.strip().lower())


def split_within(name: str) -> str | None:
    """Return the split that one word of a longer name means, as in `instances_train2017`.

    None if no word means a split, or if the words mean several.
    """
    words = re.findall(r"[a-z]+", name.lower())
    found = {_SPLIT_OF[word] for word in words if word in _SPLIT_OF}
    return found.pop() if len(found) == 1 else None


def split_of_folders(path: str) -> str | None:
    """Return the split that the outermost folder with the name of a split means."""
    splits = (split_of(folder) for folder in path.split("/")[:-1])
    return next((split for split in splits if split is not None), None)


def group_by_split(paths: Iterable[str], default: str) -> tuple[dict[str, list[str]], list[str]]:
    """Return the paths by the split that their folders mean, and the paths outside such folders.

    Args:
        paths: the paths of images.
        default: the split of all paths, if there is no folder of a split.
    """
    groups: dict[str | None, list[str]] = {}
    for path in paths:
        groups.setdefault(split_of_folders(path), []).append(path)
    others = groups.pop(None, [])
    if not groups:
        return ({default: others} if others else {}), []
    return {split: groups[split] for split in SPLITS if split in groups}, others
