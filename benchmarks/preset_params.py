"""Parameters of a preset as shipped, whatever params.yaml has at the moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pseudolabel.params.common import Params
from pseudolabel.params.loading import validate, with_values
from pseudolabel.params.presets import preset_values

_PRESETS = Path(__file__).parents[1] / "presets"


def preset_params(preset: str, options: Mapping[str, Any] | None = None) -> Params:
    """Return the parameters in presets/<preset>.yaml.

    Args:
        preset: a task, or `sample_<task>` for the small models of the generated sample.
        options: other values, by dotted names such as `train.learning_rate`.

    Raises:
        ParamsError: a name is unknown, or a value has a fault.
    """
    path = _PRESETS / f"{preset}.yaml"
    return with_values(validate(preset_values(path, _PRESETS), str(path)), options or {})
