"""The four tasks: the facts that every package needs.

The code that differs per task is in the table of each package's `__init__.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["objects", "pixels", "classes"]
"""The subject of a label: an object, the pixels of an image, or a whole image."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        kind: the subject of its labels.
        headline: the metrics in the table of rounds; the first one is the main metric.
        empty_is_negative: whether an image without labels is a negative example; if not, such
            images are left out and listed.
    """

    kind: Kind
    headline: tuple[str, ...]
    empty_is_negative: bool


TASKS: dict[str, Task] = {
    "detection": Task("objects", ("mAP", "mAP_50", "mAP_75"), empty_is_negative=True),
    "instance": Task("objects", ("mAP", "mAP_50", "mAP_75", "box_mAP"), empty_is_negative=True),
    "semantic": Task("pixels", ("mIoU", "mAcc", "aAcc"), empty_is_negative=False),
    "classification": Task("classes", ("top1", "top5", "macro_f1", "ece"), empty_is_negative=False),
}
