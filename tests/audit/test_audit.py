import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest

from pseudolabel.audit.classes import class_suspects
from pseudolabel.audit.objects import object_suspects
from pseudolabel.audit.pixels import pixel_suspects
from pseudolabel.audit.report import _suspect_picture, write_audit
from pseudolabel.audit.suspects import Suspect
from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.formats.prediction_store import shard_writer
from pseudolabel.formats.shards import shard_path, write_probabilities, write_shard
from pseudolabel.formats.split_folder import SplitFolder
from tests.builders import CATEGORIES, gold, images, predictions, write_image

LABELS = [
    (1, 1, (10, 10, 30, 30)),
    (1, 2, (50, 50, 70, 70)),
    (2, 1, (10, 10, 30, 30)),
    (2, 3, (60, 20, 80, 40)),
]


def suspects_of(tmp_path, rows, labels=LABELS):
    write_shard(shard_path(tmp_path, 0), predictions(rows))
    return object_suspects(Dataset(images(2), gold(labels), CATEGORIES), tmp_path)


def test_labels_that_predictions_confirm_are_no_suspects(tmp_path):
    rows = [(image_id, category_id, box, 0.8) for image_id, category_id, box in LABELS]
    assert not suspects_of(tmp_path, rows)


def test_labels_without_predictions_are_no_suspects(tmp_path):
    assert not suspects_of(tmp_path, [(1, 1, (10, 10, 30, 30), 0.8)])


def test_each_kind_of_suspect_is_found_and_sorted_by_quality(tmp_path):
    suspects = suspects_of(
        tmp_path,
        [
            (1, 3, (10, 10, 30, 31), 0.9),  # a different class than label 1
            (1, 2, (60, 50, 80, 70), 0.7),  # beside label 2
            (2, 1, (10, 10, 30, 30), 0.9),
            (2, 2, (40, 60, 55, 75), 0.8),  # an object without a label
            (2, 2, (41, 60, 56, 75), 0.3),  # the same object again
            (2, 1, (61, 20, 80, 40), 0.6),  # a different class than label 4,
            (2, 3, (60, 20, 80, 40), 0.5),  # which this prediction supports
        ],
    )
    assert [
        (suspect.kind, suspect.annotation_id, suspect.label, suspect.suggestion, suspect.quality)
        for suspect in suspects
    ] == [
        ("wrong class", 1, "disc", "star", 0.1),
        ("missed", None, "", "rod", 0.2),
        ("badly placed", 2, "rod", "rod", 0.3),
        ("wrong class", 4, "star", "disc", 0.9),
    ]
    assert suspects[2].box_xyxy == (50, 50, 70, 70)
    assert suspects[2].suggested_xyxy == (60, 50, 80, 70)


def test_crowds_are_never_suspects(tmp_path):
    write_shard(shard_path(tmp_path, 0), predictions([(1, 3, (10, 10, 30, 31), 0.9)]))
    rows = replace(gold(LABELS), crowds=np.array([True, False, False, False]))
    assert not object_suspects(Dataset(images(2), rows, CATEGORIES), tmp_path)


def test_an_object_inside_a_crowd_of_its_class_is_not_missed(tmp_path):
    small = [(1, 1, (20, 20, 26, 26), 0.9), (1, 2, (40, 40, 46, 46), 0.8)]
    write_shard(shard_path(tmp_path, 0), predictions(small))
    crowd = replace(gold([(1, 1, (0, 0, 80, 80))]), crowds=np.array([True]))
    suspects = object_suspects(Dataset(images(1), crowd, CATEGORIES), tmp_path)
    assert [(suspect.kind, suspect.suggestion) for suspect in suspects] == [("missed", "rod")]


def test_images_without_labels_or_predictions(tmp_path):
    suspects = suspects_of(tmp_path, [(1, 2, (1, 1, 9, 9), 0.4)], LABELS[2:])
    assert [(suspect.kind, suspect.file) for suspect in suspects] == [("missed", "0001.png")]


