"""The choice of weights, with models of classification that answer every image with one class."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pseudolabel.core.datasets import TUNING, select_images
from pseudolabel.core.errors import DataError, ModelError
from pseudolabel.core.files import hash_file, hash_folder, write_json
from pseudolabel.core.records import Dataset
from pseudolabel.evaluation import evaluate as evaluation
from pseudolabel.evaluation.evaluate import PreviousRound, evaluate
from pseudolabel.evaluation.history import HISTORY, SELECTION
from pseudolabel.evaluation.selection import select_weights, weights_like
from pseudolabel.formats.model_folder import (
    copy_model,
    kept_weights,
    own_iterations,
    weights_record,
)
from pseudolabel.formats.shards import TEACHER_FILE, read_stabilities
from pseudolabel.formats.silver_folder import REPORT
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.weights_record import read_record
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.pseudo_label import label_pool
from tests.leaks import record_as_trained_on

DISC, ROD, STAR3 = range(3)
"""Class indices. Tuning has rods only, and val has a star."""
BEST = {"train": {"snapshots": 2}, "evaluate": {"select": "best"}}


@dataclass(frozen=True)
class Project:
    """A task with a model whose training kept the weights of three iterations."""

    data: object
    prepared: Path
    model: Path
    folder: Path

    def params(self, **changes):
        return self.data.params(**BEST | changes)

    @property
    def champion(self):
        return self.folder / "0" / "champion"

    def evaluate(self, number=0, model=None, **changes):
        """Evaluate a round after those before it, and return its row of the history."""
        before, folder = self.folder / str(number - 1), self.folder / str(number)
        write_json(before / "silver" / REPORT, {})
        write_json(before / "silver" / TEACHER_FILE, {})
        previous = PreviousRound(before / "evaluation", before / "champion", before / "silver")
        evaluate(
            model or self.model,
            self.prepared,
            previous if number else None,
            folder / "evaluation",
            folder / "champion",
            self.params(**changes),
        )
        return json.loads((folder / "evaluation" / HISTORY).read_text())[-1]


def answer(model, name, class_index, iterations):
    """Write weights with which a model answers every image with one class."""
    weights = load_weights(model / "weights.pth")
    weights["head.fc.bias"] = weights["head.fc.bias"].clone()
    weights["head.fc.bias"][class_index] += 1000
    record = read_record(model / "weights.pth") | {"iterations": iterations}
    save_weights(model / name, weights, record)


def answers(model, first, second, last):
    """Give a model a training whose weights answer with these classes at iterations 2, 4 and 6."""
    answer(model, "earlier_1.pth", first, 2)
    answer(model, "earlier_2.pth", second, 4)
    answer(model, "weights.pth", last, 6)
    record = read_record(model / "weights.pth")
    write_json(model / "training.json", record | {"weights": hash_file(model / "weights.pth")})


@pytest.fixture
def project(trained_tasks, tmp_path):
    data = trained_tasks("classification")
    prepared, model = tmp_path / "prepared", tmp_path / "model"
    shutil.copytree(data.prepared, prepared)
    val = SplitFolder(prepared / "val").read()
    assert val.annotations.category_ids.tolist() == [2, 2, 3]
    rods = np.array([True, True, False])
    SplitFolder(prepared / TUNING).write(select_images(val, rods))
    SplitFolder(prepared / "val").write(select_images(val, ~rods))
    shutil.copytree(data.model, model)
    return Project(data, prepared, model, tmp_path / "rounds")


def test_an_earlier_model_that_is_better_on_tuning_is_the_champion(project):
    answers(project.model, DISC, ROD, STAR3)
    row = project.evaluate()
    curve = [{"iteration": step, "score": score} for step, score in [(2, 0), (4, 1), (6, 0)]]
    assert row[SELECTION] == {"split": "tuning", "iteration": 4, "curve": curve}
    # The last weights would be right on val, which has no part in the choice.
    assert row["val"]["top1"] == 0
    assert row["iterations"] == 4
    champion, model = project.champion, project.model
    names = ["config.json", "curve.csv", "earlier_1.pth", "later_3.pth", "training.json"]
    assert sorted(path.name for path in champion.iterdir()) == [*names, "weights.pth"]
    assert hash_file(champion / "weights.pth") == hash_file(model / "earlier_2.pth")
    assert hash_file(champion / "earlier_1.pth") == hash_file(model / "earlier_1.pth")
    assert hash_file(champion / "later_3.pth") == hash_file(model / "weights.pth")
    assert hash_file(champion / "config.json") == hash_file(model / "config.json")
    record = json.loads((champion / "training.json").read_text())
    inside = read_record(champion / "weights.pth")
    assert record == inside | {"weights": hash_file(champion / "weights.pth")}
    assert record["iterations"] == 4
    assert weights_record(champion / "weights.pth").iterations == 4
    # The other weights keep their own iterations, whatever training.json says of the chosen ones.
    assert weights_record(champion / "later_3.pth").iterations == 6


def test_the_first_of_three_weights_can_be_the_champion(project):
    answers(project.model, ROD, DISC, STAR3)
    assert project.evaluate()[SELECTION]["iteration"] == 2
    names = [path.name for path in kept_weights(project.champion)]
    assert names == ["weights.pth", "later_2.pth", "later_3.pth"]
    assert [own_iterations(path) for path in kept_weights(project.champion)] == [2, 4, 6]


def test_of_equal_weights_the_later_ones_are_chosen(project):
    answers(project.model, ROD, ROD, DISC)
    assert project.evaluate()[SELECTION]["iteration"] == 4
    answers(project.model, ROD, DISC, ROD)
    assert project.evaluate()[SELECTION]["iteration"] == 6
    # The last weights are the champion: its folder is that of the model, byte by byte.
    assert hash_folder(project.champion) == hash_folder(project.model)


def test_the_last_weights_are_the_champion_by_default(project):
    answers(project.model, ROD, ROD, DISC)
    row = project.evaluate(evaluate={"select": "last"})
    assert SELECTION not in row
    assert row["iterations"] == 6
    assert hash_folder(project.champion) == hash_folder(project.model)


def test_without_images_of_tuning_val_chooses_and_a_line_says_so(project, capsys):
    tuning = SplitFolder(project.prepared / TUNING)
    tuning.write(Dataset.empty(tuning.read().categories))
    answers(project.model, ROD, STAR3, DISC)
    row = project.evaluate()
    assert (row[SELECTION]["split"], row[SELECTION]["iteration"]) == ("val", 4)
    assert row["val"]["top1"] == 1
    assert "tuning has no images: weights are chosen on val" in capsys.readouterr().err


def test_the_champion_stays_if_the_chosen_weights_of_a_student_are_not_better(project, tmp_path):
    answers(project.model, DISC, ROD, STAR3)
    project.evaluate()
    shutil.copytree(project.model, tmp_path / "student")
    answers(tmp_path / "student", ROD, DISC, DISC)
    row = project.evaluate(1, tmp_path / "student")
    assert (row["champion"], row[SELECTION]["iteration"]) == (0, 2)
    assert row["over_champion"] == {"round": 0, "gain": 0.0, "interval": [0.0, 0.0]}
    assert hash_folder(project.folder / "1" / "champion") == hash_folder(project.champion)


def test_a_chosen_teacher_is_compared_with_all_other_weights_of_its_training(project, tmp_path):
    answers(project.model, ROD, DISC, STAR3)
    project.evaluate()
    params = project.params(pseudo_label={"stability": "checkpoints"})
    section, images = params.pseudo_label, project.data.root / "images"
    compared = TrainedModels([project.champion], images, section, 0, 1, "checkpoints").comparisons
    assert len(compared) == 2
    label_pool(project.prepared, project.champion, tmp_path / "predictions", 1, params)
    # No other weights give the class of the chosen ones.
    _, stabilities = read_stabilities(tmp_path / "predictions")
    assert len(stabilities)
    assert (stabilities < 0.01).all()


def test_the_weights_of_a_model_that_saw_tuning_are_not_chosen(project):
    answers(project.model, ROD, DISC, STAR3)
    record_as_trained_on(TUNING, project.prepared, project.model)
    with pytest.raises(DataError, match="expected a model that was not trained on tuning"):
        project.evaluate()
    assert not project.folder.joinpath("0").exists()


def test_what_only_training_json_knows_stays_known(project):
    answers(project.model, DISC, ROD, STAR3)
    path = project.model / "training.json"
    record = json.loads(path.read_text())
    write_json(path, record | {"images": [*record["images"], "ab"]})
    project.evaluate()
    assert "ab" in weights_record(project.champion / "weights.pth").images


@pytest.mark.parametrize("during", ["scoring", "copying"])
def test_a_killed_evaluation_leaves_nothing_and_runs_again(project, monkeypatch, during):
    answers(project.model, DISC, ROD, STAR3)
    project.evaluate()
    folder = project.folder / "0"
    expected = hash_folder(folder / "champion"), hash_file(folder / "evaluation" / HISTORY)
    shutil.rmtree(folder)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if during == "copying":
            patch.setattr("pseudolabel.formats.model_folder.hash_file", stop)
        else:
            patch.setattr(evaluation, "main_score", stop)
        with pytest.raises(KeyboardInterrupt):
            project.evaluate()
    assert not (folder / "champion").exists()
    # What a kill leaves behind, which runs no `finally`.
    (folder / ".champion.aside").mkdir(parents=True, exist_ok=True)
    (folder / ".champion.aside" / "later_9.pth").write_text("cut short")
    project.evaluate()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["champion", "evaluation"]
    assert hash_folder(folder / "champion") == expected[0]
    assert hash_file(folder / "evaluation" / HISTORY) == expected[1]


def test_without_any_score_the_last_weights_are_chosen(project, capsys):
    answers(project.model, DISC, ROD, STAR3)
    selection = select_weights(project.model, TUNING, lambda _: None)
    assert (selection.weights, selection.row["iteration"]) == ("weights.pth", 6)
    scores = {"earlier_1.pth": None, "earlier_2.pth": 0.0, "weights.pth": None}
    assert select_weights(project.model, TUNING, scores.get).weights == "earlier_2.pth"
    line = "chosen: the weights of iteration 4 (tuning: 2: -, 4: 0.0000, 6: -)"
    assert line in capsys.readouterr().out


def test_weights_without_a_record_are_named(project):
    answers(project.model, DISC, ROD, STAR3)
    path = project.model / "earlier_2.pth"
    save_weights(path, load_weights(path))
    with pytest.raises(ModelError, match=r"earlier_2\.pth: expected weights with a record"):
        project.evaluate()


def test_the_weights_of_another_training_have_the_chosen_iteration(project, tmp_path):
    answers(project.model, DISC, ROD, STAR3)
    row = {SELECTION: {"iteration": 4}}
    assert weights_like(project.model, row) == "earlier_2.pth"
    assert weights_like(project.model, {}) == "weights.pth"
    with pytest.raises(ModelError, match="expected weights of iteration 5, found 2, 4, 6"):
        weights_like(project.model, {SELECTION: {"iteration": 5}})
    # Of a folder whose weights were chosen before, the files are still in their order.
    copy_model(project.model, "earlier_1.pth", tmp_path / "first")
    copy_model(tmp_path / "first", "later_3.pth", tmp_path / "last")
    assert hash_folder(tmp_path / "last") == hash_folder(project.model)


def test_weights_are_in_the_order_of_their_numbers(tmp_path):
    for name in ("earlier_10.pth", "earlier_2.pth", "earlier_old.pth", "later_11.pth"):
        (tmp_path / name).touch()
    names = [path.name for path in kept_weights(tmp_path)]
    assert names == ["earlier_2.pth", "earlier_10.pth", "weights.pth", "later_11.pth"]
