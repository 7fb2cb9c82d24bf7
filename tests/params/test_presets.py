"""Presets become params.yaml, validated."""

import shutil
from argparse import Namespace

import pytest
import yaml

from pseudolabel.cli.use import run
from pseudolabel.core.errors import ParamsError
from pseudolabel.params.keys import keys_in, keys_of
from pseudolabel.params.loading import PARAMS_BY_TASK, load_params, read_yaml
from pseudolabel.params.presets import preset_values, use
from pseudolabel.params.yaml_text import render
from tests.builders import pseudolabel
from tests.params.conftest import PRESETS, ROOT, TASKS

RECIPES = ("livestock", "particles", "products", "recycling")
SAMPLES = tuple(f"sample_{task}" for task in TASKS)
OWN = {"root": "my_data", "workers": 3, "cache_gb": 9.5}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose params.yaml names data of one's own."""
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    values = read_yaml(ROOT / "params.yaml") | {"data": OWN, "round": 7}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_two_presets_per_task_and_a_recipe_per_project():
    names = sorted(path.stem for path in (ROOT / "presets").glob("*.yaml"))
    assert names == sorted([*TASKS, *SAMPLES, *RECIPES])


def test_the_shipped_params_are_those_of_the_sample_of_detection(tmp_path):
    use("sample_detection", tmp_path / "params.yaml", ROOT / "presets")
    assert (ROOT / "params.yaml").read_bytes() == (tmp_path / "params.yaml").read_bytes()


@pytest.mark.parametrize("task", TASKS)
def test_a_sample_has_a_small_model_from_random_weights(task):
    model = preset_values(ROOT / "presets" / f"sample_{task}.yaml", ROOT / "presets")["model"]
    assert "small" in model["config"]
    assert model["weights"] in ("champion", None)
    assert "lite0" in PRESETS[task]["model"]["config"]


@pytest.mark.parametrize("task", TASKS)
def test_the_preset_of_a_task_is_valid_and_has_exactly_its_keys(task):
    path = ROOT / "presets" / f"{task}.yaml"
    assert load_params(path).task == task
    assert next(iter(PRESETS[task])) == "task"
    assert keys_in(PRESETS[task], PARAMS_BY_TASK[task]) == keys_of(task)


@pytest.mark.parametrize("task", TASKS)
def test_every_key_of_a_preset_has_its_comment(task):
    path = ROOT / "presets" / f"{task}.yaml"
    text = path.read_text(encoding="utf-8")
    assert text == render(PRESETS[task], task), "run the preset through layout.render again"
    assert max(map(len, text.splitlines())) <= 100
    lines = text.splitlines()
    names = {key.rpartition(".")[2] for key in keys_of(task)}
    sections = {key.rpartition(".")[0].rpartition(".")[2] for key in keys_of(task)}
    for number, line in enumerate(lines):
        key = line.partition(":")[0].strip()
        if key not in names or (key in sections and line.endswith(":")):
            continue
        assert "  # " in line or lines[number - 1].strip().startswith("# "), line


