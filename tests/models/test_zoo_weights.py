"""Whole models from a zoo, offered by a real server on this machine."""

import functools
import hashlib
import http.server
import json
import threading
from pathlib import Path

import pytest
import torch

from pseudolabel.core.errors import ModelError
from pseudolabel.core.per_round import in_round
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models import config_files, zoo_weights
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.models.configs import build_model
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.models.zoo_weights import zoo_file, zoo_url
from pseudolabel.training.train import train
from tests.conftest import tiny_params

TINY = "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py"
FROZEN = {"learning_rate": 1e-9, "iterations": 1, "warmup_iterations": 0}
FROZEN |= {"ema_momentum": None, "optimizer": {"type": "SGD"}}
KERNEL = "backbone.stem.0.conv.weight"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder that a server offers, and its address; downloads get a folder of their own."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *_args: None
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "downloads"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def offer(folder, weights):
    """Write weights under a name that ends with their hash; return the name."""
    save_weights(folder / "weights.pth", weights)
    digest = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()
    name = f"model-{digest[:8]}.pth"
    (folder / "weights.pth").rename(folder / name)
    return name


@pytest.fixture
def zoo(root, prepared, served, tmp_path, monkeypatch):
    """Parameters of a config in a zoo of its own, and the checkpoint that the zoo offers."""
    folder, address = served
    params = in_round(tiny_params(root, train=FROZEN), 0)
    model = build_model(params, SplitFolder(prepared / "gold").read().categories)
    name = offer(folder, model.state_dict())
    own = tmp_path / "zoo" / "tiny"
    own.mkdir(parents=True)
    config = Path(params.model.config).read_text(encoding="utf-8")
    (own / "tiny.py").write_text(config, encoding="utf-8")
    lines = f"Models:\n- Config: configs/tiny/tiny.py\n  Weights: {address}/{name}\n"
    (own / "metafile.yml").write_text(lines)
    for module in (config_files, zoo_weights):
        monkeypatch.setattr(module, "zoo_folder", lambda _scope: tmp_path / "zoo")
    section = params.model.model_copy(update={"config": "mmdet::tiny/tiny.py", "weights": "zoo"})
    return params.model_copy(update={"model": section}), folder / name


def test_a_training_starts_from_the_model_of_the_zoo(zoo, prepared, tmp_path):
    params, file = zoo
    train(prepared, prepared, tmp_path / "model", params)
    offered, found = (load_weights(path) for path in (file, tmp_path / "model" / "weights.pth"))
    assert all(torch.allclose(offered[name], found[name], atol=1e-5) for name in (KERNEL,))
    record = json.loads((tmp_path / "model" / "training.json").read_text())
    assert record["initial_weights"].endswith(file.name)
    assert record["pretrained"] is True
    assert record["unknown_origin"] is False


def test_another_file_under_the_same_name_is_refused(served):
    folder, address = served
    (folder / "model-0123abcd.pth").write_bytes(b"something else")
    url = f"{address}/model-0123abcd.pth"
    with pytest.raises(ModelError, match="SHA-256 begins with 0123abcd, found .*: remove it"):
        zoo_file(url)


def test_an_address_without_an_answer_is_an_error_that_names_it(served):
    _, address = served
    with pytest.raises(ModelError, match=f"{address}/none.pth: .*404"):
        zoo_file(f"{address}/none.pth")


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        (TINY, "mmdet"),
        ("mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py", "mmseg"),
        ("mmpretrain::resnet/resnet18_8xb32_in1k.py", "mmpretrain"),
    ],
)
def test_the_zoos_name_a_checkpoint_of_each_config(name, scope):
    url = zoo_url(name, scope)
    assert url.startswith("https://")
    assert url.endswith(".pth")
    stem = name.rsplit("/", 1)[1].split("_")[0]
    assert stem in url


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("configs/detection/rtmdet_small.py", "zoo needs a config of the zoo"),
        ("mmdet::_base_/models/faster-rcnn_r50_fpn.py", "the zoo has no checkpoint"),
        ("mmdet::no/such.py", "expected a zoo name"),
    ],
)
def test_a_config_without_a_checkpoint_is_an_error(root, name, message):
    params = in_round(tiny_params(root, model={"config": name, "weights": "zoo"}), 0)
    with pytest.raises(ModelError, match=message):
        InitialWeights.from_params(params)
