"""What a training begins from: random weights, pretrained ones, or those of the champion."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch.nn import Module

from pseudolabel.engines.adapter import adapter_of
from pseudolabel.engines.checkpoints import fitting_weights, load_weights, save_weights
from pseudolabel.engines.model_config import backbone_weights, read_config
from pseudolabel.errors import ModelError
from pseudolabel.files import hash_file, read_json
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.model_folder import (
    EARLIER_ITERATIONS,
    PRETRAINED,
    RECORD,
    WEIGHTS,
    images_seen,
    iterations_in_all,
)
from pseudolabel.params.sections import BACKBONE, CHAMPION, Params
from pseudolabel.records import Category


def from_champion(params: Params, gold: Path, champion: Path | None) -> Params:
    """Return the parameters with a path as `model.weights` where these name the champion.

    They are null in round 0, which has no champion, and where the champion is a model of another
    kind: of its weights, too few would fit to go on from.

    Args:
        params: all parameters of one round.
        gold: the folder of gold labels, which has the classes.
        champion: the model folder of the champion, None in round 0.
    """
    if params.model.weights != CHAMPION:
        return params
    weights = None
    if champion is not None:
        if fits(champion / WEIGHTS, built(params, read_coco(gold / FILE).categories)):
            weights = str(champion / WEIGHTS)
        else:
            said = f"{champion} is a model of another kind: its student begins from random weights"
            print(said, file=sys.stderr)
    return params.model_copy(update={"model": params.model.model_copy(update={"weights": weights})})


def built(params: Params, categories: Sequence[Category]) -> Module:
    """Return the model that the parameters name, its weights random."""
    adapter = adapter_of(params.task)
    config = adapter.adapt_model(
        read_config(params.model.config, adapter.scope), categories, params
    )
    init_default_scope(adapter.scope)
    return MODELS.build(config)


def fits(weights: Path, model: Module) -> bool:
    """Return whether weights are there, by name and shape, for all of a model."""
    own = {name: value.shape for name, value in model.state_dict().items()}
    return own == {name: value.shape for name, value in load_weights(weights).items()}


def said_of(params: Params) -> dict[str, Any]:
    """Return what a model's record says of its first weights: a file by its hash."""
    files, trained = weights_files(params), trained_here(params)
    return {
        "first_weights": hash_file(files[0]) if files else params.model.weights,
        PRETRAINED: pretrained(params),
        EARLIER_ITERATIONS: iterations_in_all(trained) if trained else 0,
    }


def weights_files(params: Params) -> list[Path]:
    """Return the file of the first weights, where it lies on this machine."""
    weights = params.model.weights
    return [Path(weights)] if weights is not None and Path(weights).is_file() else []


def trained_here(params: Params) -> Path | None:
    """Return the model folder that the first weights lie in, None where they lie elsewhere."""
    folders = [file.parent for file in weights_files(params)]
    return next((folder for folder in folders if (folder / RECORD).is_file()), None)


def pretrained(params: Params) -> bool:
    """Return whether anything in the first weights was learned before round 0."""
    if params.model.weights in (None, CHAMPION):
        return False
    trained = trained_here(params)
    return trained is None or bool(read_json(trained / RECORD).get(PRETRAINED, True))


def seen_before(params: Params) -> set[str]:
    """Return the images that the first weights were trained on, as far as they lie beside it."""
    trained = trained_here(params)
    return images_seen(trained) if trained else set()


def write_first_weights(scratch: Path, config: Config, params: Params) -> Path:
    """Write the first weights that fit the model into the scratch folder.

    Raises:
        ModelError: the config names no weights for its backbone, or none fit.
    """
    scope, name = adapter_of(params.task).scope, params.model.config
    source, prefix = params.model.weights, ""
    if source == BACKBONE:
        source = backbone_weights(read_config(name, scope))
        prefix = "backbone."
    if source is None:
        raise ModelError(f"model.weights: {name} names no pretrained backbone")
    init_default_scope(scope)
    fitting = fitting_weights(load_weights(source), MODELS.build(config.model), prefix)
    # One file a process: each writes its own, none reads what another has half written.
    path = scratch / f"pretrained_{os.environ.get('RANK', '0')}.pth"
    save_weights(path, fitting)
    return path
