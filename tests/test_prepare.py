import shutil

import cv2
import numpy as np
import orjson
import pytest

from pseudolabel.errors import DataError
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.prepare import prepare, said_of_missing
from pseudolabel.tasks import TASKS
from tests.builders import raw_root, splitting

SPLITS = ("gold", "val", "test", "pool")


DETECTION = TASKS["detection"]


def prepared(root, output, val_share=0.25, seed=0, task=DETECTION):
    prepare(root, output, task, splitting(val_share), seed)
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
    assert [(it["file"], it["twin"], it["kind"]) for it in report["taken_out"]] == [
        ("gold/0.png", "test/0.png", "copy"),
        ("pool/2.png", "test/1.png", "copy"),
        ("pool/1.png", "val/0.png", "copy"),
        ("pool/3.png", "gold/3.png", "copy"),
    ]
    hashes = [set(splits[it].images.hashes) for it in SPLITS]
    assert sum(map(len, hashes)) == len(set.union(*hashes))


def test_the_same_data_and_seed_give_the_same_bytes(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=8)
    for name in ("one", "two"):
        prepare(root, tmp_path / name, DETECTION, splitting(0.25), 3)
    for split in SPLITS:
        file = f"{split}/{FILE}"
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_another_seed_splits_otherwise(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=30)
    chosen = []
    for number, seed in enumerate((0, 0, 1)):
        prepare(root, tmp_path / str(number), DETECTION, splitting(0.3), seed)
        chosen.append(read_coco(tmp_path / str(number) / "val" / FILE).images.ids.tolist())
    assert chosen[0] == chosen[1] != chosen[2]


