"""The record of a training is part of the file of weights."""

import json
import shutil
import zipfile

import pytest
import torch

from pseudolabel.core.errors import DataError, ModelError
from pseudolabel.core.files import hash_file, write_json
from pseudolabel.core.per_round import in_round
from pseudolabel.evaluation.compare import compare
from pseudolabel.evaluation.evaluate import evaluate
from pseudolabel.formats.model_folder import images_seen, weights_record
from pseudolabel.formats.weights_record import add_record, read_record
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.predictions.teachers import teacher_folders
from pseudolabel.training.train import train
from tests.conftest import tiny_params
from tests.leaks import first_image

RECORD = {"images": ["ab"], "iterations": 3}


def with_image_of(split, prepared, model, path):
    """A copy of weights whose record has an image of a split; nothing lies beside it."""
    path.parent.mkdir()
    record = json.loads((model / "training.json").read_text())
    record["images"].append(first_image(split, prepared)["hash"])
    save_weights(path, load_weights(model / "weights.pth"), record)
    return path


def test_weights_copied_elsewhere_keep_their_record(root, prepared, model, tmp_path):
    seen = with_image_of("val", prepared, model, tmp_path / "downloads" / "any_name.pth")
    params = tiny_params(root, model={"weights": str(seen)})
    with pytest.raises(DataError, match="expected a model that was not trained on val"):
        train(prepared, prepared, tmp_path / "student", params)


def test_teachers_and_evaluated_models_are_checked_without_training_json(
    root, prepared, model, tmp_path
):
    seen = with_image_of("val", prepared, model, tmp_path / "teacher" / "weights.pth")
    shutil.copy(model / "config.json", seen.parent)
    expected = "expected a model that was not trained on val"
    with pytest.raises(DataError, match=expected):
        teacher_folders([seen.parent], tmp_path, prepared, "pseudo_label.teachers")
    with pytest.raises(DataError, match=expected):
        evaluate(
            seen.parent, prepared, None, tmp_path / "out", tmp_path / "best", tiny_params(root)
        )


def test_a_trained_model_has_the_same_record_inside_and_beside(model):
    inside = read_record(model / "weights.pth")
    beside = json.loads((model / "training.json").read_text())
    assert inside | {"weights": hash_file(model / "weights.pth")} == beside
    assert inside["images"]


def test_torch_reads_weights_with_a_record_and_the_bytes_are_always_the_same(tmp_path):
    for name in ("a.pth", "b.pth"):
        save_weights(tmp_path / name, {"weight": torch.ones(3)}, RECORD)
    assert torch.load(tmp_path / "a.pth")["state_dict"]["weight"].tolist() == [1, 1, 1]
    assert read_record(tmp_path / "a.pth") == RECORD
    (tmp_path / "other").mkdir()
    save_weights(tmp_path / "other" / "a.pth", {"weight": torch.ones(3)}, RECORD)
    assert hash_file(tmp_path / "a.pth") == hash_file(tmp_path / "other" / "a.pth")


@pytest.mark.parametrize(
    "record", [{}, {"images": 3, "iterations": 3}, {"images": [1], "iterations": 3}, {"images": []}]
)
def test_a_record_with_other_values_is_a_fault(tmp_path, record):
    torch.save({"weight": torch.ones(1)}, tmp_path / "weights.pth")
    add_record(tmp_path / "weights.pth", record)
    with pytest.raises(DataError, match=r"weights\.pth: the record of its training"):
        weights_record(tmp_path / "weights.pth")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"images": 3}'])
def test_a_damaged_training_json_is_a_fault(model, tmp_path, text):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "training.json").write_text(text)
    with pytest.raises(DataError, match=r"training\.json: the record of its training"):
        images_seen(tmp_path / "model")


def test_a_teacher_without_weights_is_named(prepared, model, tmp_path):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "weights.pth").unlink()
    with pytest.raises(ModelError, match="expected a model folder"):
        teacher_folders([tmp_path / "model"], tmp_path, prepared, "pseudo_label.teachers")


def test_a_compressed_record_is_not_unpacked(tmp_path):
    torch.save({"weight": torch.ones(1)}, tmp_path / "weights.pth")
    with zipfile.ZipFile(tmp_path / "weights.pth", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/record.json", b" " * 10**7)
    with pytest.raises(DataError, match="compressed content"):
        weights_record(tmp_path / "weights.pth")


@pytest.mark.slow
def test_weights_without_a_record_have_an_unknown_origin_that_later_rounds_inherit(
    root, prepared, model, tmp_path, capsys
):
    bare = tmp_path / "bare.pth"
    torch.save({"state_dict": load_weights(model / "weights.pth")}, bare)
    assert weights_record(bare) is None
    params = tiny_params(root, model={"weights": str(bare)})
    assert InitialWeights.from_params(params).has_unknown_origin
    train(prepared, prepared, tmp_path / "first", params)
    params = in_round(tiny_params(root), 1)
    train(prepared, prepared, tmp_path / "second", params, champion=tmp_path / "first")
    assert weights_record(tmp_path / "second" / "weights.pth").unknown_origin
    assert images_seen(tmp_path / "second")
    folder = tmp_path / "bare"
    folder.mkdir()
    shutil.move(bare, folder / "weights.pth")
    capsys.readouterr()
    assert images_seen(folder) == set()
    assert "no record of its training" in capsys.readouterr().err


def history_row(number, unknown):
    row = {"headline": ["mAP"], "round": number, "val": {"mAP": 0.1, "by_class": {}}}
    row |= {"over_champion": None, "silver_agreement": None, "champion": 0, "iterations": 9}
    row |= {"transductive": False, "weights_mb": 1.0, "data": {}, "unknown_origin": unknown}
    return row


@pytest.mark.parametrize("unknown", [False, True])
def test_the_table_of_rounds_marks_an_unknown_origin_and_is_else_unchanged(tmp_path, unknown):
    write_json(tmp_path / "evaluation" / "history.json", [history_row(0, unknown)])
    write_json(tmp_path / "evaluation" / "speed.json", [20.0])
    table = compare(tmp_path / "evaluation", tmp_path / "metrics.json", tmp_path / "report")
    assert ("origin unknown" in table) == unknown
    assert ("initial weights" in table) == unknown


def test_a_file_with_a_damaged_name_of_a_member_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    save_weights(path, {"a": torch.ones(1)}, RECORD)
    content = path.read_bytes()
    place = content.rindex(b"/data.pkl")
    path.write_bytes(content[:place] + b"\xce\xce" + content[place + 2 :])
    with pytest.raises(DataError, match="a damaged file"):
        read_record(path)
