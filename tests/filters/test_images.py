import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.filters.images import ImageRule
from pseudolabel.formats import tables
from pseudolabel.params.classification import ClassificationFilter
from pseudolabel.records import Probabilities
from tests.builders import CATEGORIES, images

VALUES = np.array(
    [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]],
    np.float32,
)


def shards_of(folder, values, size=2, unreadable=()):
    """Shards of the images 1 to n with these probabilities."""
    pool = images(len(values))
    shards = tables.shards_of(folder, pool, size)
    for number, shard in enumerate(shards):
        own = slice(number * size, (number + 1) * size)
        seen = ~np.isin(pool.file_names[own].astype(str), list(unreadable))
        found = Probabilities(pool.ids[own][seen], values[own][seen].astype(np.float32))
        names = [name for name in shard.images.file_names if name in unreadable]
        tables.write_probabilities(shard.path, found, names)
    return shards


def judge(shards, folder, score=0.0, most=None):
    section = ClassificationFilter(alarms="off", alarm_factor=4, score=score, max_per_class=most)
    rule = ImageRule.over(shards, CATEGORIES, section, 1)
    return [rule.judge(shard, folder) for shard in shards]


def kept(judged):
    return [int(it) for part in judged for it in part.silver.image_ids]


CASES = [
    ("nothing set", 0.0, None, [1, 2, 3, 4, 5]),
    ("one threshold", 0.7, None, [1, 2, 3, 4]),
    ("a threshold a class", {"disc": 0.85, "rod": 0.0, "star": 0.5}, None, [1, 3, 4]),
    ("a cap keeps the surest over all shards", 0.0, 2, [1, 3, 4, 5]),
    ("of equally sure ones, the first", 0.0, 1, [1, 4, 5]),
    ("a cap counts what the threshold leaves", 0.85, 1, [1]),
]


@pytest.mark.parametrize(
    ("score", "most", "expected"), [it[1:] for it in CASES], ids=[it[0] for it in CASES]
)
def test_each_filter_keeps_what_it_says(tmp_path, score, most, expected):
    assert kept(judge(shards_of(tmp_path, VALUES), tmp_path, score, most)) == expected


def test_silver_is_the_most_probable_class_with_its_probability(tmp_path):
    judged = judge(shards_of(tmp_path, VALUES), tmp_path)
    assert judged[0].silver.category_ids.tolist() == [1, 1]
    assert judged[1].silver.category_ids.tolist() == [1, 2]
    assert judged[1].silver.scores == pytest.approx([0.9, 0.7])
    assert np.isnan(judged[0].silver.boxes_xyxy).all()


def test_the_report_shows_the_balance_before_and_after(tmp_path):
    shards = shards_of(tmp_path, VALUES, unreadable=["0002.png"])
    parts = judge(shards, tmp_path, score=0.5, most=1)
    total = parts[0].counts + parts[1].counts + parts[2].counts
    report = total.report(CATEGORIES)
    assert report["labels"]["in_by_class"] == {"disc": 2, "rod": 1, "star": 1}
    assert report["labels"]["out_by_class"] == {"disc": 1, "rod": 1, "star": 0}
    assert report["labels"]["dropped"]["score"] == {"disc": 0, "rod": 0, "star": 1}
    assert report["labels"]["dropped"]["max_per_class"] == {"disc": 1, "rod": 0, "star": 0}
    assert report["images"] == {"in": 5, "out": 2, "dropped": {"unreadable": 1, "no_label": 2}}


def test_a_shard_of_unreadable_images_has_no_silver(tmp_path):
    shards = shards_of(tmp_path, VALUES, unreadable=["0003.png", "0004.png"])
    judged = judge(shards, tmp_path, most=5)
    assert kept(judged) == [1, 2, 5]
    assert judged[1].image_reasons.tolist() == [0, 0]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 7))
def test_no_class_keeps_more_than_the_cap_and_none_less_sure(tmp_path_factory, seed, most, size):
    rng = np.random.default_rng(seed)
    # Rounded, so that there are equals.
    values = rng.dirichlet(np.ones(3), 30).round(1)
    folder = tmp_path_factory.mktemp("shards")
    parts = judge(shards_of(folder, values, size), folder, most=most)
    classes = values.astype(np.float32).argmax(axis=1)
    scores = values.astype(np.float32).max(axis=1)
    chosen = np.isin(np.arange(1, 31), kept(parts))
    for index in range(3):
        own = classes == index
        assert (own & chosen).sum() == min(most, own.sum())
        if (own & chosen).any() and (own & ~chosen).any():
            assert scores[own & chosen].min() >= scores[own & ~chosen].max()
    assert sum(int(part.counts.dropped.sum() + part.counts.kept.sum()) for part in parts) == 30
