"""Valid and invalid data sets, one folder each; expected.txt has the message for an invalid one."""

from pathlib import Path

import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.splits.prepare import read_and_split
from tests.builders import splitting

GOLDEN = Path(__file__).parent / "golden"
SECTION = splitting(duplicate_distance=4)
INVALID = sorted(GOLDEN.glob("invalid/*/*"))
VALID = sorted(GOLDEN.glob("valid/*/*"))


def name_of(path):
    return f"{path.parent.name}-{path.name}"


@pytest.mark.parametrize("root", INVALID, ids=name_of)
def test_an_invalid_data_set_is_refused_with_the_exact_message(root):
    expected = (root / "expected.txt").read_text(encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_and_split(root, root.parent.name, SECTION, 0)
    assert str(caught.value).replace(str(root), root.name) == expected.rstrip("\n")


@pytest.mark.parametrize("root", VALID, ids=name_of)
def test_a_valid_data_set_is_read(root):
    prepared = read_and_split(root, root.parent.name, SECTION, 0)
    counts = {split: len(dataset.images) for split, dataset in prepared.splits.items()}
    assert counts.pop("pool") == 1
    assert sum(counts.values()) >= 3
