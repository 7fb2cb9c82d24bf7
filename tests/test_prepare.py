import shutil

import numpy as np
import orjson
import pytest

from pseudolabel.errors import DataError
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.prepare import prepare
from pseudolabel.split import split_off
from pseudolabel.tasks import TASKS
from tests.builders import dataset, raw_root

SPLITS = ("gold", "val", "test", "pool")


DETECTION = TASKS["detection"]


def prepared(root, output, val_share=0.25, seed=0, task=DETECTION):
    prepare(root, output, task, val_share, seed)
    report = orjson.loads((output / "report.json").read_bytes())
    return {split: read_coco(output / split / FILE) for split in SPLITS}, report


def test_val_is_split_off_gold_where_there_is_none(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=8)
    splits, report = prepared(root, tmp_path / "out")
    assert [len(splits[it].images) for it in SPLITS] == [6, 2, 0, 3]
    assert report["val_split_off_gold"]
    names = set(splits["gold"].images.file_names) | set(splits["val"].images.file_names)
    assert names == {f"gold/{it}.png" for it in range(8)}


def test_a_given_val_stays_as_it_is(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, val=2, test=2)
    splits, report = prepared(root, tmp_path / "out")
    assert [len(splits[it].images) for it in SPLITS] == [4, 2, 2, 3]
    assert not report["val_split_off_gold"]


def test_image_ids_are_unique_across_splits_and_annotations_follow(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, val=2, test=2)
    splits, _ = prepared(root, tmp_path / "out")
    ids = np.concatenate([splits[it].images.ids for it in SPLITS])
    assert sorted(ids) == list(range(1, 12))
    gold = splits["gold"]
    # The builder's n-th image has one box, of class 1 + n % 3.
    assert gold.annotations.image_ids.tolist() == gold.images.ids.tolist()
    assert gold.annotations.category_ids.tolist() == [2, 3, 1, 2]


def test_copies_of_val_and_test_leave_gold_and_pool(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=4, val=2, test=2)
    images = root / "images"
    shutil.copy(images / "val" / "0.png", images / "pool" / "1.png")
    shutil.copy(images / "test" / "1.png", images / "pool" / "2.png")
    shutil.copy(images / "gold" / "3.png", images / "pool" / "3.png")
    shutil.copy(images / "test" / "0.png", images / "gold" / "0.png")
    splits, report = prepared(root, tmp_path / "out")
    assert splits["pool"].images.file_names.tolist() == ["pool/0.png"]
    assert splits["gold"].images.file_names.tolist() == [f"gold/{it}.png" for it in (1, 2, 3)]
    assert report["copies_taken_out"] == {
        "test": [],
        "val": [],
        "gold": ["gold/0.png"],
        "pool": ["pool/1.png", "pool/2.png", "pool/3.png"],
    }
    hashes = [set(splits[it].images.hashes) for it in SPLITS]
    assert sum(map(len, hashes)) == len(set.union(*hashes))


def test_the_same_data_and_seed_give_the_same_bytes(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=8)
    for name in ("one", "two"):
        prepare(root, tmp_path / name, DETECTION, 0.25, seed=3)
    for split in SPLITS:
        file = f"{split}/{FILE}"
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_another_seed_splits_otherwise():
    whole = dataset(30)
    chosen = [
        split_off(whole, 0.3, np.random.default_rng(seed))[1].images.ids.tolist()
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_nothing_is_written_when_the_data_has_faults(tmp_path):
    root = raw_root(tmp_path / "raw")
    (root / "images" / "gold" / "1.png").unlink()
    with pytest.raises(DataError):
        prepare(root, tmp_path / "out", DETECTION, 0.25, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_an_empty_pool_is_refused(tmp_path):
    root = raw_root(tmp_path / "raw", pool_count=0)
    with pytest.raises(DataError, match="pool: expected at least one image"):
        prepare(root, tmp_path / "out", DETECTION, 0.25, 0)


def test_too_few_gold_images_to_split_val_off(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=1)
    with pytest.raises(DataError, match="enough to split val off, found 1 image and a share"):
        prepare(root, tmp_path / "out", DETECTION, 0.25, 0)
