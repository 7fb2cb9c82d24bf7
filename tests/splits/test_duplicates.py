import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import DataError
from pseudolabel.core.held_out import refuse_leaks
from pseudolabel.core.records import Images
from pseudolabel.splits.duplicates import DuplicateFinder, _nearest_hashes, near_pairs

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
@given(hash_lists(), hash_lists(), st.integers(0, 8))
def test_near_pairs_equal_a_comparison_of_all_pairs(values, others, distance):
    values, others = np.unique(values), np.unique(np.concatenate([others, values[::2]]))
    i, j, bits = near_pairs(values, others, distance)
    table = np.bitwise_count(values[:, None] ^ others[None])
    rows, columns = np.nonzero(table <= distance)
    expected = set(zip(rows.tolist(), columns.tolist(), strict=True))
    assert len(i) == len(expected)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == expected
    assert (bits == table[i, j]).all()


@settings(deadline=None)
@given(hash_lists(), hash_lists(), st.integers(0, 8))
def test_the_nearest_hash_equals_a_comparison_of_all_pairs(hashes, guarded, distance):
    guarded = guarded[: len(guarded) // 2 * 2].reshape(-1, 2)
    rows, bits = _nearest_hashes(hashes, guarded, distance)
    for value, row, found in zip(hashes, rows, bits, strict=True):
        table = np.bitwise_count(guarded ^ value).min(axis=1)
        if len(table) and table.min() <= distance:
            assert found == table.min()
            assert row == table.argmin()
        else:
            assert row == -1


def test_duplicates_have_both_files_the_kind_and_the_distance():
    images = named(["same", "copy", "near", "far", "frame 1", "single"], list("abcdef"))
    guarded = named(["same", "original", "similar", "frame 2"], list("xbyz"))
    hashes = {
        "same": 0,
        "copy": 0xFF00,
        "near": 0xFF0003,
        "far": 0xFF001F,
        "frame 1": 0xFF000000,
        "single": 0xFF << 32,
        "original": 0xFF << 40,
        "similar": 0xFF0000,
        "frame 2": 0xFF << 48,
    }
    hashes = {name: (value,) for name, value in hashes.items()}
    groups = {"frame 1": "video 1", "frame 2": "video 1", "single": "video 2"}
    pairs = DuplicateFinder(hashes, groups, 2).find(images, "gold", guarded, "test")
    assert [tuple(pair.row().values()) for pair in pairs] == [
        ("copy", "gold", "original", "test", "copy", None),
        ("frame 1", "gold", "frame 2", "test", "group", None),
        ("near", "gold", "similar", "test", "near-duplicate", 2),
        ("same", "gold", "same", "test", "copy", None),
    ]


def test_duplicate_groups_join_copies_near_duplicates_and_groups():
    images = named(list("abcdefg"), ["1", "1", "2", "3", "4", "5", "6"])
    # d and e differ in one bit, all others in at least eight bits.
    values = [0x0, 0xFF, 0xFF00, 0xFF0000, 0xFF0001, 0xFF000000, 0xFF00000000]
    hashes = {name: (value,) for name, value in zip("abcdefg", values, strict=True)}
    finder = DuplicateFinder(hashes, {"c": "one", "f": "one"}, 1)
    groups = finder.duplicate_groups(images)
    rows = [set(np.flatnonzero(groups == group)) for group in np.unique(groups)]
    assert sorted(rows, key=min) == [{0, 1}, {2, 5}, {3, 4}, {6}]


def test_without_perceptual_hashes_only_copies_and_groups_count():
    images, guarded = named(["a", "b"], ["1", "2"]), named(["c"], ["2"])
    pairs = DuplicateFinder({}, {}, 4).find(images, "pool", guarded, "val")
    assert [(pair.file, pair.twin, pair.kind) for pair in pairs] == [("b", "c", "copy")]


def test_an_image_that_is_trained_and_measured_on_is_an_error():
    trained, measured = named(["a", "b", "c"], list("123")), named(["b", "d"], list("93"))
    with pytest.raises(DataError) as caught:
        refuse_leaks({"gold": trained}, {"val": measured})
    assert [str(fault) for fault in caught.value.faults] == [
        (
            "gold (training data): image 'b': expected an image that is not in val, "
            "found the same image"
        ),
        (
            "gold (training data): image 'c': expected an image that is not in val, "
            "found a copy of 'd'"
        ),
    ]


def test_images_without_a_content_hash_are_no_copies_of_each_other():
    refuse_leaks({"gold": named(["a"])}, {"val": named(["b"])})
