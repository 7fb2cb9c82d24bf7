"""Training refuses images of splits that models are measured on."""

import json
import shutil

import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.training.train import train
from tests.conftest import tiny_params
from tests.leaks import copy_with_image_of, record_as_trained_on


def test_initial_weights_that_were_trained_on_val_are_an_error(root, prepared, model, tmp_path):
    shutil.copytree(model, tmp_path / "initial")
    weights = str(tmp_path / "initial" / "weights.pth")
    params = tiny_params(root, model={"weights": weights})
    train(prepared, prepared, tmp_path / "model", params)
    new, initial = (
        set(json.loads((tmp_path / name / "training.json").read_text())["images"])
        for name in ("model", "initial")
    )
    assert new == initial
    record_as_trained_on("val", prepared, tmp_path / "initial")
    expected = "model.weights .*: expected a model that was not trained on val"
    with pytest.raises(DataError, match=expected):
        train(prepared, prepared, tmp_path / "again", params)


@pytest.mark.parametrize("split", ["val", "test"])
def test_an_image_of_val_or_test_in_gold_is_an_error(root, prepared, tmp_path, split):
    image = copy_with_image_of(split, prepared, tmp_path / "data")
    with pytest.raises(DataError) as caught:
        train(tmp_path / "data", prepared, tmp_path / "model", tiny_params(root))
    (fault,) = caught.value.faults
    record = f"image {image['file_name']!r}"
    assert (fault.file, fault.record) == ("gold (training data)", record)
    expected = f"an image that is not in {split}"
    assert (fault.expected, fault.found) == (expected, "the same image")
    assert not (tmp_path / "model").exists()


def test_a_renamed_copy_of_a_test_image_in_gold_is_an_error(root, prepared, tmp_path):
    data = tmp_path / "data"
    image = copy_with_image_of("test", prepared, data)
    path = data / "gold" / "coco.json"
    path.write_text(path.read_text().replace(image["file_name"], "renamed.png"))
    with pytest.raises(DataError, match=f"found a copy of '{image['file_name']}'"):
        train(data, prepared, tmp_path / "model", tiny_params(root))


@pytest.mark.parametrize("transductive", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_silver_on_test_images_is_allowed_only_if_transductive(
    root, prepared, tmp_path, transductive
):
    merged = tmp_path / "merged"
    shutil.copytree(prepared / "gold", merged / "gold")
    shutil.copytree(prepared / "test", merged / "silver")
    params = tiny_params(root, prepare={"transductive": transductive})
    if transductive:
        train(merged, prepared, tmp_path / "model", params)
        assert (tmp_path / "model" / "weights.pth").exists()
        return
    with pytest.raises(DataError, match=r"silver \(training data\)"):
        train(merged, prepared, tmp_path / "model", params)


def test_silver_on_val_images_is_an_error_even_if_transductive(root, prepared, tmp_path):
    merged = tmp_path / "merged"
    shutil.copytree(prepared / "gold", merged / "gold")
    shutil.copytree(prepared / "val", merged / "silver")
    params = tiny_params(root, prepare={"transductive": True})
    with pytest.raises(DataError, match="expected an image that is not in val"):
        train(merged, prepared, tmp_path / "model", params)
