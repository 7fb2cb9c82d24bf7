import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import ParamsError
from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.formats.map_shards import MapShards, silver_maps_path
from pseudolabel.formats.prediction_store import shard_writer
from pseudolabel.formats.shards import Shard, shard_path
from pseudolabel.params.filter import SemanticFilter
from pseudolabel.silver.pixels import PixelFilter
from tests.builders import CATEGORIES, images, open_filter

POOL = images(3)
LABELS = np.array([[[0, 0], [1, 1]], [[2, 2], [2, 2]]], np.uint8)
CONFIDENCES = np.array([[[255, 127], [204, 26]], [[200, 100], [100, 100]]], np.uint8)


def write_predictions(folder, labels, confidences, unreadable=()):
    """Write a shard of the images 1 to 3 with label maps of the first of them."""
    maps = LabelMaps(POOL.ids[: len(labels)], list(labels), list(confidences))
    writer = shard_writer("pixels", folder, len(CATEGORIES))
    writer.add(maps)
    path = shard_path(folder, 0)
    writer.close(path, list(unreadable))
    return Shard(path, POOL)


@pytest.fixture
def shard(tmp_path):
    """Two images of four pixels, and a third one that could not be read."""
    folder = tmp_path / "predictions"
    return write_predictions(folder, LABELS, CONFIDENCES, [POOL.file_names[2]])


def filter_pixels(shard, tmp_path, score, min_confident=0.0, temperature=1.0):
    section = open_filter(SemanticFilter, score=score, min_confident=min_confident)
    pixel_filter = PixelFilter(CATEGORIES, section, 2, temperature)
    return pixel_filter.filter_shard(shard, tmp_path / "silver")


def silver_maps(tmp_path):
    return MapShards([silver_maps_path(shard_path(tmp_path / "silver", 0))])


def silver_map(tmp_path, image_id):
    return silver_maps(tmp_path).labels(image_id).tolist()


def test_uncertain_pixels_become_255(shard, tmp_path):
    result = filter_pixels(shard, tmp_path, 0.5)
    assert silver_map(tmp_path, 1) == [[0, 255], [1, 255]]
    assert silver_map(tmp_path, 2) == [[2, 255], [255, 255]]
    rows = result.silver
    assert rows.image_ids.tolist() == [1, 1, 2]
    assert rows.category_ids.tolist() == [1, 2, 3]
    assert rows.areas.tolist() == [1, 1, 1]
    assert rows.scores == pytest.approx([1.0, 204 / 255, 200 / 255])
    assert set(rows.rounds) == {2}


def test_thresholds_by_class(shard, tmp_path):
    filter_pixels(shard, tmp_path, {"disc": 0.4, "rod": 0.9, "star": 0.3})
    assert silver_map(tmp_path, 1) == [[0, 0], [255, 255]]
    assert silver_map(tmp_path, 2) == [[2, 2], [2, 2]]


def test_thresholds_by_class_must_have_every_class(shard, tmp_path):
    with pytest.raises(ParamsError, match="each of disc, rod, star; found disc"):
        filter_pixels(shard, tmp_path, {"disc": 0.4})


def test_an_image_needs_its_share_of_confident_pixels(shard, tmp_path):
    result = filter_pixels(shard, tmp_path, 0.5, min_confident=0.5)
    first, *others = result.image_reasons.tolist()
    assert first == -1
    names = PixelFilter.reasons.images
    assert [names[reason] for reason in others] == ["min_confident", "unreadable"]
    assert result.labels_left.tolist() == [2, 1, 0]
    assert silver_maps(tmp_path).image_ids.tolist() == [1]


def test_an_image_without_a_confident_pixel_is_always_dropped(shard, tmp_path):
    result = filter_pixels(shard, tmp_path, {"disc": 1.0, "rod": 1.0, "star": 1.0})
    assert result.image_reasons.tolist() == [-1, 1, 0]
    assert silver_map(tmp_path, 1) == [[0, 255], [255, 255]]


def test_the_report_counts_pixels_by_class(shard, tmp_path):
    report = filter_pixels(shard, tmp_path, 0.5, min_confident=0.5).counts.report(CATEGORIES)
    pixels = report["pixels"]
    assert pixels["in_by_class"] == {"disc": 2, "rod": 2, "star": 4}
    assert pixels["out_by_class"] == {"disc": 1, "rod": 1, "star": 0}
    assert pixels["dropped"]["score"] == {"disc": 1, "rod": 1, "star": 3}
    assert pixels["dropped"]["min_confident"] == {"disc": 0, "rod": 0, "star": 1}
    assert (pixels["in"], pixels["out"]) == (8, 2)
    dropped = report["images"]["dropped"]
    assert {name: count for name, count in dropped.items() if count} == {
        "unreadable": 1,
        "min_confident": 1,
    }


def test_a_temperature_above_one_lowers_high_confidences(shard, tmp_path):
    result = filter_pixels(shard, tmp_path, 0.7, temperature=2.0)
    # 204 / 255 is 0.8, which is odds of 4. The square root is 2, which is a confidence of 2/3.
    assert silver_map(tmp_path, 1) == [[0, 255], [255, 255]]
    assert result.reliabilities[0] == pytest.approx((1 + 0.5 + 0.667 + 0.25) / 4, abs=0.01)


@settings(deadline=None, max_examples=20)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_adds_a_pixel(tmp_path_factory, first, second):
    tmp_path = tmp_path_factory.mktemp("maps")
    rng = np.random.default_rng(int(first * 1e6))
    labels = rng.integers(0, 3, (3, 6, 6), np.uint8)
    confidences = rng.integers(0, 256, (3, 6, 6), np.uint8)
    shard = write_predictions(tmp_path / "predictions", labels, confidences)
    kept = []
    for score in sorted((first, second)):
        result = filter_pixels(shard, tmp_path, score)
        assert result.counts.dropped.sum() + result.counts.kept.sum() == 108
        labelled = np.zeros((3, 6, 6), bool)
        for row, reason in enumerate(result.image_reasons):
            if reason < 0:
                labelled[row] = np.array(silver_map(tmp_path, row + 1)) != 255
        kept.append(labelled)
    assert not (kept[1] & ~kept[0]).any()
