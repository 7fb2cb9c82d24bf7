"""A raw root with another number of gold images loses no label: gold or the oracle has it."""

from pathlib import Path

import pytest

from benchmarks.gold_count import with_gold_count
from benchmarks.lift_cases import copy_raw
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.params.sample import Sample
from pseudolabel.raw.sample import SAMPLES

SAMPLE = Sample(seed=0, gold=5, val=2, test=2, pool=3, width=96, height=80)
FOLDERS = ("masks", "oracle_masks")


def labelled(root):
    """Gold and the oracle of a raw root."""
    return {split: read_coco(root / f"{split}.json") for split in ("gold", "oracle")}


def names(dataset):
    return set(dataset.images.file_names)


@pytest.mark.parametrize("task", ["detection", "instance", "semantic"])
def test_labels_move_between_gold_and_the_oracle(tmp_path, task):
    SAMPLES[task](tmp_path / "raw", SAMPLE)
    before = labelled(tmp_path / "raw")
    chosen = []
    for count in (2, 4, 7):
        root = tmp_path / str(count)
        with_gold_count(tmp_path / "raw", root, count)
        after = labelled(root)
        assert len(after["gold"].images) == count
        chosen.append(names(after["gold"]))
        assert names(after["gold"]) | names(after["oracle"]) == set().union(
            *map(names, before.values())
        )
        for part in ("images", "annotations"):
            counts = [
                sum(len(getattr(dataset, part)) for dataset in found.values())
                for found in (before, after)
            ]
            assert counts[0] == counts[1]
        if (root / "masks").is_dir():
            maps = {name: {path.stem for path in (root / name).iterdir()} for name in FOLDERS}
            stems = {split: {Path(name).stem for name in names(after[split])} for split in after}
            assert maps["oracle_masks"] == stems["oracle"]
            assert stems["gold"] <= maps["masks"]
            assert not stems["oracle"] & maps["masks"]
    assert chosen[0] < chosen[1] < names(before["gold"]) < chosen[2]


@pytest.mark.parametrize("count", [0, 8, 100])
def test_a_number_that_the_labels_do_not_allow_is_refused(tmp_path, count):
    SAMPLES["detection"](tmp_path / "raw", SAMPLE)
    with pytest.raises(ValueError, match=f"expected from 1 to 7 gold images, found {count}"):
        with_gold_count(tmp_path / "raw", tmp_path / "other", count)
    assert not (tmp_path / "other").exists()


def test_a_root_is_only_copied_if_it_has_to_change(tmp_path):
    raw, output = tmp_path / "raw", tmp_path / "few"
    SAMPLES["detection"](raw, Sample(seed=0, gold=5, val=2, test=2, pool=3, width=96, height=80))
    assert copy_raw(raw, output, None, None) == raw
    assert not output.exists()
    assert copy_raw(raw, output, 48, 2) == output
    gold = read_coco(output / "gold.json")
    assert len(gold.images) == 2
    assert set(gold.images.widths) == {48}
    assert len(list(raw.glob("images/*"))) == len(list(output.glob("images/*"))) == 12
