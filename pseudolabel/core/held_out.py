"""Checks that no model is trained on an image that it is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.records import Images

MEASURED_ON = ("val", "tuning", "test")
"""The splits that no model may be trained on."""


@dataclass(frozen=True)
class Duplicate:
    """An image and its duplicate, which must not be in different splits.

    Attributes:
        file: the name of the image.
        split: the split of the image.
        twin: the name of the other image.
        twin_split: the split of the other image.
        kind: `copy` (same name or content), `near-duplicate` or `group`.
        distance: number of bits in which the perceptual hashes differ; None unless a
            near-duplicate.
    """

    file: str
    split: str
    twin: str
    twin_split: str
    kind: str
    distance: int | None = None

    def row(self) -> dict[str, str | int | None]:
        """Return the pair as JSON values."""
        return asdict(self)


def find_copies(images: Images, split: str, guarded: Images, guard: str) -> list[Duplicate]:
    """Return the images whose name or content is also in a guarded split.

    Args:
        images: the images to check.
        split: the name of their split.
        guarded: the images of the guarded split.
        guard: the name of the guarded split.
    """
    names = set(guarded.file_names.tolist())
    hashes = dict(zip(guarded.hashes[::-1], guarded.file_names[::-1], strict=True))
    found = []
    for name, digest in zip(images.file_names, images.hashes, strict=True):
        twin = name if name in names else hashes.get(digest) if digest else None
        if twin is not None:
            found.append(Duplicate(name, split, twin, guard, "copy"))
    return found


def refuse_seen(seen: set[str], measured_on: Mapping[str, Images], model: str) -> None:
    """Raise if a model was trained on an image of a split that it will be measured on.

    Args:
        seen: content hashes of the images that the model was trained on.
        measured_on: the splits to measure on, by name.
        model: the model's name, for the message.

    Raises:
        DataError: one fault per such image.
    """
    faults = [
        Fault(model, "", f"a model that was not trained on {split}", f"trained on {name!r}")
        for split, images in measured_on.items()
        for name, digest in zip(images.file_names, images.hashes, strict=True)
        if digest in seen
    ]
    if faults:
        raise DataError(faults)


def refuse_leaks(trained_on: Mapping[str, Images], measured_on: Mapping[str, Images]) -> None:
    """Raise if an image is in the training data and in a split to measure on.

    Images are compared by name and by content.

    Raises:
        DataError: one fault per such image.
    """
    faults = [
        Fault(
            f"{pair.split} (training data)",
            f"image {pair.file!r}",
            f"an image that is not in {guard}",
            "the same image" if pair.twin == pair.file else f"a copy of {pair.twin!r}",
        )
        for guard, guarded in measured_on.items()
        for split, images in trained_on.items()
        for pair in find_copies(images, split, guarded, guard)
    ]
    if faults:
        raise DataError(faults)
