"""A raw root with fewer gold labels loses none: the others are in the oracle."""

from pathlib import Path

import pytest

from benchmarks.fewer_gold import fewer_gold
from benchmarks.lift_cases import copy_raw
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.params.sample import Sample
from pseudolabel.raw.sample import SAMPLES


@pytest.mark.parametrize("task", ["detection", "instance", "semantic"])
def test_labels_that_leave_gold_are_in_the_oracle(tmp_path, task):
    sample = Sample(seed=0, gold=5, val=2, test=2, pool=3, width=96, height=80)
    SAMPLES[task](tmp_path / "raw", sample)
    fewer_gold(tmp_path / "raw", tmp_path / "few", 2)
    before, after = (
        {split: read_coco(tmp_path / root / f"{split}.json") for split in ("gold", "oracle")}
        for root in ("raw", "few")
    )
    assert len(after["gold"].images) == 2
    moved = set(before["gold"].images.file_names) - set(after["gold"].images.file_names)
    assert len(moved) == 3
    assert set(after["oracle"].images.file_names) == set(before["oracle"].images.file_names) | moved
    for folder in {path.parent.name for path in (tmp_path / "raw").glob("oracle_masks/*")}:
        maps = {path.name for path in (tmp_path / "few" / folder).iterdir()}
        assert maps == {f"{Path(name).stem}.png" for name in after["oracle"].images.file_names}
    for name in ("images", "annotations"):
        counts = [
            sum(len(getattr(dataset, name)) for dataset in root.values())
            for root in (before, after)
        ]
        assert counts[0] == counts[1]


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
