"""Another model of the zoo teaches by a file, in a real DVC repository: round 1, then round 0.

The tests of this module share one repository and run in order.
"""

import csv
import json

import numpy as np
import pytest
import yaml

from pseudolabel.core.columns import positions
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.teacher_files import sha256_of
from pseudolabel.params.loading import load_params
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.training.train import train
from tests.pipeline.conftest import TEACHER_STAGES, round_stages, without_indexes

pytestmark = pytest.mark.slow
ZOO = "mmpretrain::resnet/resnet18_8xb32_in1k.py"
SPLITS = ("pool", "tuning", "val", "test")


@pytest.fixture(scope="module")
def task():
    return "classification"


def change(repository, **changes):
    """Change sections of params.yaml."""
    path = repository.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    for section, value in changes.items():
        values[section] = values[section] | value if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(values, sort_keys=False))


@pytest.fixture(scope="module")
def predictions(repository, tmp_path_factory):
    """A file with the probabilities of a model of the zoo, which was trained on gold elsewhere."""
    change(repository, sample={"gold": 60, "pool": 30})
    repository.run("dvc", "repro", "prepare")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    prepared = repository.folder / "data" / "prepared"
    params = load_params(repository.folder / "params.yaml")
    model = params.model.model_copy(update={"config": ZOO, "image_size": (64, 64)})
    data = params.data.model_copy(update={"root": repository.folder / params.data.root})
    longer = params.train.model_copy(update={"iterations": 150})
    params = params.model_copy(update={"model": model, "data": data, "train": longer})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        train(prepared, prepared, elsewhere / "model", params)
    images = data.root / "images"
    predictor = TrainedModels([elsewhere / "model"], images, params.pseudo_label)
    rows = []
    for split in SPLITS:
        dataset = SplitFolder(prepared / split).read()
        batches = predictor.predict(dataset.images)
        found = Probabilities.concatenate([batch.predictions for batch in batches])
        names = dataset.images.file_names[positions(found.image_ids, dataset.images.ids)]
        pairs = zip(names, found.values.tolist(), strict=True)
        rows += [[f"/mnt/{name}", *values] for name, values in pairs]
    path = repository.folder / "teachers" / "zoo.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", *dataset.class_names], *rows])
    return path


def test_the_file_teaches_round_1(repository, predictions):
    change(repository, round=1, pseudo_label={"teachers": ["teachers/zoo.csv"]})
    ran = repository.stages("dvc", "repro")
    assert without_indexes(ran) == [*TEACHER_STAGES, *round_stages(1), "compare"]
    teacher = json.loads(repository.read("rounds/1/silver/teacher.json"))
    assert teacher["weights"] == sha256_of(predictions)
    report = json.loads(repository.read("rounds/1/silver/report.json"))
    # Thresholds are chosen on tuning, as for any teacher.
    assert report["tuning"]["images"] > 0
    merged = SplitFolder(repository.folder / "rounds/1/merged/silver")
    rows = json.loads(merged.coco_file.read_bytes())["annotations"]
    assert {row["teacher"] for row in rows} == {sha256_of(predictions)}
    assert b"zoo.csv" in repository.read("report/rounds.md")
    assert repository.stages("dvc", "repro") == []


def test_its_silver_is_better_than_chance(repository):
    silver = SplitFolder(repository.folder / "rounds/1/merged/silver").read()
    oracle = read_coco(repository.folder / "data/sample/oracle.json")
    truth = {
        name: int(oracle.annotations.category_ids[oracle.annotations.image_ids == image_id][0])
        for name, image_id in zip(oracle.images.file_names, oracle.images.ids, strict=True)
    }
    rows = positions(silver.annotations.image_ids, silver.images.ids)
    right = [
        truth[name] == category
        for name, category in zip(
            silver.images.file_names[rows], silver.annotations.category_ids.tolist(), strict=True
        )
    ]
    print(f"silver: {len(right)} labels, {np.mean(right):.2f} right")
    assert len(right) >= 10
    # Six classes: by chance, one label of six is right.
    assert np.mean(right) > 1.5 / len(silver.categories)


def test_the_file_is_round_0_without_training(repository, predictions):
    path = repository.folder / "teachers" / "round_0" / predictions.name
    path.write_bytes(predictions.read_bytes())
    model = {"round_0": "teachers/round_0/zoo.csv"}
    change(repository, round=1, model=model, pseudo_label={"teachers": "champion"})
    ran = repository.stages("dvc", "repro")
    assert without_indexes(ran)[: len(TEACHER_STAGES)] == TEACHER_STAGES
    table = repository.read("report/rounds.md").decode()
    assert "Round 0 is the file zoo.csv, with no training on gold" in table
    history = json.loads(repository.read("rounds/1/evaluation/history.json"))
    assert [row["teacher_files"] for row in history] == [["zoo.csv"], ["zoo.csv"]]
    assert history[0]["val"]["top1"] > 1 / 6
    assert not (repository.folder / "rounds/0/model/weights.pth").exists()


def test_a_fault_in_the_file_stops_with_a_plain_message(repository, predictions):
    text = predictions.read_text()
    predictions.write_text(text.replace(",0.", ",7.", 1))
    change(repository, model={"round_0": None}, pseudo_label={"teachers": ["teachers/zoo.csv"]})
    output = repository.run("dvc", "repro", "rounds/dvc.yaml:pseudo_label@1", fails=True)
    predictions.write_text(text)
    assert "error: 1 fault in the data:" in output
    assert "expected a probability from 0 to 1, found '7." in output
    assert "Traceback" not in output
