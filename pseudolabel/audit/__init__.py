"""Probable errors in gold, found by models not trained on it: stages `cross_fit` and `audit`.

Each gold image is labelled by the model of a fold that was not trained on it. Gold labels that such
a model contradicts are suspects.
"""

from collections.abc import Callable
from pathlib import Path

from pseudolabel.audit.classes import class_suspects
from pseudolabel.audit.objects import object_suspects
from pseudolabel.audit.pixels import pixel_suspects
from pseudolabel.audit.suspects import Suspect
from pseudolabel.core.records import Dataset

FindSuspects = Callable[[Dataset, Path], list[Suspect]]
"""Returns the suspects, given gold and the folder of its cross-fit; the most probable first."""

SUSPECTS: dict[str, FindSuspects] = {
    "detection": object_suspects,
    "instance": object_suspects,
    "semantic": pixel_suspects,
    "classification": class_suspects,
}
