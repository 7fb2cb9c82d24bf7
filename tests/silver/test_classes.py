import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.formats.shards import list_shards, read_probabilities, write_probabilities
from pseudolabel.params.filter import Filter
from pseudolabel.silver.classes import ClassFilter
from tests.builders import CATEGORIES, images, open_filter

VALUES = np.array(
    [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]],
    np.float32,
)


def write_shards(folder, values, size=2, unreadable=()):
    """Write shards with the (n, c) probabilities of the images 1 to n."""
    pool = images(len(values))
    shards = list_shards(folder, pool, size)
    for number, shard in enumerate(shards):
        rows = slice(number * size, (number + 1) * size)
        readable = ~np.isin(shard.images.file_names.astype(str), list(unreadable))
        predictions = Probabilities(
            shard.images.ids[readable], values[rows][readable].astype(np.float32)
        )
        names = [name for name in shard.images.file_names if name in unreadable]
        write_probabilities(shard.path, predictions, names)
    return shards


def filter_all(shards, folder, score=0.0, temperature=1.0):
    class_filter = ClassFilter(CATEGORIES, open_filter(Filter, score=score), 1, temperature)
    return [class_filter.filter_shard(shard, folder) for shard in shards]


def kept_images(results):
    return np.concatenate([result.silver.image_ids for result in results]).tolist()


CASES = [
    ("no threshold", 0.0, [1, 2, 3, 4, 5]),
    ("one threshold", 0.7, [1, 2, 3, 4]),
    ("one threshold per class", {"disc": 0.85, "rod": 0.0, "star": 0.5}, [1, 3, 4]),
]


@pytest.mark.parametrize(
    ("score", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_images_that_reach_their_threshold_are_kept(tmp_path, score, expected):
    results = filter_all(write_shards(tmp_path, VALUES), tmp_path, score)
    assert kept_images(results) == expected


def test_silver_is_the_most_probable_class_with_its_probability(tmp_path):
    first, second, _ = filter_all(write_shards(tmp_path, VALUES), tmp_path)
    assert first.silver.category_ids.tolist() == [1, 1]
    assert second.silver.category_ids.tolist() == [1, 2]
    assert second.silver.scores == pytest.approx([0.9, 0.7])
    assert np.isnan(first.silver.boxes_xyxy).all()


def test_the_report_counts_labels_and_images_by_reason(tmp_path):
    shards = write_shards(tmp_path, VALUES, unreadable=["0002.png"])
    first, second, third = filter_all(shards, tmp_path, score=0.5)
    report = (first.counts + second.counts + third.counts).report(CATEGORIES)
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
    shards = write_shards(tmp_path, VALUES, unreadable=["0003.png", "0004.png"])
    results = filter_all(shards, tmp_path)
    assert kept_images(results) == [1, 2, 5]
    assert results[1].image_reasons.tolist() == [0, 0]
    assert results[1].reliabilities.tolist() == [0, 0]


def test_a_temperature_above_one_lowers_high_probabilities(tmp_path):
    results = filter_all(write_shards(tmp_path, VALUES), tmp_path, score=0.7, temperature=2.0)
    # The square roots of 0.9, 0.1 and 0 are 0.949, 0.316 and 0. The first is 75% of their sum.
    assert results[0].silver.scores == pytest.approx([0.75], abs=1e-3)
    assert kept_images(results) == [1]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_adds_a_label(tmp_path_factory, seed, first, second):
    values = np.random.default_rng(seed).dirichlet(np.ones(3), 20)
    folder = tmp_path_factory.mktemp("shards")
    shards = write_shards(folder, values, 7)
    low, high = (filter_all(shards, folder, score) for score in sorted((first, second)))
    assert set(kept_images(high)) <= set(kept_images(low))
    assert sum(int(part.counts.dropped.sum() + part.counts.kept.sum()) for part in low) == 20


def test_the_scaled_probabilities_of_kept_images_are_written(tmp_path):
    shards = write_shards(tmp_path, VALUES)
    results = filter_all(shards, tmp_path / "silver", score=0.6, temperature=2.0)
    for shard, result in zip(shards, results, strict=True):
        silver = result.silver
        soft = read_probabilities(tmp_path / "silver" / "probabilities" / shard.path.name)
        assert soft.image_ids.tolist() == silver.image_ids.tolist()
        assert soft.values.max(axis=1) == pytest.approx(silver.scores)
        assert soft.values.sum(axis=1) == pytest.approx(np.ones(len(silver)))
