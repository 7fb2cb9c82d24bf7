"""Objects of silver on partly labelled gold: only where no gold label is, with their source."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.formats.shards import read_shards, shard_path, write_shard
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.filter import ObjectFilter
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.merge import merge, merge_everything
from pseudolabel.silver.objects import BoxFilter
from tests import builders
from tests.silver.pool import random_predictions, write_predictions, write_prepared

# Gold has one box per image: (5, 5, 20 + number, 30) on images 1 to 4.
ON_GOLD = (6, 6, 21, 29)
BESIDE_GOLD = (40, 40, 60, 60)
ROWS = [
    (1, 1, ON_GOLD, 0.9),
    (1, 2, ON_GOLD, 0.9),
    (1, 1, BESIDE_GOLD, 0.8),
    (2, 2, BESIDE_GOLD, 0.4),
    (3, 3, (18, 28, 40, 50), 0.9),
    (3, 3, (70, 10, 90, 20), 0.1),
    # A big box around a small gold label.
    (2, 1, (0, 0, 99, 79), 0.9),
]


@pytest.fixture
def prepared(tmp_path):
    return write_prepared(tmp_path / "prepared")


def silver_of(folder, prepared, rows=ROWS, classes=builders.CATEGORIES, **changes):
    """Filter predictions for the pool, and for images 1 to 3 of gold."""
    images = SplitFolder(prepared / "gold").read().images[:3]
    SplitFolder(prepared / "partial").write(Dataset(images, Annotations.empty(), classes))
    write_predictions(folder / "predictions", random_predictions())
    write_shard(shard_path(folder / "predictions" / "partial", 0), builders.predictions(rows))
    values = {"score": 0.5, "hide_score": 0.3, "nms_iou": 0.9, "min_boxes": 1, "max_boxes": 100}
    section = builders.open_filter(ObjectFilter, **values | changes)
    write_silver(prepared, folder / "predictions", None, folder / "silver", section, BoxFilter)
    return folder / "silver"


def test_objects_are_added_where_no_gold_label_overlaps(prepared, tmp_path, capsys):
    silver = silver_of(tmp_path, prepared)
    added = read_shards(silver / "partial")
    found = list(
        zip(added.image_ids.tolist(), added.boxes_xyxy.tolist(), added.crowds, strict=True)
    )
    assert found == [
        (1, list(BESIDE_GOLD), False),
        (2, list(BESIDE_GOLD), True),
        (3, [18, 28, 40, 50], False),
    ]
    report = json.loads((silver / "report.json").read_text())["partial"]
    assert report == {
        "images": 3,
        "images_with_additions": 2,
        "added": {"disc": 1, "rod": 0, "star": 1},
        "hidden": 1,
        "overlapping_gold": 3,
    }
    assert (
        "gold: 2 objects added and 1 hidden on 3 partly labelled images; 3 left out because a gold "
        "label is there" in capsys.readouterr().out
    )


def test_only_the_classes_that_are_named_are_added(prepared, tmp_path):
    silver = silver_of(tmp_path, prepared, classes=builders.CATEGORIES[2:])
    assert set(read_shards(silver / "partial").category_ids.tolist()) == {3}


def test_merged_gold_has_the_source_of_each_object(prepared, tmp_path):
    silver = silver_of(tmp_path, prepared)
    merge(prepared, silver, tmp_path / "merged")
    merged = tmp_path / "merged"
    rows = json.loads((merged / "gold" / "coco.json").read_bytes())["annotations"]
    kinds = [row["source"] for row in rows]
    assert (kinds.count("gold"), kinds.count("silver")) == (4, 3)
    assert {(row["round"], row["teacher"]) for row in rows if row["source"] == "silver"} == {
        (1, "feed")
    }
    assert [row["image_id"] for row in rows] == sorted(row["image_id"] for row in rows)
    others = json.loads((merged / "silver" / "coco.json").read_bytes())["annotations"]
    ids = [row["id"] for row in rows + others]
    assert len(set(ids)) == len(ids)
    # The prepared gold, which the audit and later rounds read, is as it was.
    assert len(SplitFolder(prepared / "gold").read().annotations) == 4
    for split in ("val", "tuning"):
        SplitFolder(prepared / split).write(Dataset.empty(builders.CATEGORIES))
    merge_everything(merged, prepared, tmp_path / "everything")
    rows = json.loads((tmp_path / "everything" / "gold" / "coco.json").read_bytes())["annotations"]
    assert [row.get("teacher") for row in rows].count("feed") == 3


def test_complete_gold_is_copied(prepared, tmp_path):
    write_predictions(tmp_path / "predictions", random_predictions())
    section = builders.open_filter(ObjectFilter, score=0.5)
    silver = tmp_path / "silver"
    write_silver(prepared, tmp_path / "predictions", None, silver, section, BoxFilter)
    assert not (silver / "partial").exists()
    assert "partial" not in json.loads((silver / "report.json").read_text())
    merge(prepared, silver, tmp_path / "merged")
    copy = (tmp_path / "merged" / "gold" / "coco.json").read_bytes()
    assert copy == (prepared / "gold" / "coco.json").read_bytes()


def test_objects_on_other_images_are_refused(prepared, tmp_path):
    silver = silver_of(tmp_path, prepared)
    path = shard_path(silver / "partial", 0)
    rows = read_shards(silver / "partial")
    # Image 4 is in gold, but complete; image 11 is in the pool.
    write_shard(path, replace(rows, image_ids=np.array([1, 4, 11])))
    with pytest.raises(DataError) as error:
        merge(prepared, silver, tmp_path / "merged")
    assert [fault.record for fault in error.value.faults] == ["image id 4", "image id 11"]
