"""Presets become params.yaml, validated."""

import shutil
from pathlib import Path

import pytest
import yaml

from pseudolabel.errors import ParamsError
from pseudolabel.params.loading import load_params
from pseudolabel.presets import use

ROOT = Path(__file__).parents[1]
PRESETS = sorted(path.stem for path in (ROOT / "presets").glob("*.yaml"))
OWN = {"root": "my_data", "workers": 3}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose params.yaml names data of one's own."""
    for name in ("configs", "presets"):
        shutil.copytree(ROOT / name, tmp_path / name)
    values = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"data": OWN, "round": 7}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def values_of(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_there_is_a_preset_for_each_of_the_four_projects():
    assert PRESETS == ["default", "livestock", "particles", "products", "recycling"]


def test_what_is_shipped_is_the_default_preset():
    assert values_of(ROOT / "params.yaml") == values_of(ROOT / "presets" / "default.yaml")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_becomes_params_and_leaves_the_data_as_it_is(project, name):
    params = use(Path(f"presets/{name}.yaml"), Path("params.yaml"))
    assert load_params() == params
    assert (str(params.data.root), params.data.workers) == ("my_data", 3)
    said = values_of(project / "presets" / f"{name}.yaml")
    written = values_of(project / "params.yaml")
    shipped = values_of(ROOT / "params.yaml")
    for section, values in shipped.items():
        if not isinstance(values, dict):
            assert written[section] == said.get(section, values)
        elif section != "data":
            assert written[section] == values | said.get(section, {})
    first = (project / "params.yaml").read_text().splitlines()[0]
    assert f"use presets/{name}.yaml" in first


def test_the_next_preset_leaves_nothing_of_the_one_before(project):
    use(Path("presets/products.yaml"), Path("params.yaml"))
    use(Path("presets/default.yaml"), Path("params.yaml"))
    shipped = values_of(ROOT / "params.yaml") | {"data": OWN}
    assert values_of(project / "params.yaml") == shipped


FAULTS = [
    ("tasks: detection", "found none named tasks"),
    ("train: {iteration: 3}\nfilter: {scores: 1}", "found none named train.iteration, filter.scor"),
    ("train: {iterations: 0}", "train.iterations: Input should be greater than or equal to 1"),
    ("train: [", "expected YAML"),
    ("- 3", "expected sections, found list"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_a_faulty_preset_is_told_and_changes_nothing(project, text, message):
    (project / "mine.yaml").write_text(text)
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(ParamsError, match=message):
        use(Path("mine.yaml"), Path("params.yaml"))
    assert (project / "params.yaml").read_bytes() == before


def test_a_preset_runs_no_code(project):
    (project / "mine.yaml").write_text("seed: !!python/object/apply:os.getpid []")
    with pytest.raises(ParamsError):
        use(Path("mine.yaml"), Path("params.yaml"))
