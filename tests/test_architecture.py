"""The rules of the house: which package may import which, and what each DVC stage depends on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pseudolabel.core.project import LAST_ROUND

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pseudolabel"

# In the order in which the data is made: a package may import those before it.
PACKAGES = [
    "core",
    "params",
    "formats",
    "pages",
    "manifest",
    "raw",
    "splits",
    "models",
    "training",
    "predictions",
    "silver",
    "evaluation",
    "export",
    "audit",
    "review",
    "report",
    "search",
    "cli",
]
GROUND = {"core", "params", "formats"}
# What the packages of the loop may import, beside the ground.
ALLOWED = {
    "core": set(),
    "params": {"core"},
    "formats": {"core"},
    "pages": GROUND,
    "manifest": GROUND,
    "raw": GROUND | {"manifest"},
    "splits": GROUND | {"raw", "pages"},
    "models": GROUND,
    "training": GROUND | {"models"},
    "predictions": GROUND | {"models"},
    "silver": GROUND,
    "evaluation": GROUND | {"predictions"},
    "export": GROUND | {"models", "predictions", "evaluation"},
    "audit": GROUND | {"predictions", "pages"},
    "review": GROUND | {"raw", "predictions"},
    "report": GROUND | {"pages", "silver", "evaluation"},
}
HEAVY = {"torch", "torchvision", "mmcv", "mmdet", "mmengine", "mmseg", "mmpretrain"}
USES_TORCH = {"models", "training", "predictions"}
USES_TORCH_TOO = {"export/onnx.py", "cli/augmentations_page.py"}
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py"))
PIPELINE_FILES = ("dvc.yaml", "rounds/dvc.yaml", "extras/dvc.yaml")
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)
each_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix()
)


def imported_names(path):
    """The names that a file imports: modules, and what it takes from them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_packages(path):
    names = imported_names(path)
    return {name.split(".")[1] for name in names if name.startswith("pseudolabel.")}


def package_of(path):
    return path.relative_to(PACKAGE).parts[0]


@each_module
def test_a_package_imports_only_packages_before_it(path):
    own = package_of(path)
    others = imported_packages(path) - {own}
    assert others <= set(PACKAGES[: PACKAGES.index(own)])
    assert others <= ALLOWED.get(own, set(PACKAGES))
    assert not any(name.startswith("stages") for name in imported_names(path))


def test_every_package_is_listed():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(PACKAGES)


@each_module
def test_few_packages_import_torch(path):
    if package_of(path) in USES_TORCH or path.relative_to(PACKAGE).as_posix() in USES_TORCH_TOO:
        return
    assert not {name.split(".")[0] for name in imported_names(path)} & HEAVY


def test_importing_the_commands_imports_no_torch():
    code = "import sys, pseudolabel.__main__, pseudolabel.silver.filter, pseudolabel.splits.prepare"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@each_module
def test_only_the_decoder_opens_images(path):
    # Label maps are PNGs of class numbers, not images; they are read as they are.
    readers = {"formats/image_decoder.py", "formats/image_header.py"}
    readers |= {"formats/label_maps.py", "raw/label_maps.py"}
    readers |= {"formats/teacher_files/label_maps.py"}
    readers |= {"raw/importers/mask_files.py", "raw/importers/shapes.py"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    opened = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    opened &= {"Image.open", "cv2.imread", "cv2.imdecode", "mmcv.imread", "mmcv.imfrombytes"}
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert "LoadImageFromFile" not in named
    assert not opened or path.relative_to(PACKAGE).as_posix() in readers


@each_module
def test_modules_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, functions) and node.end_lineno - node.lineno >= 50
    }
    assert long == {}


def public_functions():
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield path, node.name


def test_functions_that_only_their_module_uses_begin_with_an_underscore():
    users = [*PACKAGE.rglob("*.py"), *(ROOT / "stages").glob("*.py")]
    users += [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tests").rglob("*.py")]
    imported = set()
    for path in users:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute):
                imported.add(node.attr)
    entry_points = {"main", "read", "add_to", "run"}
    unused = [
        f"{path.relative_to(PACKAGE).as_posix()}: {name}"
        for path, name in public_functions()
        if name not in imported | entry_points
    ]
    assert unused == []


def needed_packages(stage):
    """The packages whose modules a stage imports, directly or through other modules."""
    found, waiting = set(), [ROOT / "stages" / f"{stage}.py"]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in imported_names(path):
            parts = name.split(".")
            if parts[0] == "pseudolabel":
                module = ROOT.joinpath(*parts)
                # Importing a module runs the __init__.py of its package as well.
                candidates = [module.with_suffix(".py"), module / "__init__.py"]
                candidates.append(module.parent / "__init__.py")
                waiting += [file for file in candidates if file.is_file()]
    return {path.relative_to(PACKAGE).parts[0] for path in found if PACKAGE in path.parents} & set(
        PACKAGES
    )


def declared_stages():
    """Every stage's definition by name; round 0 has stages of its own."""
    stages = {}
    for file in PIPELINE_FILES:
        content = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
        stages |= {name: stage.get("do", stage) for name, stage in content["stages"].items()}
    return stages


@pytest.mark.parametrize("name", declared_stages())
def test_a_stage_depends_on_its_script_and_on_the_packages_that_it_runs(name):
    stage = declared_stages()[name]
    script = stage["cmd"].split()[2].removeprefix("stages.")
    assert f"stages/{script}.py" in stage["deps"]
    declared = {dep.split("/")[1] for dep in stage["deps"] if dep.startswith("pseudolabel/")}
    assert declared == needed_packages(script) - {"params"}
    assert all((ROOT / dep).is_dir() for dep in stage["deps"] if dep.startswith("pseudolabel/"))


@pytest.mark.parametrize(
    ("name", "packages"),
    [
        ("train", {"core", "formats", "models", "training"}),
        ("train_teacher", {"core", "formats", "models", "training"}),
        ("pseudo_label", {"core", "formats", "models", "predictions"}),
    ],
)
def test_the_stages_that_take_long_depend_on_few_packages(name, packages):
    deps = declared_stages()[name]["deps"]
    assert {dep.split("/")[1] for dep in deps if dep.startswith("pseudolabel/")} == packages


def test_the_pipeline_files_are_short():
    root = (ROOT / "dvc.yaml").read_text(encoding="utf-8").split("\nplots:")[0]
    assert len(root.splitlines()) < 60
    assert len((ROOT / "rounds/dvc.yaml").read_text(encoding="utf-8").splitlines()) < 200


@pytest.mark.parametrize("stage", STAGES)
def test_stage_scripts_are_thin(stage):
    assert len((ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8").splitlines()) <= 60


def test_the_rounds_are_listed_to_the_last():
    content = yaml.safe_load((ROOT / "rounds/dvc.yaml").read_text(encoding="utf-8"))
    (rounds,) = [item["rounds"] for item in content["vars"] if isinstance(item, dict)]
    assert list(rounds) == [str(number) for number in range(1, LAST_ROUND + 1)]
    assert all(row["last"] == int(number) - 1 for number, row in rounds.items())
