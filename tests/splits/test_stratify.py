import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.datasets import concatenate
from pseudolabel.core.errors import DataError
from pseudolabel.core.records import Annotations, Category, Dataset, Images
from pseudolabel.splits.distributions import deviations, distributions_of, mean_deviation
from pseudolabel.splits.stratify import assign_parts
from tests.builders import dataset


def uneven_dataset(rng, images=120, classes=5):
    """Images of three sizes; their boxes differ in class, number, shape and size."""
    ids = list(range(1, images + 1))
    sizes = rng.choice([64, 128, 256], images)
    rows = []
    for image_id in ids:
        for _ in range(rng.geometric(0.2)):
            width, height = rng.lognormal(2.5, 0.7, 2).clip(1, 60)
            category_id = min(int(rng.geometric(0.5)), classes)
            rows.append((image_id, category_id, (0, 0, width, height)))
    boxes = np.array([row[2] for row in rows], np.float32)
    annotations = Annotations.gold(
        list(range(1, len(rows) + 1)),
        [row[0] for row in rows],
        [row[1] for row in rows],
        boxes,
        boxes[:, 2] * boxes[:, 3],
        [False] * len(rows),
    )
    categories = tuple(Category(number, f"class {number}") for number in range(1, classes + 1))
    return Dataset(
        Images.build(ids, [f"{image_id}.png" for image_id in ids], sizes, sizes),
        annotations,
        categories,
    )


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.2,) * 5], ids=["a hold-out", "five folds"])
def test_parts_deviate_at_most_half_as_much_as_random_ones(shares):
    stratified, random = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        data = uneven_dataset(rng, images=200)
        count, found = len(data.images), distributions_of(data)
        parts = assign_parts(data, np.arange(count), shares, rng)
        plain = rng.permutation(
            np.repeat(np.arange(len(shares)), np.round(np.multiply(shares, count)).astype(int))
        )
        for means, numbers in ((stratified, parts), (random, plain)):
            rows = [numbers == part for part in range(len(shares))]
            means.append(mean_deviation(found, rows))
    assert np.mean(stratified) < 0.5 * np.mean(random)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(2, 5), st.integers(6, 60))
def test_each_group_is_in_one_part_and_no_part_is_empty(seed, parts, count):
    rng = np.random.default_rng(seed)
    data = uneven_dataset(rng, count)
    groups = rng.integers(0, max(parts, count // 2), count)
    groups[:parts] = np.arange(parts)
    numbers = assign_parts(data, groups, [1 / parts] * parts, rng)
    assert set(numbers.tolist()) == set(range(parts))
    for group in np.unique(groups):
        assert len(set(numbers[groups == group].tolist())) == 1


def test_the_same_seed_gives_the_same_parts_and_another_seed_different_parts():
    data = uneven_dataset(np.random.default_rng(0))
    count = len(data.images)
    parts, same, different = (
        assign_parts(data, np.arange(count), (0.7, 0.3), np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert (parts == same).all()
    assert (parts != different).any()


def test_a_part_has_about_its_share_of_images():
    data = uneven_dataset(np.random.default_rng(3), images=200)
    numbers = assign_parts(data, np.arange(200), (0.8, 0.2), np.random.default_rng(0))
    assert 34 <= (numbers == 1).sum() <= 46


def test_fewer_groups_than_parts_are_an_error():
    expected = "at least 3 images that are neither duplicates nor of one group, found 2 of 4 images"
    with pytest.raises(DataError, match=expected):
        assign_parts(dataset(4), np.array([0, 0, 1, 1]), (0.4, 0.3, 0.3), np.random.default_rng(0))


def test_shares_of_all_images_add_up_to_one_and_do_not_deviate():
    data = uneven_dataset(np.random.default_rng(1))
    found = distributions_of(data)
    assert [distribution.name for distribution in found] == [
        "class",
        "labels per image",
        "box width to height",
        "label side (px)",
        "image side (px)",
        "share covered",
    ]
    every_image = np.ones(len(data.images), bool)
    assert all(trait.shares(every_image).sum() == pytest.approx(1) for trait in found)
    assert all(value == 0 for _, _, value in deviations(found, every_image))


def test_each_bin_has_about_a_quarter():
    data = uneven_dataset(np.random.default_rng(2), images=400)
    sizes = next(trait for trait in distributions_of(data) if trait.name == "label side (px)")
    assert sizes.shares(np.ones(400, bool)) == pytest.approx([0.25] * 4, abs=0.01)


def test_concatenated_data_sets_keep_every_row_under_new_ids():
    first, second = dataset(4), dataset(3)
    both = concatenate([first, second])
    assert len(set(both.images.ids.tolist())) == 7
    assert len(set(both.annotations.ids.tolist())) == 7
    names = dict(zip(both.images.ids.tolist(), both.images.file_names, strict=True))
    owners = [names[image_id] for image_id in both.annotations.image_ids.tolist()]
    assert owners == [*first.images.file_names, *second.images.file_names]