def test_nothing_is_written_when_the_data_has_faults(tmp_path):
    root = raw_root(tmp_path / "raw")
    (root / "images" / "gold" / "1.png").unlink()
    with pytest.raises(DataError):
        prepare(root, tmp_path / "out", DETECTION, splitting(0.25), 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_an_empty_pool_is_refused(tmp_path):
    root = raw_root(tmp_path / "raw", pool_count=0)
    with pytest.raises(DataError, match="pool: expected at least one image"):
        prepare(root, tmp_path / "out", DETECTION, splitting(0.25), 0)


def test_too_few_gold_images_to_split_val_off(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=1)
    with pytest.raises(
        DataError, match="at least 2 images that are no duplicates or of one group, found 1 of 1"
    ):
        prepare(root, tmp_path / "out", DETECTION, splitting(0.25), 0)


def like(source, target, change):
    """A near-duplicate: the same picture with one grey level changed, as saving it anew does."""
    pixels = cv2.imread(str(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target), np.clip(pixels.astype(int) + change, 0, 255).astype(np.uint8))


def report_of(root, output, **changes):
    prepare(root, output, DETECTION, splitting(**changes), 0)
    splits = {split: read_coco(output / split / FILE) for split in SPLITS}
    return splits, orjson.loads((output / "report.json").read_bytes())


def test_near_duplicates_of_val_and_test_leave_gold_and_pool(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=4, val=2, test=2)
    images = root / "images"
    like(images / "test" / "1.png", images / "pool" / "2.png", 1)
    like(images / "val" / "0.png", images / "gold" / "2.png", -2)
    splits, report = report_of(root, tmp_path / "out", duplicate_distance=4)
    assert splits["gold"].images.file_names.tolist() == [f"gold/{it}.png" for it in (0, 1, 3)]
    assert splits["pool"].images.file_names.tolist() == [f"pool/{it}.png" for it in (0, 1, 3)]
    taken = [(it["file"], it["twin"], it["kind"]) for it in report["taken_out"]]
    assert taken == [
        ("gold/2.png", "val/0.png", "near-duplicate"),
        ("pool/2.png", "test/1.png", "near-duplicate"),
    ]
    assert all(it["distance"] <= 4 for it in report["taken_out"])


def test_near_duplicates_and_groups_stay_in_one_split(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=12, pool_count=4)
    images = root / "images"
    for one in range(0, 6, 2):
        like(images / "gold" / f"{one}.png", images / "gold" / f"{one + 1}.png", 1)
    rows = [f"gold/{it}.png,place {it // 2}" for it in range(6, 12)]
    rows += [f"pool/{it}.png,place {3 + it}" for it in range(4)]
    (root / "groups.csv").write_text("\n".join(["file,group", *rows]) + "\n")
    for seed in range(3):
        output = tmp_path / str(seed)
        prepare(root, output, DETECTION, splitting(0.4, duplicate_distance=4), seed)
        val = set(read_coco(output / "val" / FILE).images.file_names)
        pairs = [{f"gold/{it}.png", f"gold/{it + 1}.png"} for it in range(0, 12, 2)]
        assert all(len(pair & val) in (0, 2) for pair in pairs)
        assert 0 < len(val) < 12
        # The pool's image 0 is of the place of gold's 6 and 7, and so on: it goes where they do.
        pool = set(read_coco(output / "pool" / FILE).images.file_names)
        for number in range(3):
            assert (f"pool/{number}.png" in pool) != (f"gold/{6 + 2 * number}.png" in val)


def test_faults_of_groups_csv(tmp_path):
    root = raw_root(tmp_path / "raw")
    (root / "groups.csv").write_text("file,group\ngold/0.png,a\ngold/9.png,a\ngold/0.png,b\n")
    with pytest.raises(DataError) as caught:
        prepare(root, tmp_path / "out", DETECTION, splitting(), 0)
    assert [str(it) for it in caught.value.faults] == [
        "groups.csv: line 4: expected a file of its own, found 'gold/0.png' again",
        "groups.csv: 'gold/9.png': expected an image of gold, val, test or the pool, found none",
    ]


def test_damaged_images_stop_where_labelled_and_leave_the_pool(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=5, pool_count=3)
    for name in ("pool/1.png", "gold/3.png"):
        path = root / "images" / name
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError) as caught:
        report_of(root, tmp_path / "out", duplicate_distance=4)
    assert [str(it) for it in caught.value.faults] == [
        (
            "gold.json: image id 4 (gold/3.png): expected an image that can be decoded, "
            "found a damaged file"
        )
    ]
    shutil.copy(root / "images" / "gold" / "0.png", root / "images" / "gold" / "3.png")
    splits, report = report_of(root, tmp_path / "out", duplicate_distance=4)
    assert report["unreadable"] == ["pool/1.png"]
    assert len(splits["pool"].images) == 2


@pytest.mark.parametrize(("val", "split"), [({}, "val"), ({"val": 3}, "held_out")])
def test_each_fold_leaves_out_another_part_of_gold(tmp_path, val, split):
    root = raw_root(tmp_path / "raw", gold_count=10, test=2, **val)
    left_out = []
    for fold in range(5):
        output = tmp_path / str(fold)
        splits, report = report_of(root, output, folds=5, fold=fold)
        assert report["fold"] == [fold, 5]
        part = set(read_coco(output / split / FILE).images.file_names)
        assert part | set(splits["gold"].images.file_names) == {
            f"gold/{it}.png" for it in range(10)
        }
        left_out += sorted(part)
        if val:
            assert len(splits["val"].images) == 3
    assert sorted(left_out) == [f"gold/{it}.png" for it in range(10)]


def test_test_images_join_the_pool_only_on_purpose(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=5, test=2)
    without, _ = report_of(root, tmp_path / "one")
    splits, report = report_of(root, tmp_path / "two", transductive=True)
    names = set(splits["pool"].images.file_names)
    assert names - set(without["pool"].images.file_names) == {"test/0.png", "test/1.png"}
    assert not len(splits["pool"].annotations)
    assert report["transductive"]
    ids = {
        split: dict(zip(it.images.file_names, it.images.ids.tolist(), strict=True))
        for split, it in splits.items()
    }
    assert all(ids["pool"][name] == it for name, it in ids["test"].items())


