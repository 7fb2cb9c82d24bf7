"""Sound and faulty data sets, a folder each; a faulty one has the whole message in expected.txt."""

from pathlib import Path

import pytest

from pseudolabel.errors import DataError
from pseudolabel.prepare import read_and_split
from pseudolabel.tasks import TASKS
from tests.builders import splitting

GOLDEN = Path(__file__).parent / "golden"
SECTION = splitting(duplicate_distance=4)
INVALID = sorted(GOLDEN.glob("invalid/*/*"))
VALID = sorted(GOLDEN.glob("valid/*/*"))


def name_of(path):
    return f"{path.parent.name}-{path.name}"


@pytest.mark.parametrize("root", INVALID, ids=name_of)
def test_a_faulty_data_set_is_refused_with_the_exact_message(root):
    expected = (root / "expected.txt").read_text(encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_and_split(root, TASKS[root.parent.name], SECTION, 0)
    assert str(caught.value).replace(str(root), root.name) == expected.rstrip("\n")


@pytest.mark.parametrize("root", VALID, ids=name_of)
def test_a_sound_data_set_is_read(root):
    prepared = read_and_split(root, TASKS[root.parent.name], SECTION, 0)
    counts = {split: len(dataset.images) for split, dataset in prepared.splits.items()}
    assert counts.pop("pool") == 1
    assert sum(counts.values()) >= 3
