"""What only semantic segmentation has in params.yaml."""

from __future__ import annotations

from pseudolabel.params.base import Share
from pseudolabel.params.filtering import Filter
from pseudolabel.params.sections import Params


class SemanticFilter(Filter):
    """Which pixels, and which images, become silver labels."""

    min_confident: Share


class SemanticParams(Params):
    """The parameters of semantic segmentation."""

    filter: SemanticFilter
