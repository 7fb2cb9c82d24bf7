"""The section `sample`: the data set that is generated if there is none."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pseudolabel.params.types import Positive, Section, Seed, WholeNumber


class Sample(Section):
    """The generated sample, in case you have no data yet."""

    seed: Seed
    """Random seed of the sample."""
    gold: Positive
    """Labelled images for training."""
    val: Positive
    """Labelled images for validation."""
    test: Positive
    """Labelled images for the test."""
    pool: Positive
    """Images without labels."""
    width: Annotated[WholeNumber, Field(ge=64, le=16_384)]
    """Width of the images, pixels."""
    height: Annotated[WholeNumber, Field(ge=64, le=16_384)]
    """Height of the images, pixels."""
