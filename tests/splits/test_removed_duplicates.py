"""Images with a duplicate in a split that is measured on are removed by prepare."""

import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from pseudolabel.core.errors import DataError
from tests.builders import coco, raw_root, write_json
from tests.image_kinds import HEIGHT, STORED, WIDTH, readable_kinds
from tests.splits.prepared import file_names, prepare_detection


def write_near_duplicate(source, target, change):
    """Write an image with another brightness: its perceptual hash hardly changes."""
    pixels = cv2.imread(str(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target), np.clip(pixels.astype(int) + change, 0, 255).astype(np.uint8))


def removed(report):
    return [(row["file"], row["twin"], row["kind"]) for row in report["removed"]]


def test_copies_of_val_and_test_are_removed_from_gold_and_pool(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=4, val=2, test=2)
    images = root / "images"
    shutil.copy(images / "val" / "0.png", images / "pool" / "1.png")
    shutil.copy(images / "test" / "1.png", images / "pool" / "2.png")
    shutil.copy(images / "gold" / "3.png", images / "pool" / "3.png")
    shutil.copy(images / "test" / "0.png", images / "gold" / "0.png")
    splits, report = prepare_detection(root, tmp_path / "out")
    assert splits["pool"].images.file_names.tolist() == ["pool/0.png"]
    expected = [f"gold/{number}.png" for number in (1, 2, 3)]
    assert splits["gold"].images.file_names.tolist() == expected
    assert removed(report) == [
        ("gold/0.png", "test/0.png", "copy"),
        ("pool/2.png", "test/1.png", "copy"),
        ("pool/1.png", "val/0.png", "copy"),
        ("pool/3.png", "gold/3.png", "copy"),
    ]
    hashes = [set(dataset.images.hashes) for dataset in splits.values()]
    assert sum(map(len, hashes)) == len(set.union(*hashes))


def test_near_duplicates_of_val_and_test_are_removed_from_gold_and_pool(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=4, val=2, test=2)
    images = root / "images"
    write_near_duplicate(images / "test" / "1.png", images / "pool" / "2.png", 1)
    write_near_duplicate(images / "val" / "0.png", images / "gold" / "2.png", -2)
    splits, report = prepare_detection(root, tmp_path / "out", duplicate_distance=4)
    for split in ("gold", "pool"):
        expected = [f"{split}/{number}.png" for number in (0, 1, 3)]
        assert splits[split].images.file_names.tolist() == expected
    assert removed(report) == [
        ("gold/2.png", "val/0.png", "near-duplicate"),
        ("pool/2.png", "test/1.png", "near-duplicate"),
    ]
    assert all(row["distance"] <= 4 for row in report["removed"])


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("turn", sorted(STORED))
def test_a_copy_with_another_exif_orientation_is_removed_from_gold(tmp_path, suffix, turn):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=2, test=1)
    name = f"turned{turn}.{suffix}"
    kinds = readable_kinds()
    (root / "images/gold" / name).write_bytes(kinds[name])
    (root / "images/test/upright.png").write_bytes(kinds["colour.png"])
    names = [*(f"gold/{number}.png" for number in range(4)), f"gold/{name}"]
    gold = coco(names)
    gold["images"][-1] |= {"width": WIDTH, "height": HEIGHT}
    write_json(root / "gold.json", gold)
    write_json(root / "test.json", coco(["test/upright.png"], width=WIDTH, height=HEIGHT))
    splits, report = prepare_detection(root, tmp_path / "out", duplicate_distance=4)
    assert removed(report) == [(f"gold/{name}", "test/upright.png", "near-duplicate")]
    assert f"gold/{name}" not in splits["gold"].images.file_names


