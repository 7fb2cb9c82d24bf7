import pytest

from pseudolabel.audit import SUSPECTS
from pseudolabel.audit.cross_fit import cross_fit
from pseudolabel.core.errors import DataError, ModelError
from pseudolabel.formats.fold_folder import read_folds, write_fold
from pseudolabel.formats.shards import shard_paths
from pseudolabel.formats.split_folder import SplitFolder
from tests.conftest import tiny_params
from tests.leaks import record_as_trained_on

TASKS = ("detection", "instance", "semantic", "classification")


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_gold_is_labelled_by_the_fold_that_was_not_trained_on_it(any_task, tmp_path):
    write_fold(tmp_path / "models", 0, any_task.model, any_task.prepared)
    cross_fit(tmp_path / "models", tmp_path / "out", any_task.params())
    val_folder = SplitFolder(any_task.prepared / "val")
    gold_folder = SplitFolder(tmp_path / "out" / "gold")
    val, gold = val_folder.read(), gold_folder.read()
    assert gold.images.file_names.tolist() == sorted(val.images.file_names)
    assert len(gold.annotations) == len(val.annotations)
    assert [path.name for path in shard_paths(tmp_path / "out")] == ["shard-000000.parquet"]
    if any_task.task == "semantic":
        old_ids = dict(zip(val.images.file_names, val.images.ids.tolist(), strict=True))
        for name, image_id in zip(gold.images.file_names, gold.images.ids.tolist(), strict=True):
            copied, original = (
                gold_folder.label_map(image_id),
                val_folder.label_map(old_ids[name]),
            )
            assert (copied == original).all()
    suspects = SUSPECTS[any_task.task](gold, tmp_path / "out")
    assert {suspect.file for suspect in suspects} <= set(gold.images.file_names)


def test_a_fold_whose_model_was_trained_on_its_held_out_images_is_an_error(
    prepared, model, root, tmp_path
):
    write_fold(tmp_path / "models", 0, model, prepared)
    record_as_trained_on("val", prepared, tmp_path / "models" / "0" / "champion")
    expected = "the champion of fold 0: expected a model that was not trained on its held-out"
    with pytest.raises(DataError, match=expected):
        cross_fit(tmp_path / "models", tmp_path / "out", tiny_params(root))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("numbers", [(), (1,), (0, 2)])
def test_missing_folds_are_an_error(prepared, model, tmp_path, numbers):
    for number in numbers:
        write_fold(tmp_path / "models", number, model, prepared)
    found = ", ".join(map(str, numbers)) or "none"
    with pytest.raises(
        ModelError, match=f"expected the champions of folds 0, 1, ..., found {found}"
    ):
        read_folds(tmp_path / "models")
