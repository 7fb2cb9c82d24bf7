"""A gold label that is probably wrong, for all tasks."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]

MISSED, MISPLACED, WRONG_CLASS = "missed", "badly placed", "wrong class"


@dataclass(frozen=True)
class Suspect:
    """A gold label that a model contradicts, or an object without a gold label.

    The model was not trained on the image of the label.

    Attributes:
        quality: 0 to 1, how probable it is that the label is right; check the lowest first.
        file: the image.
        kind: `missed` (an object without a label), `badly placed` or `wrong class`.
        annotation_id: id of the label in gold; None for missed objects and for pixels.
        label: the class in gold, empty for a missed object.
        suggestion: the class that the model predicts.
        box_xyxy: the label's box; None without a box.
        suggested_xyxy: the predicted box; None without a box.
    """

    quality: float
    file: str
    kind: str
    annotation_id: int | None
    label: str
    suggestion: str
    box_xyxy: Box | None = None
    suggested_xyxy: Box | None = None


def sort_suspects(suspects: list[Suspect]) -> list[Suspect]:
    """Return suspects by rising quality, in a stable order."""

    def key(suspect: Suspect) -> tuple[float, str, int, Box | tuple[()]]:
        box = suspect.box_xyxy or ()
        return suspect.quality, suspect.file, suspect.annotation_id or 0, box

    return sorted(suspects, key=key)
