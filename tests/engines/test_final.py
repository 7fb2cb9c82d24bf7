"""The last training, on everything with a label: real tiny models."""

import json
import shutil

import pytest

from pseudolabel.engines.exporting import export
from pseudolabel.engines.final import train_final
from pseudolabel.errors import DataError
from pseudolabel.files import hash_file
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.model_folder import images_seen

HEADLINES = {"detection": "mAP", "semantic": "mIoU", "classification": "top1"}


@pytest.mark.parametrize("any_task", HEADLINES, indirect=True)
def test_everything_is_trained_on_and_test_alone_is_measured(any_task, tmp_path):
    prepared = any_task.prepared
    model, metrics = tmp_path / "model", tmp_path / "metrics.json"
    train_final(prepared, prepared, model, metrics, any_task.params(), any_task.model)
    splits = [read_coco(prepared / it / FILE) for it in ("gold", "val", "tuning")]
    record = json.loads((model / "training.json").read_text())
    assert record["data"]["gold"]["images"] == sum(len(it.images) for it in splits) == 9
    champion = hash_file(any_task.model / "weights.pth")
    assert record["first_weights"] == (None if any_task.task == "classification" else champion)
    assert images_seen(model) == {it for split in splits for it in split.images.hashes}
    values = json.loads(metrics.read_text())
    assert f"test.{HEADLINES[any_task.task]}" in values
    assert all(name.startswith("test.") for name in values)


def test_it_may_be_handed_in_though_it_saw_val(trained_tasks, tmp_path):
    task = trained_tasks("classification")
    model = tmp_path / "model"
    train_final(task.prepared, task.prepared, model, tmp_path / "m.json", task.params(), task.model)
    params = task.params(export={"models": [model]})
    export(task.prepared, task.model, tmp_path / "out", params)
    assert (tmp_path / "out" / "submission.csv").is_file()


def test_test_stays_out(trained_tasks, tmp_path):
    task = trained_tasks("classification")
    prepared = tmp_path / "prepared"
    shutil.copytree(task.prepared, prepared)
    test = read_coco(prepared / "test" / FILE)
    write_coco(prepared / "val" / FILE, test)
    with pytest.raises(DataError, match="test"):
        train_final(
            prepared, prepared, tmp_path / "model", tmp_path / "m.json", task.params(), task.model
        )
