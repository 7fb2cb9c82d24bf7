"""Infinite numbers and NaN are refused for every parameter, also inside of free values."""

import pytest
import yaml

from pseudolabel.core.errors import ParamsError
from pseudolabel.params.loading import PARAMS_BY_TASK, load_params, with_values
from tests.conftest import ROOT

ENDLESS = ["-.inf", ".inf", ".nan"]


def numbers(values, path=()):
    """The paths of all numbers in a preset."""
    if isinstance(values, dict):
        items = values.items()
    elif isinstance(values, list):
        items = enumerate(values)
    else:
        items = ()
        if isinstance(values, int | float) and not isinstance(values, bool):
            yield path
    for key, value in items:
        yield from numbers(value, (*path, key))


@pytest.mark.parametrize("task", PARAMS_BY_TASK)
@pytest.mark.parametrize("endless", ENDLESS)
def test_no_number_of_a_preset_may_be_endless(tmp_path, task, endless):
    text = (ROOT / "presets" / f"{task}.yaml").read_text(encoding="utf-8")
    for path in numbers(yaml.safe_load(text)):
        values = yaml.safe_load(text)
        place = values
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = float(endless.replace(".", ""))
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
        with pytest.raises(ParamsError, match=str(path[0])):
            load_params(tmp_path / "params.yaml")


def test_the_name_leads_to_the_number(tmp_path):
    values = yaml.safe_load((ROOT / "presets" / "detection.yaml").read_text(encoding="utf-8"))
    values["train"]["optimizer"]["eps"] = float("inf")
    values["train"]["augmentations"].append({"type": "RandomFlip", "prob": [float("nan")]})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ParamsError) as caught:
        load_params(tmp_path / "params.yaml")
    assert "  train.optimizer.eps: expected a finite number; found inf" in str(caught.value)
    assert "train.augmentations[2].prob[0]: expected a finite number; found nan" in str(
        caught.value
    )


def test_values_of_a_search_are_checked_too():
    preset = ROOT / "presets" / "detection.yaml"
    params = load_params(preset)
    with pytest.raises(ParamsError, match=r"train\.optimizer\.eps: expected a finite number"):
        with_values(params, {"train.optimizer": {"type": "SGD", "eps": float("nan")}})
