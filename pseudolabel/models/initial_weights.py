"""The weights that a training begins from: random, pretrained, or those of the champion."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.nn import Module

from pseudolabel.core.files import hash_file
from pseudolabel.core.records import Category
from pseudolabel.formats.model_folder import (
    EARLIER_ITERATIONS,
    INITIAL_WEIGHTS,
    PRETRAINED,
    UNKNOWN_ORIGIN,
    WEIGHTS,
    TrainingRecord,
    weights_record,
)
from pseudolabel.formats.teacher_files.file_model import file_of_model
from pseudolabel.models import PACKAGES
from pseudolabel.models.checkpoints import load_weights, matching_weights, save_weights
from pseudolabel.models.configs import backbone_checkpoint, build_model, named_backbone
from pseudolabel.models.packaged_weights import is_packaged, packaged_backbone, packaged_path
from pseudolabel.models.zoo_weights import zoo_file, zoo_url
from pseudolabel.params.common import BACKBONE, CHAMPION, ZOO, Params
from pseudolabel.params.types import single_value


def resolve_champion(
    params: Params, categories: Sequence[Category], champion: Path | None
) -> Params:
    """Return params in which `model.weights: champion` is replaced by a path.

    It becomes null in round 0, which has no champion. If the champion is another kind of model, too
    few of its weights would fit, and a file of predictions has none: then it becomes backbone if
    the config's backbone comes with a package, and null otherwise.

    Args:
        params: all parameters of one round.
        categories: the classes.
        champion: the model folder of the champion, None in round 0.
    """
    if params.model.weights != CHAMPION:
        return params
    weights = None
    if champion is not None:
        is_file = file_of_model(champion) is not None
        if not is_file and _fits(champion / WEIGHTS, build_model(params, categories)):
            weights = str(champion / WEIGHTS)
        else:
            kind = "a file of predictions" if is_file else "another kind of model"
            backbone = named_backbone(params)
            weights = BACKBONE if backbone and is_packaged(backbone) else None
            begin = "the packaged backbone" if weights else "random weights"
            message = f"{champion} is {kind}: its student begins from {begin}"
            print(message, file=sys.stderr)
    model = params.model.model_copy(update={"weights": weights})
    return params.model_copy(update={"model": model})


@dataclass(frozen=True)
class InitialWeights:
    """The initial weights that `model.weights` names.

    Attributes:
        name: the value of `model.weights`.
        source: the path, the URL or the name of packaged weights; None for random weights.
        prefix: the prefix of these weights' names in the model, such as `backbone.`.
        origin: the record of their training; None if there is none.
        pretrained: whether any of the weights were learned before round 0.
    """

    name: str | None
    source: str | None = None
    prefix: str = ""
    origin: TrainingRecord | None = None
    pretrained: bool = False

    @classmethod
    def from_params(cls, params: Params) -> InitialWeights:
        """Return the initial weights of one round, after resolve_champion.

        Raises:
            ModelError: `model.weights` is backbone, and the config names no pretrained backbone,
                or one in a package that is not installed. Or it is zoo, and the config has no
                checkpoint in a zoo.
        """
        name = single_value(params.model.weights)
        if name is None:
            return cls(None)
        if name == BACKBONE:
            source = backbone_checkpoint(params)
            if is_packaged(source):
                packaged_path(source)
            return cls(name, source, "backbone.", pretrained=True)
        if name == ZOO:
            source = zoo_url(single_value(params.model.config), PACKAGES[params.task])
            return cls(name, source, pretrained=True)
        origin = weights_record(Path(name)) if Path(name).is_file() else None
        pretrained = origin.pretrained if origin else True
        return cls(name, name, origin=origin, pretrained=pretrained)

    @property
    def files(self) -> list[Path]:
        """The file of the weights, if it is on this machine."""
        path = Path(self.name) if self.name is not None else None
        return [path] if path is not None and path.is_file() else []

    def images_seen(self) -> set[str]:
        """Return the content hashes of the images that the weights were trained on, if known."""
        return set(self.origin.images) if self.origin else set()

    @property
    def has_unknown_origin(self) -> bool:
        """Whether nobody knows which images some of the weights have seen.

        Those of a zoo are known, and so is the backbone that a config names: they are pretrained on
        public data sets.
        """
        if self.origin is not None:
            return self.origin.unknown_origin
        return self.name not in (None, BACKBONE, ZOO)

    def record(self) -> dict[str, Any]:
        """Return the entries of a model's record: the weights by hash, pretraining, iterations."""
        files = self.files
        return {
            INITIAL_WEIGHTS: hash_file(files[0]) if files else self._address,
            PRETRAINED: self.pretrained,
            EARLIER_ITERATIONS: self.origin.iterations if self.origin else 0,
            UNKNOWN_ORIGIN: self.has_unknown_origin,
        }

    @property
    def _address(self) -> str | None:
        """The address in a zoo, or the value of `model.weights`."""
        return self.source if self.name == ZOO else self.name

    def write(self, scratch: Path, model: Module) -> Path:
        """Write the weights that fit a model into the scratch folder.

        Raises:
            ModelError: they cannot be loaded, or none fit.
        """
        source = str(self.source)
        if is_packaged(source):
            weights = packaged_backbone(source, model, self.prefix)
        else:
            file = zoo_file(source) if self.name == ZOO else source
            weights = matching_weights(load_weights(file), model, self.prefix)
        # One file per process: no process reads a file that another one is still writing.
        path = scratch / f"pretrained_{os.environ.get('RANK', '0')}.pth"
        save_weights(path, weights)
        return path


def _fits(weights: Path, model: Module) -> bool:
    """Return whether a file has exactly the weights of a model, by name and shape."""
    expected = {name: value.shape for name, value in model.state_dict().items()}
    return expected == {name: value.shape for name, value in load_weights(weights).items()}
