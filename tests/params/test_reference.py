"""docs/parameters.md and the descriptions that it is made of."""

import pytest

from pseudolabel.params.allowed import describe_field
from pseudolabel.params.keys import PARAMS_BY_TASK, fields_of, keys_of
from pseudolabel.params.paragraphs import PARAGRAPHS
from pseudolabel.params.reference import reference
from pseudolabel.params.types import section_of
from pseudolabel.params.yaml_text import first_line
from tests.params.conftest import PRESETS, ROOT, TASKS


def test_the_reference_is_fresh():
    text = (ROOT / "docs/parameters.md").read_text(encoding="utf-8")
    assert text == reference(ROOT / "presets"), "run `python -m pseudolabel.params.reference`"


def rows():
    for line in reference(ROOT / "presets").splitlines():
        if line.startswith("| `"):
            name, *cells = (cell.strip() for cell in line.strip("| ").split(" | "))
            yield name.strip("`"), cells


def test_the_reference_has_every_parameter_once():
    names = [name for name, _ in rows()]
    assert len(names) == len(set(names))
    assert set(names) == set().union(*map(keys_of, TASKS))


def test_cells_are_short_and_a_dash_means_that_the_task_has_no_such_parameter():
    for name, cells in rows():
        assert len(cells) == len(TASKS) + 2
        assert max(map(len, cells)) <= 200
        for task, cell in zip(TASKS, cells[: len(TASKS)], strict=True):
            assert (cell == "-") == (name not in keys_of(task))


def test_lines_of_prose_are_short():
    for line in reference(ROOT / "presets").splitlines():
        assert line.startswith("|") or len(line) <= 100, line


def test_paragraphs_belong_to_sections():
    assert PARAGRAPHS.keys() <= {"general", *PRESETS["instance"]}


@pytest.mark.parametrize("task", TASKS)
def test_every_parameter_has_a_meaning_and_says_what_it_may_be(task):
    for name, field in fields_of(PARAMS_BY_TASK[task]):
        assert field.description, name
        assert field.description.endswith("."), name
        assert describe_field(field), name


@pytest.mark.parametrize("task", TASKS)
def test_every_section_says_what_it_is_about(task):
    for field in PARAMS_BY_TASK[task].model_fields.values():
        inner = section_of(field.annotation)
        assert inner is None or first_line(inner).endswith(".")
