"""What only instance segmentation has in params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pseudolabel.params.base import Share
from pseudolabel.params.detection import ObjectFilter, ObjectParams
from pseudolabel.params.export import InstanceExport


class InstanceFilter(ObjectFilter):
    """Which predicted masks become silver labels."""

    min_stability: Share
    min_area: Annotated[float, Field(ge=1)]
    max_overlap: Share


class InstanceParams(ObjectParams):
    """The parameters of instance segmentation."""

    filter: InstanceFilter
    export: InstanceExport
