"""A root with fewer gold labels loses none: they go to the oracle, whatever else is copied."""

from pathlib import Path

import pytest

from benchmarks.fewer_gold import fewer_gold
from benchmarks.lift import copied
from pseudolabel.formats.coco import read_coco
from pseudolabel.params.sections import Sample
from pseudolabel.tasks import TASKS


@pytest.mark.parametrize("task", ["detection", "instance", "semantic"])
def test_gold_that_goes_is_in_the_pool_and_known_to_the_oracle(tmp_path, task):
    sample = Sample(seed=0, gold=5, val=2, test=2, pool=3, width=96, height=80)
    TASKS[task].write_sample(tmp_path / "raw", sample)
    fewer_gold(tmp_path / "raw", tmp_path / "few", 2)
    before, after = (
        {it: read_coco(tmp_path / root / f"{it}.json") for it in ("gold", "oracle")}
        for root in ("raw", "few")
    )
    assert len(after["gold"].images) == 2
    gone = set(before["gold"].images.file_names) - set(after["gold"].images.file_names)
    assert len(gone) == 3
    assert set(after["oracle"].images.file_names) == set(before["oracle"].images.file_names) | gone
    for folder in {it.parent.name for it in (tmp_path / "raw").glob("oracle_masks/*")}:
        maps = {it.name for it in (tmp_path / "few" / folder).iterdir()}
        assert maps == {f"{Path(name).stem}.png" for name in after["oracle"].images.file_names}
    for name in ("images", "annotations"):
        counts = [sum(len(getattr(it, name)) for it in root.values()) for root in (before, after)]
        assert counts[0] == counts[1]


def test_a_root_is_shrunk_before_gold_is_taken_from_it_and_as_it_is_where_nothing_is_asked(
    tmp_path,
):
    raw, output = tmp_path / "raw", tmp_path / "few"
    TASKS["detection"].write_sample(
        raw, Sample(seed=0, gold=5, val=2, test=2, pool=3, width=96, height=80)
    )
    assert copied(raw, output, {}) == raw
    assert not output.exists()
    assert copied(raw, output, {"longest": 48, "gold": 2}) == output
    gold = read_coco(output / "gold.json")
    assert len(gold.images) == 2
    assert set(gold.images.widths) == {48}
    assert len(list(raw.glob("images/*"))) == len(list(output.glob("images/*"))) == 12