def test_images_with_another_most_probable_class_are_suspects(tmp_path):
    values = [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.05, 0.05, 0.9], [0.3, 0.3, 0.4]]
    order = np.array([3, 1, 2, 4])
    predicted = Probabilities(order, np.array(values, np.float32)[order - 1])
    write_probabilities(shard_path(tmp_path, 0), predicted)
    no_boxes = np.full((4, 4), np.nan, np.float32)
    rows = Annotations.gold(
        [5, 6, 7, 8], [1, 2, 3, 4], [1, 1, 2, 3], no_boxes, [0.0] * 4, [False] * 4
    )
    suspects = class_suspects(Dataset(images(4), rows, CATEGORIES), tmp_path)
    assert [
        (suspect.file, suspect.annotation_id, suspect.label, suspect.suggestion, suspect.quality)
        for suspect in suspects
    ] == [
        ("0003.png", 7, "rod", "star", pytest.approx(0.05)),
        ("0002.png", 6, "disc", "rod", pytest.approx(0.1)),
    ]


def test_classes_whose_pixels_have_mostly_another_prediction_are_suspects(tmp_path):
    labels = np.zeros((80, 100), np.uint8)
    labels[40:] = 1
    predicted = labels.copy()
    predicted[40:] = 2
    confidences = np.full((80, 100), 204, np.uint8)
    SplitFolder(tmp_path / "gold").write_label_map(1, labels)
    writer = shard_writer("pixels", tmp_path, len(CATEGORIES))
    writer.add(LabelMaps(np.array([1]), [predicted], [confidences]))
    writer.close(shard_path(tmp_path, 0), [])
    (suspect,) = pixel_suspects(Dataset(images(1), Annotations.empty(), CATEGORIES), tmp_path)
    assert (suspect.label, suspect.suggestion) == ("rod", "star")
    assert suspect.quality == pytest.approx(0.1)


@pytest.mark.parametrize("odd", [False, True], ids=["plain", "an odd class name"])
def test_the_table_and_the_page_show_all_suspects(tmp_path, odd):
    categories = CATEGORIES
    if odd:
        categories = (replace(CATEGORIES[0], name="&lt;b&gt; 'a' \"b\""), *CATEGORIES[1:])
    for number in (1, 2):
        write_image(tmp_path / "images" / f"000{number}.png", number, 100, 80)
    cross_fit = tmp_path / "cross_fit"
    SplitFolder(cross_fit / "gold").write(Dataset(images(2), gold(LABELS), categories))
    rows = [(1, 3, (10, 10, 30, 31), 0.9), (2, 2, (40, 60, 55, 75), 0.8)]
    write_shard(shard_path(cross_fit, 0), predictions(rows))
    for name in ("first", "second"):
        write_audit(cross_fit, tmp_path / "images", tmp_path / name, "detection")
    with (tmp_path / "first" / "suspects.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["rank"], row["file"], row["kind"]) for row in table] == [
        ("1", "0001.png", "wrong class"),
        ("2", "0002.png", "missed"),
    ]
    assert [table[0][column] for column in ("x1", "y2", "suggested_y2")] == ["10.0", "30.0", "31.0"]
    page = (tmp_path / "first" / "suspects.html").read_text()
    assert page.count("<figure>") == 2
    assert "<b>" not in page.replace("&amp;", "&")
    assert page == (tmp_path / "second" / "suspects.html").read_text()


def test_the_label_is_red_and_the_suggestion_is_green(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((80, 100, 3), 128, np.uint8))
    boxes = (10, 10, 30, 30), (40, 40, 60, 60)
    suspect = Suspect(0.1, "grey.png", "badly placed", 1, "a", "a", *boxes)
    jpeg = np.frombuffer(_suspect_picture(tmp_path, suspect, ""), np.uint8)
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    blue, green, red = (picture[..., channel].astype(int) for channel in range(3))
    assert ((red - green > 60) & (red - blue > 60)).sum() > 20
    assert ((green - red > 60) & (green - blue > 60)).sum() > 20
