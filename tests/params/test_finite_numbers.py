"""Infinite and huge numbers and NaN are refused, also inside of free values."""

import copy
import math
import re

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import ParamsError
from pseudolabel.params.loading import PARAMS_BY_TASK, load_params, validate, with_values
from tests.conftest import ROOT
from tests.params.conftest import PRESETS
from tests.params.test_input import message_of

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
def test_no_number_of_a_preset_may_be_endless(task, endless):
    for path in numbers(PRESETS[task]):
        values = with_number(task, path, float(endless.replace(".", "")))
        with pytest.raises(ParamsError, match=str(path[0])):
            validate(values, "params.yaml")


@pytest.mark.parametrize("endless", ENDLESS)
def test_an_endless_number_in_a_file_is_a_fault(tmp_path, endless):
    text = (ROOT / "presets" / "detection.yaml").read_text(encoding="utf-8")
    changed = text.replace("  learning_rate: 0.006", f"  learning_rate: {endless}")
    assert changed != text
    (tmp_path / "params.yaml").write_text(changed)
    with pytest.raises(ParamsError, match=r"train\.learning_rate: expected a number from"):
        load_params(tmp_path / "params.yaml")


def test_the_name_leads_to_the_number(tmp_path):
    values = yaml.safe_load((ROOT / "presets" / "detection.yaml").read_text(encoding="utf-8"))
    values["train"]["optimizer"]["eps"] = float("inf")
    values["train"]["augmentations"].append({"type": "RandomFlip", "prob": [float("nan")]})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ParamsError) as caught:
        load_params(tmp_path / "params.yaml")
    assert "  train.optimizer.eps: expected a finite number; found inf" in str(caught.value)
    assert "train.augmentations[3].prob[0]: expected a finite number; found nan" in str(
        caught.value
    )


def test_values_of_a_search_are_checked_too():
    preset = ROOT / "presets" / "detection.yaml"
    params = load_params(preset)
    with pytest.raises(ParamsError, match=r"train\.optimizer\.eps: expected a finite number"):
        with_values(params, {"train.optimizer": {"type": "SGD", "eps": float("nan")}})


HUGE = [1e300, -1e300, 3.5e38, 1e38, 2**31, 10**30, -(2**63)]
"""Finite, but too large for float32, or for the whole numbers of the packages."""


def with_number(task, path, value):
    values = copy.deepcopy(PRESETS[task])
    place = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return values


@pytest.mark.parametrize("task", PARAMS_BY_TASK)
@pytest.mark.parametrize("value", HUGE, ids=map(str, range(len(HUGE))))
def test_no_number_but_a_seed_may_be_huge(task, value):
    for path in numbers(PRESETS[task]):
        if path[-1] == "seed" and 0 <= value < 2**32:
            continue
        with pytest.raises(ParamsError, match=str(path[0])) as caught:
            validate(with_number(task, path, value), "params.yaml")
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("task", PARAMS_BY_TASK)
@settings(max_examples=300)
@given(data=st.data())
def test_an_accepted_number_fits_into_32_bits(task, data):
    path = data.draw(st.sampled_from(list(numbers(PRESETS[task]))))
    value = data.draw(st.one_of(st.floats(), st.integers()))
    text = message_of(with_number(task, path, value))
    assert not text or str(path[0]) in text
    if not text:
        assert math.isfinite(np.float32(value))
        assert abs(value) < 2**32
        assert path[-1] != "learning_rate" or np.float32(value) > 0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("learning_rate", 1e300, "a number from 1e-12 to 1000"),
        ("learning_rate", 1e-320, "a number from 1e-12 to 1000"),
        ("gradient_clip", 1e300, "a number from 1e-06 to 1000000"),
        ("batch_size", 10**9, "a whole number from 1 to 65536"),
        ("snapshots", 800, "below iterations (800)"),
        ("iterations", 10**12, "a number from -2147483647 to 2147483647"),
    ],
)
def test_the_message_names_the_bounds(name, value, expected):
    with pytest.raises(ParamsError, match=re.escape(f"train.{name}: expected {expected}")):
        validate(with_number("detection", ("train", name), value), "params.yaml")


def test_a_huge_number_of_a_free_value_has_a_name():
    values = with_number(
        "detection", ("train", "optimizer"), {"type": "AdamW", "weight_decay": 1e300}
    )
    with pytest.raises(
        ParamsError, match=r"train\.optimizer\.weight_decay: expected a number from"
    ):
        validate(values, "params.yaml")


def test_an_alpha_that_gives_no_numbers_is_refused():
    values = with_number("classification", ("train", "mixup"), 1e-320)
    with pytest.raises(ParamsError, match=r"train\.mixup: expected 0, or at least 0\.001"):
        validate(values, "params.yaml")