def test_the_report_tells_the_largest_deviation(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=13)
    _, report = report_of(root, tmp_path / "out")
    found = report["largest_deviation"]
    assert found["split"] in ("gold", "val")
    assert found["trait"] == "class"
    assert 0 < found["difference"] < 1


def test_many_near_duplicates_are_warned_of(tmp_path, capsys):
    root = raw_root(tmp_path / "raw", gold_count=5, pool_count=6, test=2)
    images = root / "images"
    for number in range(4):
        like(images / "test" / "0.png", images / "pool" / f"{number}.png", 1 + number)
    report_of(root, tmp_path / "out", duplicate_distance=4)
    said = capsys.readouterr().out
    assert "warning: 4 images left pool: near-duplicate of test; 2 stay." in said
    assert "lower prepare.duplicate_distance" in said


def test_a_pool_of_near_duplicates_alone_says_why_it_is_empty(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=5, pool_count=2, test=2)
    images = root / "images"
    for number in range(2):
        like(images / "test" / "0.png", images / "pool" / f"{number}.png", 1 + number)
    expected = r"found none \(2 left as near-duplicate: see prepare.duplicate_distance\)"
    with pytest.raises(DataError, match=expected):
        report_of(root, tmp_path / "out", duplicate_distance=4)


def test_a_few_copies_are_told_without_a_warning(tmp_path, capsys):
    root = raw_root(tmp_path / "raw", gold_count=5, pool_count=3, test=2)
    shutil.copy(root / "images" / "test" / "1.png", root / "images" / "pool" / "2.png")
    report_of(root, tmp_path / "out")
    said = capsys.readouterr().out
    assert "1 images left pool: copy of test; 2 stay" in said
    assert "warning" not in said


def tuned(root, output, **changes):
    prepare(root, output, DETECTION, splitting(**changes), 0)
    return {
        split: set(read_coco(output / split / FILE).images.file_names.tolist())
        for split in ("gold", "val", "tuning", "test", "pool")
    }


def test_a_part_of_val_is_set_aside_for_thresholds(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, val=8, test=2)
    whole = tuned(root, tmp_path / "whole")
    parts = tuned(root, tmp_path / "parts", tuning_share=0.5)
    assert (len(parts["val"]), len(parts["tuning"]), len(whole["tuning"])) == (4, 4, 0)
    assert parts["val"] | parts["tuning"] == whole["val"]
    assert not parts["val"] & parts["tuning"]
    assert all(parts[split] == whole[split] for split in ("gold", "test", "pool"))


def test_val_split_off_gold_is_split_again_and_folds_split_it_alike(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=16)
    parts = tuned(root, tmp_path / "parts", tuning_share=0.5)
    assert (len(parts["gold"]), len(parts["val"]), len(parts["tuning"])) == (12, 2, 2)
    root = raw_root(tmp_path / "with_val", gold_count=8, val=8)
    none = tuned(root, tmp_path / "none", tuning_share=0.5)
    fold = tuned(root, tmp_path / "fold", tuning_share=0.5, folds=4, fold=2)
    assert fold["tuning"] == none["tuning"]
    assert len(fold["gold"]) == 6


def test_a_val_of_one_image_stays_whole(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, val=1)
    parts = tuned(root, tmp_path / "parts", tuning_share=0.5)
    assert (len(parts["val"]), len(parts["tuning"])) == (1, 0)


def test_a_fold_is_held_out_whole_though_its_val_is_in_two(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=16)
    parts = tuned(root, tmp_path / "out", tuning_share=0.5, folds=4, fold=1)
    held_out = read_coco(tmp_path / "out" / "held_out" / FILE).images.file_names.tolist()
    assert set(held_out) == parts["val"] | parts["tuning"]
    assert (len(parts["val"]), len(parts["tuning"]), len(parts["gold"])) == (2, 2, 12)


def test_of_many_classes_without_gold_a_few_are_named():
    report = {"classes_without_gold": [f"class {it}" for it in range(994)]}
    said = said_of_missing(report)
    assert said.startswith("no gold label is of the class 'class 0', 'class 1'")
    assert said.endswith("'class 9' and 984 more")
