"""Which images of gold are partly labelled, and which classes may be added there."""

import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.by_task import ObjectPrepare
from pseudolabel.splits.partial import partly_labelled
from pseudolabel.splits.prepare import prepare
from tests import builders

GOLD = builders.dataset(4)
NAMES = ["0001.png", "0002.png", "0003.png", "0004.png"]


def names_of(named):
    found = partly_labelled(GOLD, named)
    assert len(found.annotations) == 0
    return found.images.file_names.tolist(), found.class_names


def test_classes_images_or_both_are_partly_labelled():
    assert names_of(None) == ([], ["disc", "rod", "star"])
    assert names_of("all") == (NAMES, ["disc", "rod", "star"])
    assert names_of(["rod"]) == (NAMES, ["rod"])
    assert names_of(["x/0002.png"]) == (["0002.png"], ["disc", "rod", "star"])
    assert names_of(["star", "0001.png", "0004.png"]) == (["0001.png", "0004.png"], ["star"])


def test_all_unknown_names_are_listed():
    with pytest.raises(DataError) as error:
        partly_labelled(GOLD, ["rod", "plate", "9.png"])
    expected = (
        "params.yaml: prepare.partial: expected all, or names of classes or of images of gold"
    )
    lines = [str(fault) for fault in error.value.faults]
    assert lines == [f"{expected}, found 'plate'", f"{expected}, found '9.png'"]


def test_prepare_writes_images_of_gold_and_of_no_other_split(tmp_path):
    root = builders.raw_root(tmp_path / "raw", gold_count=12, pool_count=3, test=2)
    section = ObjectPrepare.model_validate(
        builders.splitting(0.25, tuning_share=0.5).model_dump() | {"partial": "all"}
    )
    prepare(root, tmp_path / "prepared", "detection", section, 0)
    ids = {
        path.name: set(SplitFolder(path).read().images.ids.tolist())
        for path in (tmp_path / "prepared").iterdir()
        if path.is_dir() and path.name != "plots"
    }
    assert ids["partial"] == ids["gold"] != set()
    assert not ids["partial"] & (ids["val"] | ids["tuning"] | ids["test"] | ids["pool"])
