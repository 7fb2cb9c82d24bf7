"""What only classification has in params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pseudolabel.params.sections import Params
from pseudolabel.params.training import Train


class ClassificationTrain(Train):
    """The schedule, with what mixes or softens the labels of a batch."""

    mixup: Annotated[float, Field(ge=0)]
    cutmix: Annotated[float, Field(ge=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    soft_labels: bool


class ClassificationParams(Params):
    """The parameters of classification."""

    train: ClassificationTrain
