"""Reading and writing weights, without running code that a checkpoint may contain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pseudolabel.core.errors import Fault, ModelError, short_repr
from pseudolabel.core.files import written_aside
from pseudolabel.formats.weights_record import add_record
from pseudolabel.models.safe_unpickling import CheckpointError, read_plain

Weights = dict[str, torch.Tensor]
"""The weights of a model, by name."""
_HOW_TO_CONVERT = '; save it as torch.save({"state_dict": model.state_dict()}, "weights.pth")'


def load_checkpoint(source: str | Path) -> dict[str, Any]:
    """Return a checkpoint from a path or a URL, on the CPU.

    Raises:
        ModelError: it is missing, damaged, or contains more than tensors and plain values.
    """
    return _load(source, skip_logs=False)


def load_weights(source: str | Path) -> Weights:
    """Return the weights of a checkpoint, which may be under the key `state_dict`.

    Training logs that mmengine adds to checkpoints are skipped: nothing of them is built.

    Raises:
        ModelError: the checkpoint is missing, damaged, or contains more than plain values.
    """
    checkpoint = _load(source, skip_logs=True)
    weights = checkpoint.get("state_dict", checkpoint)
    if not isinstance(weights, dict):
        raise _refusal(source, f"{type(weights).__name__} as state_dict", _HOW_TO_CONVERT)
    for name, value in weights.items():
        if not isinstance(name, str):
            raise _refusal(source, f"the name {short_repr(name)}", _HOW_TO_CONVERT)
        if not isinstance(value, torch.Tensor):
            raise _refusal(source, f"{type(value).__name__} as {name!r}", _HOW_TO_CONVERT)
    return {name.removeprefix("module."): value for name, value in weights.items()}


def save_weights(path: Path, weights: Weights, record: Mapping[str, Any] | None = None) -> None:
    """Write weights, sorted by name, aside and then renamed.

    Args:
        path: the file to write.
        weights: the weights.
        record: the record of their training, which is written into the file.

    Raises:
        ModelError: a weight is infinite or not a number; nothing is written.
    """
    for name, value in weights.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(
                f"{path.name}: expected finite weights, found infinite numbers or NaN in {name!r}: "
                "the training diverged, lower train.learning_rate"
            )
    ordered = {name: weights[name].cpu() for name in sorted(weights)}
    with written_aside(path) as aside:
        torch.save({"state_dict": ordered}, aside)
        if record is not None:
            add_record(aside, record)


def download(url: str) -> Path:
    """Return the path of a downloaded file, which torch's cache keeps.

    Raises:
        ModelError: it cannot be downloaded.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url.split("?", maxsplit=1)[0]).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=True)
        except OSError as error:
            raise _refusal(url, error.strerror or str(error)) from error
    return path


def matching_weights(weights: Weights, model: torch.nn.Module, prefix: str = "") -> Weights:
    """Return the weights that fit a model by name and shape.

    Args:
        weights: the weights.
        model: the model.
        prefix: added to the names that do not begin with it, such as `backbone.`.

    Raises:
        ModelError: none of the weights fit.
    """
    expected = model.state_dict()
    prefixed = {
        name if name.startswith(prefix) else prefix + name: value for name, value in weights.items()
    }
    matching = {
        name: value
        for name, value in prefixed.items()
        if name in expected and expected[name].shape == value.shape
    }
    if not matching:
        raise ModelError("model.weights: expected weights that fit the model, found none")
    return matching


def _load(source: str | Path, *, skip_logs: bool) -> dict[str, Any]:
    """Return a checkpoint; raise ModelError unless it is a dict of plain values."""
    try:
        path = download(str(source)) if _is_url(source) else Path(source)
        checkpoint = read_plain(path, skip_logs=skip_logs)
    except CheckpointError as error:
        raise _refusal(source, str(error), _HOW_TO_CONVERT if error.is_foreign else "") from error
    except OSError as error:
        raise _refusal(source, error.strerror or str(error)) from error
    if not isinstance(checkpoint, dict):
        raise ModelError(f"{source}: expected a dict of weights, found {type(checkpoint).__name__}")
    return checkpoint


def _refusal(source: str | Path, found: str, advice: str = "") -> ModelError:
    return ModelError(f"{Fault(str(source), '', 'a checkpoint of weights', found)}{advice}")


def _is_url(source: str | Path) -> bool:
    return str(source).startswith(("http://", "https://"))
