import shutil

import numpy as np
import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.splits.messages import describe_missing_classes
from pseudolabel.splits.prepare import prepare
from tests.builders import raw_root, splitting
from tests.splits.prepared import file_names, prepare_detection

SPLITS = ("gold", "val", "test", "pool")


def counts(splits):
    return [len(splits[name].images) for name in SPLITS]


def test_val_is_split_off_gold_if_there_is_none(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=8)
    splits, report = prepare_detection(root, tmp_path / "out")
    assert counts(splits) == [6, 2, 0, 3]
    assert report["val_split_off_gold"]
    names = file_names(splits)
    assert names["gold"] | names["val"] == {f"gold/{number}.png" for number in range(8)}


def test_a_given_val_is_not_changed(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, val=2, test=2)
    splits, report = prepare_detection(root, tmp_path / "out")
    assert counts(splits) == [4, 2, 2, 3]
    assert not report["val_split_off_gold"]


def test_image_ids_are_unique_across_splits_and_annotations_have_them(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, val=2, test=2)
    splits, _ = prepare_detection(root, tmp_path / "out")
    ids = np.concatenate([splits[name].images.ids for name in SPLITS])
    assert sorted(ids) == list(range(1, 12))
    gold = splits["gold"]
    # The builder's n-th image has one box, of class 1 + n % 3.
    assert gold.annotations.image_ids.tolist() == gold.images.ids.tolist()
    assert gold.annotations.category_ids.tolist() == [2, 3, 1, 2]


def test_the_same_data_and_seed_give_the_same_bytes(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=8)
    for name in ("first", "second"):
        prepare(root, tmp_path / name, "detection", splitting(0.25), 3)
    for split in SPLITS:
        first, second = (
            (tmp_path / name / split / "coco.json").read_bytes() for name in ("first", "second")
        )
        assert first == second


def test_another_seed_gives_another_val(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=30)
    chosen = []
    for number, seed in enumerate((0, 0, 1)):
        splits, _ = prepare_detection(root, tmp_path / str(number), seed, val_share=0.3)
        chosen.append(splits["val"].images.ids.tolist())
    assert chosen[0] == chosen[1] != chosen[2]


def test_nothing_is_written_if_the_data_has_faults(tmp_path):
    root = raw_root(tmp_path / "raw")
    (root / "images" / "gold" / "1.png").unlink()
    with pytest.raises(DataError):
        prepare_detection(root, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_an_empty_pool_is_an_error(tmp_path):
    root = raw_root(tmp_path / "raw", pool_count=0)
    with pytest.raises(DataError, match="pool: expected at least one image"):
        prepare_detection(root, tmp_path / "out")


def test_too_few_gold_images_to_split_off_val_are_an_error(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=1)
    expected = "at least 2 images that are neither duplicates nor of one group, found 1 of 1"
    with pytest.raises(DataError, match=expected):
        prepare_detection(root, tmp_path / "out")


def test_faults_of_groups_csv_are_listed(tmp_path):
    root = raw_root(tmp_path / "raw")
    (root / "groups.csv").write_text("file,group\ngold/0.png,a\ngold/9.png,a\ngold/0.png,b\n")
    with pytest.raises(DataError) as caught:
        prepare_detection(root, tmp_path / "out")
    assert [str(fault) for fault in caught.value.faults] == [
        "groups.csv: line 4: expected a unique file, found 'gold/0.png' again",
        "groups.csv: 'gold/9.png': expected an image of gold, val, test or the pool, found none",
    ]


def test_damaged_labelled_images_are_errors_and_damaged_pool_images_are_left_out(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=5, pool_count=3)
    for name in ("pool/1.png", "gold/3.png"):
        path = root / "images" / name
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError) as caught:
        prepare_detection(root, tmp_path / "out", duplicate_distance=4)
    assert [str(fault) for fault in caught.value.faults] == [
        (
            "gold.json: image id 4 (gold/3.png): expected an image that can be decoded, "
            "found a damaged file"
        )
    ]
    shutil.copy(root / "images" / "gold" / "0.png", root / "images" / "gold" / "3.png")
    splits, report = prepare_detection(root, tmp_path / "out", duplicate_distance=4)
    assert report["unreadable"] == ["pool/1.png"]
    assert len(splits["pool"].images) == 2


def test_test_images_are_in_the_pool_only_if_transductive(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=5, test=2)
    inductive, _ = prepare_detection(root, tmp_path / "inductive")
    splits, report = prepare_detection(root, tmp_path / "transductive", transductive=True)
    added = file_names(splits)["pool"] - file_names(inductive)["pool"]
    assert added == {"test/0.png", "test/1.png"}
    assert not len(splits["pool"].annotations)
    assert report["transductive"]
    ids = {
        name: dict(zip(dataset.images.file_names, dataset.images.ids.tolist(), strict=True))
        for name, dataset in splits.items()
    }
    assert all(ids["pool"][name] == image_id for name, image_id in ids["test"].items())


def test_the_report_has_the_largest_deviation(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=13)
    _, report = prepare_detection(root, tmp_path / "out")
    largest = report["largest_deviation"]
    assert largest["split"] in ("gold", "val")
    assert largest["trait"] == "class"
    assert 0 < largest["difference"] < 1


def test_a_long_list_of_classes_without_gold_is_shortened():
    report = {"classes_without_gold": [f"class {number}" for number in range(994)]}
    message = describe_missing_classes(report)
    assert message.startswith("no gold label for the classes 'class 0', 'class 1'")
    assert message.endswith("'class 9' and 984 more")


def test_a_small_val_is_a_warning(tmp_path, capsys):
    prepare_detection(raw_root(tmp_path / "few", gold_count=8), tmp_path / "out")
    text = "warning: only 2 + 0 images in val and tuning: the choice of the champion"
    assert text in capsys.readouterr().out
    prepare_detection(raw_root(tmp_path / "more", gold_count=4, val=20), tmp_path / "more_out")
    assert "images in val and tuning" not in capsys.readouterr().out
