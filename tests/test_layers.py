"""The rules of the house: who may import whom, and what each DVC stage depends on."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pseudolabel"

# Imports run downward only; a module may import those of its own layer.
LAYERS = [
    {"errors", "records"},
    {"boxes", "masks", "model_folder", "pairs", "params", "files", "temperature"},
    {"formats"},
    {"filters", "merge", "split", "metrics", "compare", "history", "sample", "silver", "alarms"}
    | {"datasets", "distributions", "folds", "leaks", "votes", "quality", "stability", "tuning"}
    | {"pool", "silver_record", "studies"},
    {"drawing", "pages", "imports", "mending", "exports"},
    {"tasks", "data_report", "audit"},
    {"prepare", "experiments", "presets"},
    {"engines"},
    {"commands", "__main__"},
]
HEAVY = {"torch", "torchvision", "mmcv", "mmdet", "mmengine", "mmseg", "mmpretrain"}
TASKS = ("detection", "instance", "semantic", "classification")
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("*.py"))


def imported(path):
    """Names that a file imports, both of modules and of what is taken from them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own_files(path):
    """Files of this project that a file imports directly."""
    names = imported(path)
    candidates = [ROOT / (name.replace(".", "/") + ".py") for name in names]
    # A package that holds more than its docstring counts as a module.
    candidates += [ROOT / name.replace(".", "/") / "__init__.py" for name in names]
    return {it for it in candidates if it.is_file() and imported(it)}


def layer_of(module):
    name = module.split(".")[1]
    return next(number for number, names in enumerate(LAYERS) if name in names)


MODULES = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downward(path):
    own = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    names = {name for name in imported(path) if name.startswith("pseudolabel.")}
    assert all(layer_of(name) <= own for name in names)
    assert not any(name.startswith("stages") for name in imported(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_engines_import_torch(path):
    if "engines" not in path.parts:
        assert not {name.split(".")[0] for name in imported(path)} & HEAVY


def test_importing_the_package_imports_no_torch():
    code = (
        "import sys, pseudolabel, pseudolabel.silver, pseudolabel.compare, pseudolabel.__main__; "
    )
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def needed_by(stage):
    """The stage's script and every module of ours that it runs, imported or started."""
    found, waiting = set(), [ROOT / "stages" / f"{stage}.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += own_files(path)
            text = path.read_text(encoding="utf-8")
            if "pseudolabel.engines.worker" in text:
                waiting.append(PACKAGE / "engines" / "worker.py")
            if "import_module" in text and path.name == "adapter.py":
                waiting += [PACKAGE / "engines" / "adapters" / f"{task}.py" for task in TASKS]
    names = {path.relative_to(ROOT).as_posix() for path in found}
    # Of the adapters, a stage depends on that of its task alone.
    return {re.sub(rf"(engines/adapters)/({'|'.join(TASKS)})", r"\1/${task}", it) for it in names}


def declared(stage):
    files = [f"{it}/dvc.yaml" for it in ("data", "rounds", "folds", "export", "final", "tune")]
    for file in ("dvc.yaml", *files):
        stages = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["stages"]
        if stage in stages:
            return stages[stage].get("do", stages[stage])
    raise AssertionError(stage)


@pytest.mark.parametrize("stage", [it for it in STAGES if it not in ("__init__", "arguments")])
def test_a_stage_depends_on_exactly_the_code_it_runs(stage):
    code = {dep for dep in declared(stage)["deps"] if dep.endswith(".py")}
    assert code == needed_by(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_stage_scripts_are_thin(stage):
    assert len((ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8").splitlines()) <= 60


def test_the_rounds_are_unrolled_to_the_last():
    stages = yaml.safe_load((ROOT / "rounds" / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    later = [str(number) for number in range(1, 10)]
    for name in ("train", "evaluate"):
        assert list(stages[name]["foreach"]) == ["0", *later]
    for name in ("pseudo_label", "filter", "merge"):
        assert list(stages[name]["foreach"]) == later
