"""One gold label in doubt, whatever the task."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]

MISSED, MISPLACED, WRONG_CLASS = "missed", "badly placed", "wrong class"


@dataclass(frozen=True)
class Suspect:
    """A label that a model contradicts which never saw its image, or an object without a label.

    Attributes:
        quality: 0 to 1, how likely the label is right; the lowest are the first to look at.
        file: the image.
        kind: `missed` (an object without a label), `badly placed` or `wrong class`.
        annotation_id: of the label in gold; None for what has none, and where labels are pixels.
        label: the class that gold says, empty for a missed object.
        suggestion: the class that the model says.
        box_xyxy: the label's box, None where it has none.
        suggested_xyxy: the model's box, None where labels have none.
    """

    quality: float
    file: str
    kind: str
    annotation_id: int | None
    label: str
    suggestion: str
    box_xyxy: Box | None = None
    suggested_xyxy: Box | None = None


def first_suspects_first(suspects: list[Suspect]) -> list[Suspect]:
    """Return suspects by rising quality, in a stable order."""
    return sorted(
        suspects, key=lambda it: (it.quality, it.file, it.annotation_id or 0, it.box_xyxy or ())
    )
