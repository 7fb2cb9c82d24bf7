"""A third of gold's labels is removed, the same third for a seed."""

import numpy as np

from benchmarks.partly_labelled import count_matches, remove_labels, write_data
from pseudolabel.formats.coco_reader import read_coco
from tests import builders


def test_a_third_of_the_labels_is_removed_by_seed():
    content = builders.coco([f"{number}.png" for number in range(30)])
    kept = [builders.coco([f"{number}.png" for number in range(30)]) for _ in range(2)]
    removed = [remove_labels(kept[0], 0), remove_labels(kept[1], 0), remove_labels(content, 1)]
    assert [len(rows) for rows in removed] == [10, 10, 10]
    assert removed[0] == removed[1] != removed[2]
    assert len(kept[0]["annotations"]) == 20


def test_the_raw_root_of_an_arm_keeps_the_other_files(tmp_path):
    root = builders.raw_root(tmp_path / "source", gold_count=6, val=2, test=2)
    for arm, count in (("complete", 6), ("partial", 4)):
        write_data(root, tmp_path / arm / "raw", arm, 0)
        assert len(read_coco(tmp_path / arm / "raw" / "gold.json").annotations) == count
        assert len(read_coco(tmp_path / arm / "removed.json").annotations) == 6 - count
        assert (tmp_path / arm / "raw" / "test.json").is_symlink()


def test_an_added_object_counts_if_it_is_a_removed_label():
    true = builders.gold([(1, 1, (0, 0, 10, 10)), (1, 2, (30, 30, 40, 40))])
    added = builders.predictions([(1, 1, (0, 0, 10, 9), 0.9), (1, 1, (30, 30, 40, 40), 0.9)])
    assert count_matches(added, true) == 1
    assert count_matches(added[np.zeros(2, bool)], true) == 0
