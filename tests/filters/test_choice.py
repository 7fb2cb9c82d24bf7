"""Which images of the whole pool are chosen: the plain rules, and that the counts stay right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.errors import ParamsError
from pseudolabel.files import read_json, write_json
from pseudolabel.filters.choice import Labels, top_share, within_quotas
from pseudolabel.filters.images import IMAGES
from pseudolabel.filters.objects import BOXES
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, write_coco
from pseudolabel.params.detection import ObjectFilter
from pseudolabel.params.filtering import Filter
from pseudolabel.records import Annotations, Dataset, Probabilities
from pseudolabel.silver import write_silver
from tests import builders


def labels(rows):
    """Rows of image, class and count."""
    return Labels(*(np.array(column) for column in zip(*rows, strict=True)))


def test_the_top_share_is_one_of_all_that_can_be_read():
    reliable = np.array([0.9, 0.2, 0.8, 0.8, 0.1], np.float32)
    section = builders.open_filter(Filter, top_share=0.5)
    assert top_share(reliable, np.ones(5, bool), section).tolist() == [
        True,
        False,
        True,
        True,
        False,
    ]
    readable = np.array([False, True, True, True, True])
    # Of equally reliable ones, the first.
    assert top_share(reliable, readable, section).tolist() == [False, False, True, True, False]


QUOTAS = [
    ("each class fills its own", [(0, 0, 1), (1, 0, 1), (2, 1, 1)], 1, [True, False, True]),
    (
        "a rare class brings a full one along",
        [(0, 0, 2), (1, 0, 1), (1, 1, 1)],
        2,
        [True, True, True],
    ),
    ("the last one may go over", [(0, 0, 3), (1, 0, 3), (2, 0, 3)], 4, [True, True, False]),
    ("images without a label stay", [(0, 0, 1), (1, 0, 1)], 1, [True, False, True]),
]


@pytest.mark.parametrize(
    ("rows", "most", "expected"), [it[1:] for it in QUOTAS], ids=[it[0] for it in QUOTAS]
)
def test_quotas(rows, most, expected):
    reliable = np.array([0.9, 0.8, 0.7], np.float32)
    chosen = within_quotas(labels(rows), reliable, np.ones(3, bool), most)
    assert chosen.tolist() == expected


def test_the_more_reliable_fill_the_quota():
    reliable = np.array([0.1, 0.9, 0.5], np.float32)
    rows = labels([(0, 0, 1), (1, 0, 1), (2, 0, 1)])
    assert within_quotas(rows, reliable, np.ones(3, bool), 1).tolist() == [False, True, False]
    without_best = np.array([True, False, True])
    assert within_quotas(rows, reliable, without_best, 1).tolist() == [False, False, True]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 8))
def test_quotas_are_those_of_the_plain_loop(seed, most):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 3, (15, 3)) * rng.integers(0, 2, (15, 3))
    reliable = rng.random(15).round(1).astype(np.float32)
    kept = rng.random(15) < 0.8
    rows, classes = np.nonzero(table)
    chosen = within_quotas(Labels(rows, classes, table[rows, classes]), reliable, kept, most)
    expected = kept.copy()
    order = sorted(np.flatnonzero(kept).tolist(), key=lambda it: (-reliable[it], it))
    for at, image in enumerate(order):
        before = table[order[:at]].sum(axis=0)
        own = np.flatnonzero(table[image])
        expected[image] = not len(own) or any(before[it] < most for it in own)
    assert chosen.tolist() == expected.tolist()


def prepare(folder):
    """Prepared data with a pool of 11 to 20."""
    write_coco(folder / "gold" / FILE, builders.dataset(4))
    for split, count in (("pool", 10), ("tuning", 0)):
        images = builders.images(count, first_id=11)
        write_coco(folder / split / FILE, Dataset(images, Annotations.empty(), builders.CATEGORIES))
    return folder


@pytest.fixture
def pool(tmp_path):
    return prepare(tmp_path / "prepared")


SHARDS = [np.arange(11, 15), np.arange(15, 19), np.arange(19, 21)]


def predict(folder, found):
    """Shards of the boxes found on the images 11 to 20."""
    for number, ids in enumerate(SHARDS):
        own = np.isin(found.image_ids, ids)
        tables.write_shard(tables.shard_path(folder, number), found[own])
    write_json(folder / tables.TEACHER, {"round": 1, "weights": "feed", "shard_images": 4})


def boxes(seed=0, count=80):
    found = builders.random_predictions(np.random.default_rng(seed), count, 10)
    found.image_ids[:] += 10
    return found


def silver_of(tmp_path, pool, section, filtering=BOXES):
    write_silver(pool, tmp_path / "predictions", None, tmp_path / "silver", section, filtering)
    return tables.read_shards(tmp_path / "silver"), read_json(tmp_path / "silver" / "report.json")


def totals(report, unit):
    counts = report[unit]
    dropped = sum(sum(row.values()) for row in counts["dropped"].values())
    return counts["in"], dropped + sum(counts["hidden_by_class"].values()) + counts["out"]


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**31),
    st.floats(0.2, 0.6),
    st.sampled_from([0.3, 1.0]),
    st.sampled_from([None, 3]),
)
def test_counts_add_up_whatever_is_chosen(tmp_path_factory, seed, score, share, most):
    tmp_path = tmp_path_factory.mktemp("silver")
    folder = tmp_path / "prepared"
    write_coco(folder / "gold" / FILE, builders.dataset(4))
    for split, count in (("pool", 10), ("tuning", 0)):
        images = builders.images(count, first_id=11)
        write_coco(folder / split / FILE, Dataset(images, Annotations.empty(), builders.CATEGORIES))
    gold = (folder / "gold" / FILE).read_bytes()
    predict(tmp_path / "predictions", boxes(seed))
    section = builders.open_filter(
        ObjectFilter, score=score, hide_score=0.1, nms_iou=0.6, top_share=share, max_per_class=most
    )
    silver, report = silver_of(tmp_path, folder, section)
    assert totals(report, "annotations") == (80, 80)
    assert report["annotations"]["out"] == int((~silver.crowds).sum())
    assert sum(report["annotations"]["hidden_by_class"].values()) == int(silver.crowds.sum())
    assert (
        report["images"]["in"]
        == 10
        == report["images"]["out"] + sum(report["images"]["dropped"].values())
    )
    kept = tables.kept_images(tmp_path / "silver" / tables.DECISIONS)
    assert len(kept) == report["images"]["out"]
    assert set(silver.image_ids) <= set(kept)
    assert sum(map(sum, report["scores"]["counts"].values())) == report["annotations"]["out"]
    assert (folder / "gold" / FILE).read_bytes() == gold


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.1, 0.8), st.floats(0.1, 0.8))
def test_raising_a_threshold_adds_nothing_to_the_top_share(tmp_path_factory, seed, one, other):
    tmp_path = tmp_path_factory.mktemp("silver")
    folder = prepare(tmp_path / "prepared")
    predict(tmp_path / "predictions", boxes(seed))
    found = []
    for score in sorted((one, other)):
        section = builders.open_filter(
            ObjectFilter, score=score, hide_score=0.1, nms_iou=0.6, top_share=0.5, min_sure=0.1
        )
        silver, _ = silver_of(tmp_path, folder, section)
        found.append(set(silver.scores[~silver.crowds].tolist()))
    assert found[1] <= found[0]


def test_a_class_of_images_keeps_the_surest(tmp_path, pool):
    values = np.full((10, 3), 0.05, np.float32)
    values[np.arange(10), np.arange(10) % 2] = np.linspace(0.5, 0.9, 10)
    predict(tmp_path / "predictions", Annotations.empty())
    for number, ids in enumerate(SHARDS):
        found = Probabilities(ids, values[ids - 11])
        tables.write_probabilities(tables.shard_path(tmp_path / "predictions", number), found)
    section = builders.open_filter(Filter, max_per_class=2)
    silver, report = silver_of(tmp_path, pool, section, IMAGES)
    assert silver.image_ids.tolist() == [17, 18, 19, 20]
    assert report["images"]["dropped"]["max_per_class"] == 6
    assert totals(report, "labels") == (10, 10)
    assert report["labels"]["out_by_class"] == {"disc": 2, "rod": 2, "star": 0}


def test_stability_decides_where_it_was_measured(tmp_path, pool):
    predict(tmp_path / "predictions", boxes())
    section = builders.open_filter(ObjectFilter, top_share=0.3, reliability="stability")
    with pytest.raises(ParamsError, match=r"not measured: set pseudo_label\.stability"):
        silver_of(tmp_path, pool, section)
    for number, ids in enumerate(SHARDS):
        shard = tables.shard_path(tmp_path / "predictions", number)
        tables.write_stabilities(shard, ids, (ids % 10 / 10).astype(np.float32))
    silver, report = silver_of(tmp_path, pool, section)
    assert set(silver.image_ids) == {17, 18, 19}
    assert report["images"]["dropped"]["top_share"] == 7
