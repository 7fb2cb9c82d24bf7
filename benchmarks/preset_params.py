"""Parameters of a task as shipped, whatever params.yaml has at the moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pseudolabel.params.common import Params
from pseudolabel.params.loading import read_yaml, validate, with_values

_PRESETS = Path(__file__).parents[1] / "presets"


def preset_params(task: str, options: Mapping[str, Any] | None = None) -> Params:
    """Return the parameters in presets/<task>.yaml.

    Args:
        task: the task.
        options: other values, by dotted names such as `train.learning_rate`.

    Raises:
        ParamsError: a name is unknown, or a value has a fault.
    """
    path = _PRESETS / f"{task}.yaml"
    return with_values(validate(read_yaml(path), str(path)), options or {})
