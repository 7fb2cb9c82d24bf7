"""Numbers in texts, and fields that are kept."""

import pytest

from pseudolabel.raw.importers.json_values import other_fields, size_of, whole_number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (96, 96),
        (96.0, 96),
        ("96", 96),
        (" 96.0 ", 96),
        ("007", 7),
        ("-3", -3),
        ("9007199254740993", 9007199254740993),
        *(
            (value, None)
            for value in (96.5, "96.5", "nan", "inf", "1e3", "1_0", "", "x", True, None)
        ),
        *((value, None) for value in (float("nan"), float("inf"), 2**63, "9" * 30, [1], {})),
    ],
)
def test_whole_numbers(value, number):
    assert whole_number(value) == number


@pytest.mark.parametrize(
    ("sides", "size"),
    [((40, "30"), (40, 30)), ((0, 30), None), (("nan", 30), None), ((None, None), None)],
)
def test_sizes(sides, size):
    assert size_of(*sides) == size


def test_fields_are_kept_unless_they_are_known_empty_or_written_by_the_importer():
    row = {"score": 0, "wet": False, "note": "", "tags": [], "label": "x", "image_id": 3, "file": 1}
    assert other_fields(row, {"label"}) == {"score": 0, "wet": False}
