"""YAML of other tools, within the limits of params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pseudolabel.core.nested_values import (
    MOST_YAML_BYTES,
    describe_excess,
    has_many_open_brackets,
)
from pseudolabel.core.regular_files import read_utf8


def read_yaml(path: Path) -> Any:
    """Return the value of a YAML file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not in UTF-8, is not valid YAML, or has too much in it.
    """
    text = read_utf8(path)
    if len(text) > MOST_YAML_BYTES:
        raise ValueError(f"{len(text):,} characters; at most {MOST_YAML_BYTES:,} can be read")
    if has_many_open_brackets(text):
        raise ValueError("too many levels")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    except RecursionError as error:
        raise ValueError("too many levels") from error
    excess = describe_excess(value)
    if excess is not None:
        raise ValueError(f"more than can be read ({excess})")
    return value