@pytest.mark.parametrize("task", TASKS)
def test_both_versions_of_yaml_read_the_same(task):
    text = (ROOT / "presets" / f"{task}.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == PRESETS[task]


@pytest.mark.parametrize(
    "value",
    ["off", "yes", "1e-4", "010", "12:30", "null", "~", "", " x", "a: b", "- a", "#", "é'\""],
)
def test_text_stays_text(tmp_path, value):
    values = PRESETS["detection"] | {"model": PRESETS["detection"]["model"] | {"config": value}}
    path = tmp_path / "params.yaml"
    path.write_text(render(values, "detection"), encoding="utf-8")
    assert read_yaml(path) == values


@pytest.mark.parametrize("value", [1e-05, 1e-300, 0.1, 1, 1.0, 2.5e20])
def test_numbers_stay_numbers(tmp_path, value):
    section = PRESETS["detection"]["train"] | {"learning_rate": value}
    path = tmp_path / "params.yaml"
    path.write_text(render(PRESETS["detection"] | {"train": section}, "detection"))
    for values in (read_yaml(path), yaml.safe_load(path.read_text())):
        assert values["train"]["learning_rate"] == value
        assert type(values["train"]["learning_rate"]) is type(value)


@pytest.mark.parametrize("name", [*TASKS, *SAMPLES, *RECIPES])
def test_a_preset_becomes_params_and_leaves_the_data_as_it_is(project, name):
    params = use(name).params
    assert load_params() == params
    assert (str(params.data.root), params.data.workers) == ("my_data", 3)
    changes = read_yaml(project / "presets" / f"{name}.yaml")
    written = read_yaml(project / "params.yaml")
    for section, values in PRESETS[params.task].items():
        if not isinstance(values, dict):
            assert written[section] == changes.get(section, values)
        elif section != "data":
            assert written[section] == values | changes.get(section, {})
    text = (project / "params.yaml").read_text()
    assert f"use {name}`" in text.splitlines()[0]
    assert "# Optimizer steps per round (a whole number from 1)" in text


def test_the_preset_of_a_task_without_own_data_is_the_file_itself(project):
    (project / "params.yaml").unlink()
    assert use("semantic").changes == ()
    assert (project / "params.yaml").read_bytes() == (
        project / "presets/semantic.yaml"
    ).read_bytes()


def test_the_next_preset_leaves_nothing_of_the_one_before(project):
    use("products")
    use("detection")
    assert read_yaml(project / "params.yaml") == PRESETS["detection"] | {"data": OWN}


@pytest.mark.parametrize("text", ["data: {root: x, workers: -1}", "data: 3", "seed: [", "- 1", ""])
def test_the_data_of_a_broken_file_is_not_kept(project, text):
    (project / "params.yaml").write_text(text)
    use("instance")
    assert read_yaml(project / "params.yaml") == PRESETS["instance"]


def test_the_changes_of_a_recipe_are_listed(project):
    (project / "mine.yaml").write_text(
        "task: detection\nround: 1\ntrain: {iterations: 800, batch_size: 4}\n"
        "filter: {auto: {aim: precision, at: 0.8}}\n"
    )
    used = use("mine.yaml")
    assert used.changes == (
        "round: 2 -> 1",
        "train.batch_size: 8 -> 4",
        "filter.auto.aim: f1 -> precision",
        "filter.auto.at: null -> 0.8",
    )
    assert used.params.filter.auto.at == 0.8


def test_a_recipe_may_change_part_of_an_inner_section(project):
    (project / "mine.yaml").write_text("task: semantic\ntrain: {launcher: {processes: 2}}")
    launcher = use("./mine.yaml").params.train.launcher
    assert (launcher.processes, launcher.machines) == (2, 1)


FAULTS = [
    ("train: {iterations: 3}", "task: expected one of detection, instance, semantic, "),
    ("task: pose", "semantic, classification; found 'pose'"),
    (
        "task: detection\ntrain: {iteration: 3}\nfilter: {scores: 1, nms_iou: 2}",
        "mine.yaml has 3 faults:\n",
    ),
    (
        "task: detection\nfilter: {scores: 1}",
        "filter.scores: unknown parameter; did you mean filter.score?",
    ),
    (
        "task: semantic\nfilter: {hide_score: 0.1}",
        "unknown parameter of semantic; only detection",
    ),
    ("task: detection\ntrain: 3", "train: expected a section with parameters; found 3"),
    ("task: detection\ntrain: {iterations: 0}", "train.iterations: expected a whole number from 1"),
    ("train: [", "not valid YAML"),
    ("- 3", "expected sections, found a list"),
    ("seed: !!python/object/apply:os.getpid []", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_a_faulty_preset_is_reported_and_changes_nothing(project, text, message):
    (project / "mine.yaml").write_text(text)
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(ParamsError) as caught:
        use("mine.yaml")
    assert message in str(caught.value)
    assert (project / "params.yaml").read_bytes() == before


@pytest.mark.usefixtures("project")
def test_an_unknown_preset_names_the_nearest_and_all():
    with pytest.raises(ParamsError) as caught:
        use("livestok")
    assert str(caught.value) == (
        "preset: expected one of classification, detection, instance, livestock, particles, "
        "products, recycling, sample_classification, sample_detection, sample_instance, "
        "sample_semantic, semantic, or the path of a file; found 'livestok'; did you mean "
        "livestock?"
    )
    with pytest.raises(ParamsError, match="expected a readable file"):
        use("my/preset.yaml")


@pytest.mark.usefixtures("project")
def test_the_command_prints_what_was_written(capsys):
    assert run(Namespace(preset="livestock")) == 0
    first, second, *lines = capsys.readouterr().out.splitlines()
    assert first == (
        "params.yaml: detection, mmdet::yolox/yolox_s_8xb8-300e_coco.py, 15000 iterations"
    )
    assert second == "different from presets/detection.yaml:"
    assert "  train.iterations: 800 -> 15000" in lines
    assert run(Namespace(preset="semantic")) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_command_refuses_an_unknown_preset():
    status, output, messages = pseudolabel("use", "semantics")
    assert (status, output) == (1, "")
    assert messages.startswith("error: preset: expected one of")
    assert "did you mean semantic?" in messages
