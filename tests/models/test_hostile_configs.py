"""Configs from elsewhere are data: names of registries, checked before anything is built."""

import json
import shutil

import pytest
from mmengine.registry import MODELS

from pseudolabel.core.errors import DataError, ModelError
from pseudolabel.models.configs import model_config, read_config
from pseudolabel.models.trained import read_trained_config
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.training.augmentations import check_names
from pseudolabel.training.optimizers import optimizer_wrapper
from tests.conftest import ROOT, tiny_params

RUN = "__import__('os').system('touch ran')"
SMALL = "configs/detection/rtmdet_small.py"


@pytest.fixture
def folder(model, tmp_path):
    shutil.copytree(model, tmp_path / "model")
    return tmp_path / "model"


def changed(folder, path, value):
    """Set a value of config.json, by its key path."""
    content = json.loads((folder / "config.json").read_text())
    place = content
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
    place[path[-1]] = value
    (folder / "config.json").write_text(json.dumps(content))


POPEN = {"type": "subprocess.Popen", "args": ["touch", "ran"]}
HOSTILE = {
    "Popen": (("model",), POPEN, "model.type"),
    "Popen inside": (("model", "backbone", "norm_cfg"), POPEN, "model.backbone.norm_cfg.type"),
    "in a list": (("model", "neck"), [{"type": "ReLU"}, POPEN], "model.neck.1.type"),
    "a class that can be imported": (
        ("model", "backbone", "type"),
        "mmdet.models.backbones.CSPNeXt",
        "model.backbone.type",
    ),
    "a type that is no text": (("model", "backbone", "type"), ["os"], "model.backbone.type"),
    "a hook": (("model", "neck", "type"), "CheckpointHook", "model.neck.type"),
    "a data set": (("model", "neck", "type"), "CocoDataset", "model.neck.type"),
    "a runner": (("model", "type"), "Runner", "model.type"),
    "code as the kind of NMS": (("model", "test_cfg", "nms", "type"), RUN, "test_cfg.nms.type"),
    "a scope": (("model", "backbone", "_scope_"), "os", "model.backbone._scope_"),
    "imports": (("custom_imports",), {"imports": ["evil"]}, "the keys categories"),
    "imports inside": (("model", "custom_imports"), {"imports": ["evil"]}, "model: expected"),
    "a base": (("_base_",), "/tmp/evil.py", "the keys categories"),
    "a base inside": (("model", "_base_"), "/tmp/evil.py", "model: expected"),
    "deletion": (("model", "backbone", "_delete_"), True, "model.backbone: expected"),
    "substitution": (("model", "backbone", "arch"), "{{$HOME:}}", "model.backbone.arch"),
    "weights": (
        ("model", "init_cfg"),
        {"type": "Pretrained", "checkpoint": "evil.pth"},
        "init_cfg",
    ),
    "a teacher": (("model", "teacher_config"), "x.py", "model.teacher_config"),
    "a URL": (("model", "backbone", "init_cfg"), {"checkpoint": "http://x.invalid/w"}, "init_cfg"),
    "another task": (("task",), "cleaning", "task: expected detection"),
    "an image size": (("image_size",), [0, 10], "image_size"),
    "classes": (("categories",), [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], "categories"),
}


@pytest.mark.parametrize(("path", "value", "named"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_model_folder_is_refused_before_anything_is_built(
    folder, tmp_path, monkeypatch, path, value, named
):
    def build(*_, **__):
        raise AssertionError("something was built")

    monkeypatch.setattr(MODELS, "build", build)
    changed(folder, path, value)
    with pytest.raises(DataError, match=r"model/config\.json: .*expected .*, found ") as caught:
        TrainedModels([folder], tmp_path, tiny_params(tmp_path).evaluate)
    assert named in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 5000, '{"model": 1}', "{{$HOME:}}"])
def test_a_config_that_is_no_config_is_named(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json"):
        read_trained_config(folder)


def test_deep_configs_are_refused(folder):
    deep = {}
    for _ in range(300):
        deep = {"a": deep}
    changed(folder, ("model", "backbone"), deep)
    with pytest.raises(DataError, match="levels"):
        read_trained_config(folder)


def test_a_config_and_weights_that_do_not_fit_are_one_line(folder, tmp_path):
    changed(folder, ("model", "bbox_head", "num_classes"), 7)
    with pytest.raises(ModelError, match="a config and weights that fit together") as caught:
        TrainedModels([folder], tmp_path, tiny_params(tmp_path).evaluate)
    assert "\n" not in str(caught.value)


def write_evil(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{RUN}\nmodel = dict(type='RTMDet')\n")
    return path


def test_a_python_config_elsewhere_is_not_run(tmp_path):
    write_evil(tmp_path / "elsewhere" / "evil.py")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "link.py").symlink_to(tmp_path / "elsewhere" / "evil.py")
    zoo = "mmdet::" + "../" * 40 + str(tmp_path / "elsewhere" / "evil.py").lstrip("/")
    (tmp_path / "configs" / "based.py").write_text("_base_ = '../elsewhere/evil.py'\n")
    (tmp_path / "configs" / "zoo.py").write_text(f"_base_ = {zoo!r}\n")
    names = ["elsewhere/evil.py", "configs/../elsewhere/evil.py", "configs/link.py", zoo]
    for name in [*names, "configs/based.py", "configs/zoo.py"]:
        with pytest.raises(ModelError, match=r"model\.config .*"):
            read_config(name, "mmdet")
    assert not (tmp_path / "ran").exists()


def test_a_config_of_the_project_may_be_based_on_the_zoo(tmp_path):
    (tmp_path / "configs").mkdir()
    base = "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py"
    (tmp_path / "configs" / "own.py").write_text(f"_base_ = {base!r}\n")
    assert read_config("configs/own.py", "mmdet").model.type == "RTMDet"
    assert read_config(str(ROOT / SMALL), "mmdet").model.type == "RTMDet"


def test_names_of_a_python_config_are_those_of_registries(root, tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "own.py").write_text(
        f"_base_ = {str(ROOT / SMALL)!r}\nmodel = dict(neck=dict(type='subprocess.Popen'))\n"
    )
    with pytest.raises(DataError, match=r"own\.py: model\.neck\.type: expected a name"):
        model_config(tiny_params(root, model={"config": "configs/own.py"}), [])


@pytest.mark.parametrize(
    "optimizer",
    [
        {"type": "os.system"},
        {"type": "subprocess.Popen"},
        {"type": "torch.optim.SGD"},
        {"type": "SGD", "_scope_": "os"},
    ],
)
def test_an_optimizer_is_a_registered_name(root, optimizer):
    params = tiny_params(root, train={"optimizer": optimizer})
    with pytest.raises(ModelError, match=r"train\.optimizer: expected"):
        optimizer_wrapper(params)


@pytest.mark.parametrize(
    "augmentation",
    [
        {"type": "os.system", "command": "touch ran"},
        {"type": "RandomApply", "transforms": [{"type": "subprocess.Popen", "args": "touch"}]},
        {"type": "RandomFlip", "prob": 0.5, "_scope_": "os"},
        {"type": "Resize", "scale": RUN},
        {"type": "albumentations.os.system"},
        {"type": "albumentations.OneOf", "transforms": [{"type": "load"}]},
        {"type": "mmdet.datasets.transforms.RandomFlip"},
    ],
)
def test_an_augmentation_is_a_registered_name(root, tmp_path, augmentation):
    params = tiny_params(root, train={"augmentations": [augmentation]})
    with pytest.raises(ModelError, match=r"train\.augmentations:\n"):
        check_names(params)
    assert not (tmp_path / "ran").exists()
