"""The parts of val and of gold: tuning, and the folds."""

import pytest

from tests.builders import raw_root
from tests.splits.prepared import file_names, prepare_detection


def prepared_names(root, output, **changes):
    return file_names(prepare_detection(root, output, **changes)[0])


@pytest.mark.parametrize(("val", "split"), [({}, "val"), ({"val": 3}, "held_out")])
def test_each_fold_holds_out_another_part_of_gold(tmp_path, val, split):
    root = raw_root(tmp_path / "raw", gold_count=10, test=2, **val)
    all_gold = {f"gold/{number}.png" for number in range(10)}
    held_out = []
    for fold in range(5):
        splits, report = prepare_detection(root, tmp_path / str(fold), folds=5, fold=fold)
        assert report["fold"] == [fold, 5]
        names = file_names(splits)
        assert names[split] | names["gold"] == all_gold
        held_out += sorted(names[split])
        if val:
            assert len(splits["val"].images) == 3
    assert sorted(held_out) == sorted(all_gold)


def test_tuning_is_a_part_of_val(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, val=8, test=2)
    whole = prepared_names(root, tmp_path / "whole")
    parts = prepared_names(root, tmp_path / "parts", tuning_share=0.5)
    assert (len(parts["val"]), len(parts["tuning"]), len(whole["tuning"])) == (4, 4, 0)
    assert parts["val"] | parts["tuning"] == whole["val"]
    assert not parts["val"] & parts["tuning"]
    assert all(parts[split] == whole[split] for split in ("gold", "test", "pool"))


def test_tuning_is_a_part_of_a_val_split_off_gold_and_the_same_in_each_fold(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=16)
    parts = prepared_names(root, tmp_path / "parts", tuning_share=0.5)
    assert (len(parts["gold"]), len(parts["val"]), len(parts["tuning"])) == (12, 2, 2)
    root = raw_root(tmp_path / "with_val", gold_count=8, val=8)
    no_folds = prepared_names(root, tmp_path / "no_folds", tuning_share=0.5)
    fold = prepared_names(root, tmp_path / "fold", tuning_share=0.5, folds=4, fold=2)
    assert fold["tuning"] == no_folds["tuning"]
    assert len(fold["gold"]) == 6


def test_a_val_of_one_image_is_not_split(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, val=1)
    parts = prepared_names(root, tmp_path / "parts", tuning_share=0.5)
    assert (len(parts["val"]), len(parts["tuning"])) == (1, 0)


def test_a_held_out_fold_is_val_and_tuning_together(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=16)
    parts = prepared_names(root, tmp_path / "out", tuning_share=0.5, folds=4, fold=1)
    assert parts["held_out"] == parts["val"] | parts["tuning"]
    assert (len(parts["val"]), len(parts["tuning"]), len(parts["gold"])) == (2, 2, 12)
