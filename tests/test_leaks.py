import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.errors import DataError
from pseudolabel.leaks import Likeness, near_pairs, nearest, refuse_leaks
from pseudolabel.records import Images

BITS = st.integers(0, 63)


def named(names, hashes=None):
    sides = [10] * len(names)
    return Images.build(list(range(1, len(names) + 1)), names, sides, sides, hashes)


@st.composite
def hash_lists(draw):
    """Random hashes, some of them copies of others with a few bits flipped."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    values = rng.integers(0, 2**64, draw(st.integers(0, 40)), dtype=np.uint64)
    if len(values):
        changed = values[rng.integers(0, len(values), 40)]
        for _ in range(draw(st.integers(0, 6))):
            changed ^= np.uint64(1) << rng.integers(0, 64, 40).astype(np.uint64)
        values = np.concatenate([values, changed])
    return values


@settings(deadline=None)
@given(hash_lists(), st.integers(0, 8))
def test_pairs_are_those_of_comparing_all_with_all(values, distance):
    values = np.unique(values)
    i, j, bits = near_pairs(values, distance)
    table = np.bitwise_count(values[:, None] ^ values[None])
    expected = set(
        zip(*(it.tolist() for it in np.nonzero(np.triu(table <= distance, 1))), strict=True)
    )
    assert len(i) == len(expected)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == expected
    assert (bits == table[i, j]).all()


@settings(deadline=None)
@given(hash_lists(), hash_lists(), st.integers(0, 8))
def test_the_nearest_is_that_of_comparing_all_with_all(looks, guarded, distance):
    rows, bits = nearest(looks, guarded, distance)
    for look, row, found in zip(looks, rows, bits, strict=True):
        table = np.bitwise_count(guarded ^ look)
        if len(table) and table.min() <= distance:
            assert found == table.min() == table[row]
        else:
            assert row == -1


def test_twins_are_told_with_both_files_the_kind_and_the_distance():
    images = named(["same", "copy", "near", "far", "mate", "alone"], list("abcdef"))
    guarded = named(["same", "original", "seen", "frame"], list("xbyz"))
    looks = {"same": 0, "copy": 0xFF00, "near": 0xFF0003, "far": 0xFF001F, "mate": 0xFF000000}
    looks |= {"alone": 0xFF << 32, "original": 0xFF << 40, "seen": 0xFF0000, "frame": 0xFF << 48}
    likeness = Likeness(looks, {"mate": "video 1", "frame": "video 1", "alone": "video 2"}, 2)
    found = [twin.row() for twin in likeness.twins(images, "gold", guarded, "test")]
    assert [tuple(row.values()) for row in found] == [
        ("copy", "gold", "original", "test", "copy", None),
        ("mate", "gold", "frame", "test", "group", None),
        ("near", "gold", "seen", "test", "near-duplicate", 2),
        ("same", "gold", "same", "test", "copy", None),
    ]


def test_families_join_copies_near_duplicates_and_groups():
    images = named(list("abcdefg"), ["1", "1", "2", "3", "4", "5", "6"])
    # d and e differ in one bit, all others in eight at least.
    values = [0x0, 0xFF, 0xFF00, 0xFF0000, 0xFF0001, 0xFF000000, 0xFF00000000]
    looks = dict(zip("abcdefg", values, strict=True))
    families = Likeness(looks, {"c": "one", "f": "one"}, 1).families(images)
    together = [set(np.flatnonzero(families == it)) for it in np.unique(families)]
    assert sorted(together, key=min) == [{0, 1}, {2, 5}, {3, 4}, {6}]


def test_without_perceptual_hashes_only_copies_and_groups_count():
    images, guarded = named(["a", "b"], ["1", "2"]), named(["c"], ["2"])
    found = Likeness({}, {}, 4).twins(images, "pool", guarded, "val")
    assert [(twin.file, twin.twin, twin.kind) for twin in found] == [("b", "c", "copy")]


def test_an_image_both_trained_and_measured_on_stops():
    trained, measured = named(["a", "b", "c"], list("123")), named(["b", "d"], list("93"))
    with pytest.raises(DataError) as caught:
        refuse_leaks({"gold": trained}, {"val": measured})
    assert [str(fault) for fault in caught.value.faults] == [
        "gold (to be trained on): image 'b': expected an image that val has not, found itself",
        (
            "gold (to be trained on): image 'c': expected an image that val has not, "
            "found a copy of its 'd'"
        ),
    ]


def test_images_without_a_content_hash_are_no_copies_of_each_other():
    refuse_leaks({"gold": named(["a"])}, {"val": named(["b"])})
