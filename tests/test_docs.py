import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
TABLES = (ROOT / "docs/parameters.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`[^|]+) \| ([^|]*) \|", TABLES, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def keys_of(section):
    return {f"{section}.{key}" for key in PARAMS[section]}


def test_every_parameter_is_documented():
    documented = {name for row in ROWS for name in re.findall(r"`([\w.*]+)`", row[0])}
    top = {key for key, value in PARAMS.items() if not isinstance(value, dict)}
    assert top | keys_of("data") | keys_of("model") | keys_of("prepare") <= documented
    for section in ("train", "pseudo_label", "filter", "evaluate"):
        assert set(PARAMS[section]) <= documented, section


@pytest.mark.parametrize(("names", "default"), ROWS, ids=[row[0] for row in ROWS])
def test_documented_numbers_are_the_defaults(names, default):
    keys = re.findall(r"`([\w.]+)`", names)
    flat = {
        f"{section}.{key}": value
        for section, values in PARAMS.items()
        if isinstance(values, dict)
        for key, value in values.items()
    }
    flat |= {key: value for key, value in PARAMS.items() if not isinstance(value, dict)}
    for key, text in zip(keys, default.split(", "), strict=False):
        # A key without its section stands in the table of its section; some are in two tables.
        values = [value for name, value in flat.items() if name == key or name.endswith(f".{key}")]
        if re.fullmatch(r"[\d.]+", text):
            assert float(text) in [it for it in values if isinstance(it, int | float)], key
        elif text in ("null", "true", "false"):
            assert yaml.safe_load(text) in values, key
