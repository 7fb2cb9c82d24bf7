import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.filters.images import ImageRule
from pseudolabel.formats import tables
from pseudolabel.params.filtering import Filter
from pseudolabel.records import Probabilities
from tests.builders import CATEGORIES, images, open_filter

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


def judge(shards, folder, score=0.0):
    rule = ImageRule(CATEGORIES, open_filter(Filter, score=score), 1)
    return [rule.judge(shard, folder) for shard in shards]


def kept(judged):
    return [int(it) for part in judged for it in part.silver.image_ids]


CASES = [
    ("nothing set", 0.0, [1, 2, 3, 4, 5]),
    ("one threshold", 0.7, [1, 2, 3, 4]),
    ("a threshold a class", {"disc": 0.85, "rod": 0.0, "star": 0.5}, [1, 3, 4]),
]


@pytest.mark.parametrize(
    ("score", "expected"), [it[1:] for it in CASES], ids=[it[0] for it in CASES]
)
def test_each_filter_keeps_what_it_says(tmp_path, score, expected):
    assert kept(judge(shards_of(tmp_path, VALUES), tmp_path, score)) == expected


def test_silver_is_the_most_probable_class_with_its_probability(tmp_path):
    judged = judge(shards_of(tmp_path, VALUES), tmp_path)
    assert judged[0].silver.category_ids.tolist() == [1, 1]
    assert judged[1].silver.category_ids.tolist() == [1, 2]
    assert judged[1].silver.scores == pytest.approx([0.9, 0.7])
    assert np.isnan(judged[0].silver.boxes_xyxy).all()


def test_the_report_shows_the_balance_before_and_after(tmp_path):
    shards = shards_of(tmp_path, VALUES, unreadable=["0002.png"])
    parts = judge(shards, tmp_path, score=0.5)
    report = (parts[0].counts + parts[1].counts + parts[2].counts).report(CATEGORIES)
    assert report["labels"]["in_by_class"] == {"disc": 2, "rod": 1, "star": 1}
    assert report["labels"]["out_by_class"] == {"disc": 2, "rod": 1, "star": 0}
    assert report["labels"]["out_shares"] == {"disc": 0.666667, "rod": 0.333333, "star": 0}
    assert report["labels"]["dropped"]["score"] == {"disc": 0, "rod": 0, "star": 1}
    assert report["images"]["out"] == 3
    assert report["images"]["dropped"] == {
        "unreadable": 1,
        "no_label": 1,
        "top_share": 0,
        "max_per_class": 0,
    }


def test_a_shard_of_unreadable_images_has_no_silver(tmp_path):
    shards = shards_of(tmp_path, VALUES, unreadable=["0003.png", "0004.png"])
    judged = judge(shards, tmp_path)
    assert kept(judged) == [1, 2, 5]
    assert judged[1].image_reasons.tolist() == [0, 0]
    assert judged[1].reliabilities.tolist() == [0, 0]


def test_a_temperature_makes_probabilities_milder(tmp_path):
    section = open_filter(Filter, score=0.7)
    rule = ImageRule(CATEGORIES, section, 1, temperature=2.0)
    shards = shards_of(tmp_path, VALUES)
    silver = [rule.judge(shard, tmp_path).silver for shard in shards]
    # The square root of 0.9, 0.1 and 0 is 0.949, 0.316 and 0: three quarters for the first.
    assert silver[0].scores == pytest.approx([0.75], abs=1e-3)
    assert [int(it) for part in silver for it in part.image_ids] == [1]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1))
def test_raising_a_threshold_never_adds_a_label(tmp_path_factory, seed, one, other):
    values = np.random.default_rng(seed).dirichlet(np.ones(3), 20)
    folder = tmp_path_factory.mktemp("shards")
    shards = shards_of(folder, values, 7)
    low, high = sorted((one, other))
    assert set(kept(judge(shards, folder, high))) <= set(kept(judge(shards, folder, low)))
    parts = judge(shards, folder, low)
    assert sum(int(part.counts.dropped.sum() + part.counts.kept.sum()) for part in parts) == 20


def test_the_probabilities_of_what_is_kept_are_written_at_the_temperature(tmp_path):
    shards = shards_of(tmp_path, VALUES)
    rule = ImageRule(CATEGORIES, open_filter(Filter, score=0.6), 1, temperature=2.0)
    for shard in shards:
        silver = rule.judge(shard, tmp_path / "silver").silver
        soft = tables.read_probabilities(tmp_path / "silver" / "probabilities" / shard.path.name)
        assert soft.image_ids.tolist() == silver.image_ids.tolist()
        assert soft.values.max(axis=1) == pytest.approx(silver.scores)
        assert soft.values.sum(axis=1) == pytest.approx(np.ones(len(silver)))
