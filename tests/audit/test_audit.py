import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest

from pseudolabel.audit.images import image_suspects
from pseudolabel.audit.objects import object_suspects
from pseudolabel.audit.pixels import pixel_suspects
from pseudolabel.audit.suspects import Suspect
from pseudolabel.audit.writing import picture, write_audit
from pseudolabel.formats.coco import FILE, write_coco
from pseudolabel.formats.label_maps import map_path, write_map
from pseudolabel.formats.prediction_maps import confidence_path, label_path
from pseudolabel.formats.tables import shard_path, write_probabilities, write_shard
from pseudolabel.records import Annotations, Dataset, Probabilities
from pseudolabel.tasks import TASKS
from tests.builders import CATEGORIES, gold, images, predictions, write_image

LABELS = [
    (1, 1, (10, 10, 30, 30)),
    (1, 2, (50, 50, 70, 70)),
    (2, 1, (10, 10, 30, 30)),
    (2, 3, (60, 20, 80, 40)),
]


def judged(tmp_path, rows, labels=LABELS):
    write_shard(shard_path(tmp_path, 0), predictions(rows))
    dataset = Dataset(images(2), gold(labels), CATEGORIES)
    return dataset, object_suspects(dataset, tmp_path)


def test_labels_that_are_confirmed_are_no_suspects(tmp_path):
    _, found = judged(tmp_path, [(image, kind, box, 0.8) for image, kind, box in LABELS])
    assert not found


def test_labels_that_no_prediction_contradicts_are_no_suspects(tmp_path):
    assert not judged(tmp_path, [(1, 1, (10, 10, 30, 30), 0.8)])[1]


def test_kinds_of_doubt_and_their_order(tmp_path):
    _, found = judged(
        tmp_path,
        [
            (1, 3, (10, 10, 30, 31), 0.9),  # another class than gold's first label
            (1, 2, (60, 50, 80, 70), 0.7),  # beside gold's second label
            (2, 1, (10, 10, 30, 30), 0.9),
            (2, 2, (40, 60, 55, 75), 0.8),  # an object without a label
            (2, 2, (41, 60, 56, 75), 0.3),  # the same object again
            (2, 1, (61, 20, 80, 40), 0.6),  # another class than gold's fourth
            (2, 3, (60, 20, 80, 40), 0.5),  # which has support, too
        ],
    )
    said = [(it.kind, it.annotation_id, it.label, it.suggestion, it.quality) for it in found]
    assert said == [
        ("wrong class", 1, "disc", "star", 0.1),
        ("missed", None, "", "rod", 0.2),
        ("badly placed", 2, "rod", "rod", 0.3),
        ("wrong class", 4, "star", "disc", 0.9),
    ]
    assert found[2].box_xyxy == (50, 50, 70, 70)
    assert found[2].suggested_xyxy == (60, 50, 80, 70)


def test_crowds_are_neither_judged_nor_missed(tmp_path):
    write_shard(shard_path(tmp_path, 0), predictions([(1, 3, (10, 10, 30, 31), 0.9)]))
    rows = replace(gold(LABELS), crowds=np.array([True, False, False, False]))
    assert not object_suspects(Dataset(images(2), rows, CATEGORIES), tmp_path)


def test_images_without_labels_or_predictions(tmp_path):
    _, found = judged(tmp_path, [(1, 2, (1, 1, 9, 9), 0.4)], LABELS[2:])
    assert [(it.kind, it.file) for it in found] == [("missed", "0001.png")]


def test_classes_of_images(tmp_path):
    values = [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.05, 0.05, 0.9], [0.3, 0.3, 0.4]]
    order = np.array([3, 1, 2, 4])
    found = Probabilities(order, np.array(values, np.float32)[order - 1])
    write_probabilities(shard_path(tmp_path, 0), found)
    nothing = np.full((4, 4), np.nan, np.float32)
    rows = Annotations.gold(
        [5, 6, 7, 8], [1, 2, 3, 4], [1, 1, 2, 3], nothing, [0.0] * 4, [False] * 4
    )
    found = image_suspects(Dataset(images(4), rows, CATEGORIES), tmp_path)
    said = [(it.file, it.annotation_id, it.label, it.suggestion, it.quality) for it in found]
    assert said == [
        ("0003.png", 7, "rod", "star", pytest.approx(0.05)),
        ("0002.png", 6, "disc", "rod", pytest.approx(0.1)),
    ]


def test_regions_of_pixels(tmp_path):
    labels = np.zeros((80, 100), np.uint8)
    labels[40:] = 1
    said = labels.copy()
    said[40:] = 2
    write_map(map_path(tmp_path / "gold", 1), labels)
    write_map(label_path(tmp_path, 1), said)
    write_map(confidence_path(tmp_path, 1), np.full((80, 100), 204, np.uint8))
    rows = Annotations.empty()
    (found,) = pixel_suspects(Dataset(images(1), rows, CATEGORIES), tmp_path)
    assert (found.label, found.suggestion) == ("rod", "star")
    assert found.quality == pytest.approx(0.1)


@pytest.mark.parametrize("evil", [False, True], ids=["plain", "a class name of HTML"])
def test_the_table_and_the_page(tmp_path, evil):
    categories = CATEGORIES
    if evil:
        categories = (replace(CATEGORIES[0], name="<script>alert(1)</script>"), *CATEGORIES[1:])
    for number in (1, 2):
        write_image(tmp_path / "images" / f"000{number}.png", number, 100, 80)
    write_coco(tmp_path / "said" / "gold" / FILE, Dataset(images(2), gold(LABELS), categories))
    rows = [(1, 3, (10, 10, 30, 31), 0.9), (2, 2, (40, 60, 55, 75), 0.8)]
    write_shard(shard_path(tmp_path / "said", 0), predictions(rows))
    for name in ("one", "two"):
        write_audit(tmp_path / "said", tmp_path / "images", tmp_path / name, TASKS["detection"])
    with (tmp_path / "one" / "suspects.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["rank"], row["file"], row["kind"]) for row in table] == [
        ("1", "0001.png", "wrong class"),
        ("2", "0002.png", "missed"),
    ]
    assert [table[0][key] for key in ("x1", "y2", "suggested_y2")] == ["10.0", "30.0", "31.0"]
    page = (tmp_path / "one" / "suspects.html").read_text()
    assert page.count("<figure>") == 2
    assert "<script" not in page
    assert page == (tmp_path / "two" / "suspects.html").read_text()


def test_the_picture_shows_the_label_red_and_the_suggestion_green(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((80, 100, 3), 128, np.uint8))
    it = Suspect(0.1, "grey.png", "badly placed", 1, "a", "a", (10, 10, 30, 30), (40, 40, 60, 60))
    shown = cv2.imdecode(np.frombuffer(picture(tmp_path, it), np.uint8), cv2.IMREAD_COLOR)
    blue, green, red = (shown[..., channel].astype(int) for channel in range(3))
    assert ((red - green > 60) & (red - blue > 60)).sum() > 20
    assert ((green - red > 60) & (green - blue > 60)).sum() > 20
