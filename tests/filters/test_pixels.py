import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.errors import ParamsError
from pseudolabel.filters.pixels import PixelRule
from pseudolabel.formats import tables
from pseudolabel.formats.label_maps import map_path, read_map
from pseudolabel.formats.prediction_maps import write_prediction_maps
from pseudolabel.params.semantic import SemanticFilter
from pseudolabel.records import LabelMaps, category_ids_of
from tests.builders import CATEGORIES, images, open_filter

POOL = images(3)
LABELS = np.array([[[0, 0], [1, 1]], [[2, 2], [2, 2]]], np.uint8)
SURE = np.array([[[255, 127], [204, 26]], [[200, 100], [100, 100]]], np.uint8)


@pytest.fixture
def shard(tmp_path):
    """Two images of four pixels, and a third that could not be read."""
    folder = tmp_path / "predictions"
    found = LabelMaps(POOL.ids[:2], list(LABELS), list(SURE))
    rows = write_prediction_maps(folder, found, category_ids_of(CATEGORIES), 2)
    path = tables.shard_path(folder, 0)
    tables.write_shard(path, rows, [POOL.file_names[2]])
    return tables.Shard(path, POOL)


def judge(shard, tmp_path, score, share=0.0):
    section = open_filter(SemanticFilter, score=score, min_confident=share)
    return PixelRule(CATEGORIES, section, 2).judge(shard, tmp_path / "silver")


def silver_map(tmp_path, image_id):
    return read_map(map_path(tmp_path / "silver", image_id)).tolist()


def test_doubtful_pixels_become_255(shard, tmp_path):
    judged = judge(shard, tmp_path, 0.5)
    assert silver_map(tmp_path, 1) == [[0, 255], [1, 255]]
    assert silver_map(tmp_path, 2) == [[2, 255], [255, 255]]
    rows = judged.silver
    assert rows.image_ids.tolist() == [1, 1, 2]
    assert rows.category_ids.tolist() == [1, 2, 3]
    assert rows.areas.tolist() == [1, 1, 1]
    assert rows.scores == pytest.approx([1.0, 204 / 255, 200 / 255])
    assert set(rows.rounds) == {2}


def test_a_threshold_a_class(shard, tmp_path):
    judge(shard, tmp_path, {"disc": 0.4, "rod": 0.9, "star": 0.3})
    assert silver_map(tmp_path, 1) == [[0, 0], [255, 255]]
    assert silver_map(tmp_path, 2) == [[2, 2], [2, 2]]


def test_thresholds_name_every_class(shard, tmp_path):
    with pytest.raises(ParamsError, match="each of disc, rod, star; found disc"):
        judge(shard, tmp_path, {"disc": 0.4})


def test_an_image_is_kept_by_its_share_of_confident_pixels(shard, tmp_path):
    judged = judge(shard, tmp_path, 0.5, share=0.5)
    assert [judged.counts.reasons.images[it] if it >= 0 else "" for it in judged.image_reasons] == [
        "",
        "min_confident",
        "unreadable",
    ]
    assert judged.left.tolist() == [2, 1, 0]
    assert not map_path(tmp_path / "silver", 2).exists()


def test_an_image_without_a_confident_pixel_goes_whatever_the_share(shard, tmp_path):
    judged = judge(shard, tmp_path, {"disc": 1.0, "rod": 1.0, "star": 1.0})
    assert judged.image_reasons.tolist() == [-1, 1, 0]
    assert silver_map(tmp_path, 1) == [[0, 255], [255, 255]]


def test_the_report_counts_pixels_by_class(shard, tmp_path):
    report = judge(shard, tmp_path, 0.5, share=0.5).counts.report(CATEGORIES)
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


def test_a_temperature_makes_confidences_milder(shard, tmp_path):
    section = open_filter(SemanticFilter, score=0.7)
    judged = PixelRule(CATEGORIES, section, 2, temperature=2.0).judge(shard, tmp_path / "silver")
    # 204 of 255 are 0.8, of odds 4: their square root is 2, a confidence of two thirds.
    assert silver_map(tmp_path, 1) == [[0, 255], [255, 255]]
    assert judged.reliabilities[0] == pytest.approx((1 + 0.5 + 0.667 + 0.25) / 4, abs=0.01)


@settings(deadline=None, max_examples=20)
@given(st.floats(0, 1), st.floats(0, 1))
def test_raising_a_threshold_never_adds_a_pixel(tmp_path_factory, one, other):
    tmp_path = tmp_path_factory.mktemp("maps")
    folder = tmp_path / "predictions"
    rng = np.random.default_rng(int(one * 1e6))
    labels, sure = (
        rng.integers(0, 3, (3, 6, 6), np.uint8),
        rng.integers(0, 256, (3, 6, 6), np.uint8),
    )
    found = LabelMaps(POOL.ids, list(labels), list(sure))
    rows = write_prediction_maps(folder, found, category_ids_of(CATEGORIES), 2)
    shard = tables.Shard(tables.shard_path(folder, 0), POOL)
    tables.write_shard(shard.path, rows)
    kept = []
    for score in sorted((one, other)):
        judged = judge(shard, tmp_path, score)
        assert judged.counts.dropped.sum() + judged.counts.kept.sum() == 108
        mine = np.zeros((3, 6, 6), bool)
        for row, reason in enumerate(judged.image_reasons):
            if reason < 0:
                mine[row] = read_map(map_path(tmp_path / "silver", row + 1)) != 255
        kept.append(mine)
    assert not (kept[1] & ~kept[0]).any()
