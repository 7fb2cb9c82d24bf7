"""Write docs/parameters.md: `python -m pseudolabel.params.reference`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from pseudolabel.core.files import written_aside
from pseudolabel.params.allowed import describe_field
from pseudolabel.params.keys import PARAMS_BY_TASK, fields_of
from pseudolabel.params.loading import read_yaml
from pseudolabel.params.paragraphs import PARAGRAPHS
from pseudolabel.params.presets import PRESETS
from pseudolabel.params.types import section_of
from pseudolabel.params.yaml_text import first_line, format_value

REFERENCE = Path("docs/parameters.md")
INTRODUCTION = """\
# Parameters

<!-- Written by `python -m pseudolabel.params.reference`: change pseudolabel/params instead. -->

params.yaml has all parameters of one task, each with a comment. To begin with another task, or with
a recipe, write it anew:

    python -m pseudolabel use semantic
    python -m pseudolabel use livestock

The names are those of the files in presets/; the path of your own file works, too. A recipe lists
the parameters that it changes, and the rest comes from the preset of its task. The section `data`
of your params.yaml stays as it is.

Change a value in the file, or for one experiment: `dvc exp run -S filter.score=0.6`. DVC runs a
stage again only if a parameter that it reads has changed. `dvc exp show` and `dvc params diff` list
the values.

Every stage checks the whole file before it starts. Unknown, missing and wrong parameters are all
reported together. A parameter that the task does not have is an unknown one.

In the tables below, a dash means that the task does not have the parameter.
"""
_LONGEST_VALUE = 44
"""Characters of a value that a table shows; presets/<task>.yaml has longer ones."""


def reference(folder: Path = PRESETS) -> str:
    """Return the text of docs/parameters.md.

    Args:
        folder: the folder with the preset of each task.
    """
    values = {task: read_yaml(folder / f"{task}.yaml") for task in PARAMS_BY_TASK}
    fields: dict[str, FieldInfo] = {}
    for kind in PARAMS_BY_TASK.values():
        fields |= {name: field for name, field in fields_of(kind) if name not in fields}
    parts = [INTRODUCTION]
    for section in dict.fromkeys(_section_of(name) for name in fields):
        rows = {name: field for name, field in fields.items() if _section_of(name) == section}
        parts.append("\n".join([f"## {section}", "", *_intro(section), *_table(rows, values), ""]))
        if section in PARAGRAPHS:
            parts.append(PARAGRAPHS[section])
    return "\n".join(parts)


def main() -> None:
    """Write docs/parameters.md."""
    with written_aside(REFERENCE) as aside:
        aside.write_text(reference(), encoding="utf-8")


def _section_of(name: str) -> str:
    section, dot, _ = name.partition(".")
    return section if dot else "general"


def _intro(section: str) -> list[str]:
    """Return what a section is about; the fields outside of sections need no such line."""
    field = PARAMS_BY_TASK["instance"].model_fields.get(section)
    inner = section_of(field.annotation) if field else None
    return [first_line(inner), ""] if inner else []


def _table(rows: Mapping[str, FieldInfo], values: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield f"| parameter | {' | '.join(values)} | allowed | meaning |"
    yield f"| --- | {' | '.join('---' for _ in values)} | --- | --- |"
    for name, field in rows.items():
        cells = [_value_cell(name, task, values[task]) for task in values]
        meaning = cleandoc(field.description or "").removesuffix(".")
        yield f"| `{name}` | {' | '.join(cells)} | {describe_field(field)} | {meaning} |"


def _value_cell(name: str, task: str, values: Mapping[str, Any]) -> str:
    value: Any = values
    for key in name.split("."):
        if key not in value:
            return "-"
        value = value[key]
    text = format_value(value)
    return text if len(text) <= _LONGEST_VALUE else f"see presets/{task}.yaml"


if __name__ == "__main__":
    main()
