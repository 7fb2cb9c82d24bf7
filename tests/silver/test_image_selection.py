"""Selecting images over the whole pool: the rules, and the counts after it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import ParamsError
from pseudolabel.core.files import hash_folder, read_json
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.formats.shards import (
    read_shards,
    shard_path,
    write_probabilities,
    write_stabilities,
)
from pseudolabel.formats.silver_folder import DECISIONS, kept_images
from pseudolabel.params.filter import Filter, ObjectFilter
from pseudolabel.silver.classes import ClassFilter
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.image_selection import LabelCounts, most_reliable, within_quotas
from pseudolabel.silver.objects import BoxFilter
from tests.builders import open_filter
from tests.silver.pool import (
    SHARD_IDS,
    random_predictions,
    write_predictions,
    write_prepared,
    write_teacher,
)


def label_counts(rows):
    """Label counts, given rows of image, class and count."""
    return LabelCounts(*(np.array(column) for column in zip(*rows, strict=True)))


def test_the_top_share_is_a_share_of_all_readable_images():
    reliabilities = np.array([0.9, 0.2, 0.8, 0.8, 0.1], np.float32)
    chosen = most_reliable(reliabilities, np.ones(5, bool), 0.5)
    assert np.flatnonzero(chosen).tolist() == [0, 2, 3]
    readable = np.array([False, True, True, True, True])
    chosen = most_reliable(reliabilities, readable, 0.5)
    assert np.flatnonzero(chosen).tolist() == [2, 3]
    # Of equally reliable images, the first one is taken.
    chosen = most_reliable(reliabilities, readable, 0.25)
    assert np.flatnonzero(chosen).tolist() == [2]


QUOTAS = [
    ("each class has its own quota", [(0, 0, 1), (1, 0, 1), (2, 1, 1)], 1, [True, False, True]),
    (
        "an image that a rare class needs stays with its common labels",
        [(0, 0, 2), (1, 0, 1), (1, 1, 1)],
        2,
        [True, True, True],
    ),
    (
        "the last image may exceed the quota",
        [(0, 0, 3), (1, 0, 3), (2, 0, 3)],
        4,
        [True, True, False],
    ),
    ("an image without labels stays", [(0, 0, 1), (1, 0, 1)], 1, [True, False, True]),
]


@pytest.mark.parametrize(
    ("rows", "quota", "expected"), [case[1:] for case in QUOTAS], ids=[case[0] for case in QUOTAS]
)
def test_images_that_fill_a_quota_are_chosen(rows, quota, expected):
    reliabilities = np.array([0.9, 0.8, 0.7], np.float32)
    chosen = within_quotas(label_counts(rows), reliabilities, np.ones(3, bool), quota)
    assert chosen.tolist() == expected


def test_the_most_reliable_images_fill_the_quota():
    reliabilities = np.array([0.1, 0.9, 0.5], np.float32)
    rows = label_counts([(0, 0, 1), (1, 0, 1), (2, 0, 1)])
    assert within_quotas(rows, reliabilities, np.ones(3, bool), 1).tolist() == [False, True, False]
    without_best = np.array([True, False, True])
    assert within_quotas(rows, reliabilities, without_best, 1).tolist() == [False, False, True]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 8))
def test_the_choice_is_that_of_a_plain_loop(seed, quota):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 3, (15, 3)) * rng.integers(0, 2, (15, 3))
    reliabilities = rng.random(15).round(1).astype(np.float32)
    kept = rng.random(15) < 0.8
    rows, classes = np.nonzero(table)
    labels = LabelCounts(rows, classes, table[rows, classes])
    chosen = within_quotas(labels, reliabilities, kept, quota)
    expected = kept.copy()
    order = sorted(np.flatnonzero(kept).tolist(), key=lambda row: (-reliabilities[row], row))
    for rank, row in enumerate(order):
        before = table[order[:rank]].sum(axis=0)
        present = table[row] > 0
        expected[row] = not present.any() or bool((before[present] < quota).any())
    assert chosen.tolist() == expected.tolist()


@pytest.fixture
def prepared(tmp_path):
    return write_prepared(tmp_path / "prepared")


def boxes(seed=0):
    return random_predictions(80, 10, seed)


def make_silver(tmp_path, section, task_filter=BoxFilter):
    """Filter, and return the silver and the report."""
    silver = tmp_path / "silver"
    write_silver(
        tmp_path / "prepared", tmp_path / "predictions", None, silver, section, task_filter
    )
    return read_shards(silver), read_json(silver / "report.json")


def totals(report, unit):
    """The number of predictions, and the sum of all outcomes."""
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
def test_counts_add_up_after_images_are_selected(tmp_path_factory, seed, score, share, quota):
    tmp_path = tmp_path_factory.mktemp("silver")
    prepared = write_prepared(tmp_path / "prepared")
    before = hash_folder(prepared)
    write_predictions(tmp_path / "predictions", boxes(seed))
    section = open_filter(
        ObjectFilter, score=score, hide_score=0.1, nms_iou=0.6, top_share=share, max_per_class=quota
    )
    silver, report = make_silver(tmp_path, section)
    assert totals(report, "annotations") == (80, 80)
    assert report["annotations"]["out"] == int((~silver.crowds).sum())
    assert sum(report["annotations"]["hidden_by_class"].values()) == int(silver.crowds.sum())
    assert (
        report["images"]["in"]
        == 10
        == report["images"]["out"] + sum(report["images"]["dropped"].values())
    )
    kept = kept_images(tmp_path / "silver" / DECISIONS)
    assert len(kept) == report["images"]["out"]
    assert set(silver.image_ids) <= set(kept)
    assert sum(map(sum, report["scores"]["counts"].values())) == report["annotations"]["out"]
    assert hash_folder(prepared) == before


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.1, 0.8), st.floats(0.1, 0.8))
def test_a_higher_threshold_adds_nothing_to_the_top_share(tmp_path_factory, seed, first, second):
    tmp_path = tmp_path_factory.mktemp("silver")
    write_prepared(tmp_path / "prepared")
    write_predictions(tmp_path / "predictions", boxes(seed))
    limits = {"hide_score": 0.1, "nms_iou": 0.6, "top_share": 0.5, "min_confident_share": 0.1}
    kept = []
    for score in sorted((first, second)):
        silver, _ = make_silver(tmp_path, open_filter(ObjectFilter, score=score, **limits))
        kept.append(set(silver.scores[~silver.crowds].tolist()))
    assert kept[1] <= kept[0]


@pytest.mark.usefixtures("prepared")
def test_the_most_probable_images_of_each_class_are_kept(tmp_path):
    values = np.full((10, 3), 0.05, np.float32)
    values[np.arange(10), np.arange(10) % 2] = np.linspace(0.5, 0.9, 10)
    write_teacher(tmp_path / "predictions")
    for number, ids in enumerate(SHARD_IDS):
        probabilities = Probabilities(ids, values[ids - 11])
        write_probabilities(shard_path(tmp_path / "predictions", number), probabilities)
    silver, report = make_silver(tmp_path, open_filter(Filter, max_per_class=2), ClassFilter)
    assert silver.image_ids.tolist() == [17, 18, 19, 20]
    assert report["images"]["dropped"]["max_per_class"] == 6
    assert totals(report, "labels") == (10, 10)
    assert report["labels"]["out_by_class"] == {"disc": 2, "rod": 2, "star": 0}


@pytest.mark.usefixtures("prepared")
def test_the_stability_of_images_must_be_measured_to_select_by_it(tmp_path):
    write_predictions(tmp_path / "predictions", boxes())
    section = open_filter(ObjectFilter, top_share=0.3, reliability="stability")
    with pytest.raises(ParamsError, match=r"not measured: set pseudo_label\.stability"):
        make_silver(tmp_path, section)
    for number, ids in enumerate(SHARD_IDS):
        shard = shard_path(tmp_path / "predictions", number)
        write_stabilities(shard, ids, (ids % 10 / 10).astype(np.float32))
    silver, report = make_silver(tmp_path, section)
    assert set(silver.image_ids) == {17, 18, 19}
    assert report["images"]["dropped"]["top_share"] == 7
