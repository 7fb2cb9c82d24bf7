import json
import shutil

import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.core.files import hash_file, hash_folder, write_json
from pseudolabel.evaluation import evaluate as evaluation
from pseudolabel.evaluation.evaluate import PreviousRound, evaluate
from pseudolabel.evaluation.history import main_score, outcome_path
from pseudolabel.evaluation.score import ModelScores
from pseudolabel.formats.shards import TEACHER_FILE
from pseudolabel.formats.silver_folder import AGREEMENT, REPORT
from pseudolabel.formats.split_folder import SplitFolder
from tests.conftest import tiny_params
from tests.leaks import prepared_from, record_as_trained_on


@pytest.fixture
def given_scores(monkeypatch):
    """Replaces the scores of three rounds: the second round is the best."""
    scores = iter([0.3, 0.5, 0.4])

    def score_model(*_, **__):
        score = next(scores)
        row = {"val": {"mAP": score}, "test": {"mAP": score / 2}, "headline": ["mAP"]}
        return ModelScores(row, 12.5, {})

    monkeypatch.setattr(evaluation, "score_model", score_model)


@pytest.mark.usefixtures("given_scores")
def test_the_champion_is_the_best_model_so_far_by_val(root, prepared, tmp_path):
    before = None
    for number in range(3):
        folder = tmp_path / str(number)
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "weights.pth").write_text(f"weights of round {number}")
        paths = folder / "evaluation", folder / "champion"
        evaluate(folder / "model", prepared, before, *paths, tiny_params(root))
        report = {AGREEMENT: {"same": 4, "compared": 5, "share": 0.8}} if number else {}
        write_json(folder / "silver" / REPORT, report)
        write_json(folder / "silver" / TEACHER_FILE, {})
        before = PreviousRound(*paths, folder / "silver")
    texts = [
        (tmp_path / str(number) / "champion" / "weights.pth").read_text() for number in range(3)
    ]
    assert texts == ["weights of round 0", "weights of round 1", "weights of round 1"]
    history = json.loads((tmp_path / "2" / "evaluation" / "history.json").read_text())
    assert [row["round"] for row in history] == [0, 1, 2]
    assert [row["champion"] for row in history] == [0, 1, 1]
    steps = [row["over_champion"] for row in history]
    assert steps[0] is None
    assert [(step["round"], step["gain"]) for step in steps[1:]] == [(0, 0.2), (1, -0.1)]
    assert [row["silver_agreement"] for row in history] == [None, None, 0.8]
    assert json.loads((tmp_path / "2" / "evaluation" / "speed.json").read_text()) == [12.5] * 3


def test_rounds_are_compared_by_the_chosen_metric(root, prepared, model, tmp_path):
    params = tiny_params(root, evaluate={"measure": "mAP_75"})
    evaluate(model, prepared, None, tmp_path / "evaluation", tmp_path / "champion", params)
    (row,) = json.loads((tmp_path / "evaluation" / "history.json").read_text())
    assert row["headline"] == ["mAP_75", "mAP", "mAP_50"]
    assert main_score(row, "val") == row["val"]["mAP_75"]


def test_a_model_is_scored_on_val_and_test(root, prepared, model, tmp_path):
    paths = tmp_path / "evaluation", tmp_path / "champion"
    evaluate(model, prepared, None, *paths, tiny_params(root))
    (row,) = json.loads((tmp_path / "evaluation" / "history.json").read_text())
    assert row["headline"] == ["mAP", "mAP_50", "mAP_75"]
    for split in ("val", "test"):
        assert 0 <= row[split]["mAP"] <= 1
        assert set(row[split]["by_class"]["AP"]) == {"disc", "rod", "star"}
    assert row["weights_mb"] == pytest.approx(
        (model / "weights.pth").stat().st_size / 1e6, abs=1e-3
    )
    assert row["data"]["gold"]["hash"] == hash_folder(prepared / "gold")
    assert hash_file(tmp_path / "champion" / "weights.pth") == hash_file(model / "weights.pth")
    assert all(outcome_path(paths[0], 0, split).is_file() for split in ("val", "test"))


def test_a_model_compared_with_itself_has_a_gain_of_zero(root, prepared, model, tmp_path):
    params = tiny_params(root)
    first = tmp_path / "evaluation", tmp_path / "champion"
    evaluate(model, prepared, None, *first, params)
    write_json(tmp_path / "silver" / REPORT, {})
    write_json(tmp_path / "silver" / TEACHER_FILE, {})
    before = PreviousRound(*first, tmp_path / "silver")
    evaluate(model, prepared, before, tmp_path / "evaluation_1", tmp_path / "champion_1", params)
    history = json.loads((tmp_path / "evaluation_1" / "history.json").read_text())
    assert history[1]["over_champion"] == {"round": 0, "gain": 0.0, "interval": [0.0, 0.0]}
    assert outcome_path(tmp_path / "evaluation_1", 0, "val").is_file()


def test_a_damaged_image_of_val_is_an_error(root, prepared, model, tmp_path):
    shutil.copytree(root / "images", tmp_path / "images")
    name = SplitFolder(prepared / "val").read().images.file_names[1]
    path = tmp_path / "images" / name
    path.write_bytes(path.read_bytes()[:60])
    data = prepared_from(tmp_path / "images", prepared, tmp_path / "prepared")
    params = tiny_params(tmp_path)
    with pytest.raises(DataError, match=f"{name}: expected an image that can be decoded"):
        evaluate(model, data, None, tmp_path / "evaluation", tmp_path / "champion", params)
    assert not (tmp_path / "evaluation").exists()


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_model_that_was_trained_on_val_or_test_is_an_error(
    root, prepared, model, tmp_path, split
):
    shutil.copytree(model, tmp_path / "model")
    name = record_as_trained_on(split, prepared, tmp_path / "model")
    paths = tmp_path / "evaluation", tmp_path / "champion"
    with pytest.raises(DataError) as caught:
        evaluate(tmp_path / "model", prepared, None, *paths, tiny_params(root))
    (fault,) = caught.value.faults
    expected = f"a model that was not trained on {split}"
    assert (fault.expected, fault.found) == (expected, f"trained on {name!r}")
    assert not paths[0].exists()


def test_the_history_marks_a_transductive_test_split(root, prepared, model, tmp_path):
    params = tiny_params(root, prepare={"transductive": True})
    evaluate(model, prepared, None, tmp_path / "evaluation", tmp_path / "champion", params)
    (row,) = json.loads((tmp_path / "evaluation" / "history.json").read_text())
    assert row["transductive"]
