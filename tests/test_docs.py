"""The documentation: links, commands and layout."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "folds/models/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TASKS = ("detection", "instance", "semantic", "classification")
WIDEST_LINE, LONGEST_CELL = 100, 200


def page_name(page):
    return page.relative_to(ROOT).as_posix()


each_page = pytest.mark.parametrize("page", PAGES, ids=page_name)


def prose_lines(text):
    """Yield the lines that are neither table, code nor heading."""
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith(("    ", "|", "#", "![", "<!--")):
            yield line


def anchors(text):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def has_parameter(values, name):
    """Return whether a dotted name leads to a value of params.yaml."""
    for key in name.split("."):
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def read_yaml(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@each_page
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


@each_page
def test_commands_use_presets_that_exist(page):
    for name in re.findall(r"pseudolabel use ([\w./-]+)", page.read_text(encoding="utf-8")):
        assert (ROOT / "presets" / f"{name}.yaml").exists(), name


@each_page
def test_commands_run_modules_and_tests_that_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"python -m ((?:benchmarks|stages)\.\w+)", text):
        assert (ROOT / f"{name.replace('.', '/')}.py").exists(), name
    for path in re.findall(r"pytest [^\n`]*?(tests/[\w/]+\.py)", text):
        assert (ROOT / path).exists(), path


@each_page
def test_commands_run_stages_that_exist(page):
    for path, name in re.findall(
        r"(\w+/dvc\.yaml)(?::(\w+(?:@\w+)?))?", page.read_text(encoding="utf-8")
    ):
        stages = read_yaml(path)["stages"]
        stage, _, key = name.partition("@")
        assert not name or stage in stages, name
        assert not key or key in stages[stage]["foreach"], name


# The changelog has names of removed parameters, and the architecture adds one as an example.
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in ("CHANGELOG.md", "architecture.md")],
    ids=page_name,
)
def test_parameters_exist_in_at_least_one_task(page):
    presets = [read_yaml(f"presets/{task}.yaml") for task in TASKS]
    sections = {name for preset in presets for name in preset if isinstance(preset[name], dict)}
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(rf"(?:`|-S '?)((?:{'|'.join(sections)})\.\w[\w.]*)", text))
    for name in names:
        assert any(has_parameter(preset, name) for preset in presets), name


@each_page
def test_prose_fits_into_100_columns(page):
    for line in prose_lines(page.read_text(encoding="utf-8")):
        link = re.search(r"\]\([^)]+\)", line)
        assert len(line) <= WIDEST_LINE or link, line


def test_scripts_for_other_teachers_are_short_and_marked_as_not_run():
    sections = (ROOT / "docs/teachers.md").read_text(encoding="utf-8").split("## Scripts")[1]
    scripts = re.findall(r"### (.*?)\n\n(.*?)```python\n(.*?)```", sections, re.DOTALL)
    assert len(scripts) == 4
    for title, text, script in scripts:
        compile(script, title, "exec")
        assert len(script.splitlines()) <= 40
        assert "**Not run here.**" in text
        assert "licence" in text or "MIT" in text or "Apache" in text


@each_page
def test_table_cells_are_short(page):
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            for cell in line.strip("|").split(" | "):
                assert len(cell.strip()) <= LONGEST_CELL, cell
