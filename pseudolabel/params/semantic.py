"""What only semantic segmentation has in params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pseudolabel.params.base import Above, Share
from pseudolabel.params.filtering import Filter
from pseudolabel.params.sections import Params, PseudoLabel, Views


class SemanticLabel(PseudoLabel):
    """How the champion labels the pool: at which scales, and mirrored or not."""

    scales: Annotated[tuple[Above, ...], Field(min_length=1)]
    flip: bool

    @property
    def views(self) -> Views:
        """The image at every scale, mirrored on request."""
        return Views(self.scales, self.flip)


class SemanticFilter(Filter):
    """Which pixels, and which images, become silver labels."""

    min_confident: Share


class SemanticParams(Params):
    """The parameters of semantic segmentation."""

    pseudo_label: SemanticLabel
    filter: SemanticFilter