@pytest.mark.parametrize("turn", list(Image.Transpose), ids=lambda turn: turn.name.lower())
def test_mirrored_and_turned_copies_are_removed_from_gold_and_pool(tmp_path, turn):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=4, val=2, test=2)
    images = root / "images"
    for split, target in (("test", images / "pool/2.png"), ("val", images / "pool/3.png")):
        with Image.open(images / split / "1.png") as image:
            image.transpose(turn).save(target)
    _, report = prepare_detection(root, tmp_path / "out", duplicate_distance=4)
    assert removed(report) == [
        ("pool/2.png", "test/1.png", "near-duplicate"),
        ("pool/3.png", "val/1.png", "near-duplicate"),
    ]


def test_turned_copies_stay_in_one_split(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=12, pool_count=2)
    images = root / "images/gold"
    for number in range(0, 12, 2):
        with Image.open(images / f"{number}.png") as image:
            image.transpose(Image.Transpose.ROTATE_180).save(images / f"{number + 1}.png")
    for seed in range(3):
        splits, _ = prepare_detection(
            root, tmp_path / str(seed), seed, val_share=0.4, duplicate_distance=4
        )
        val = file_names(splits)["val"]
        pairs = [{f"gold/{number}.png", f"gold/{number + 1}.png"} for number in range(0, 12, 2)]
        assert 0 < len(val) < 12
        assert all(len(pair & val) in (0, 2) for pair in pairs)


def test_near_duplicates_and_groups_stay_in_one_split(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=12, pool_count=4)
    images = root / "images" / "gold"
    for number in range(0, 6, 2):
        write_near_duplicate(images / f"{number}.png", images / f"{number + 1}.png", 1)
    rows = [f"gold/{number}.png,place {number // 2}" for number in range(6, 12)]
    rows += [f"pool/{number}.png,place {3 + number}" for number in range(4)]
    (root / "groups.csv").write_text("\n".join(["file,group", *rows]) + "\n")
    for seed in range(3):
        splits, _ = prepare_detection(
            root, tmp_path / str(seed), seed, val_share=0.4, duplicate_distance=4
        )
        val, pool = (file_names(splits)[name] for name in ("val", "pool"))
        pairs = [{f"gold/{number}.png", f"gold/{number + 1}.png"} for number in range(0, 12, 2)]
        assert all(len(pair & val) in (0, 2) for pair in pairs)
        assert 0 < len(val) < 12
        # Image n of the pool has the group of gold's images 6 + 2n and 7 + 2n. It is removed if
        # these are in val.
        for number in range(3):
            assert (f"pool/{number}.png" in pool) != (f"gold/{6 + 2 * number}.png" in val)


def test_many_near_duplicates_give_a_warning(tmp_path, capsys):
    root = raw_root(tmp_path / "raw", gold_count=5, pool_count=6, test=2)
    images = root / "images"
    for number in range(4):
        target = images / "pool" / f"{number}.png"
        write_near_duplicate(images / "test" / "0.png", target, 1 + number)
    prepare_detection(root, tmp_path / "out", duplicate_distance=4)
    printed = capsys.readouterr().out
    assert "warning: 4 images removed from pool: near-duplicate of test; 2 stay." in printed
    assert "lower prepare.duplicate_distance" in printed


def test_a_few_copies_are_listed_without_a_warning(tmp_path, capsys):
    root = raw_root(tmp_path / "raw", gold_count=5, pool_count=3, test=2)
    shutil.copy(root / "images" / "test" / "1.png", root / "images" / "pool" / "2.png")
    prepare_detection(root, tmp_path / "out")
    printed = capsys.readouterr().out
    assert "1 image removed from pool: copy of test; 2 stay" in printed
    assert "warning: 1 image" not in printed


def test_the_error_of_an_empty_pool_has_the_reason(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=5, pool_count=2, test=2)
    images = root / "images"
    for number in range(2):
        target = images / "pool" / f"{number}.png"
        write_near_duplicate(images / "test" / "0.png", target, 1 + number)
    expected = r"found none \(2 removed as near-duplicate: see prepare.duplicate_distance\)"
    with pytest.raises(DataError, match=expected):
        prepare_detection(root, tmp_path / "out", duplicate_distance=4)
