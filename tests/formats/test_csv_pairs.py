import pytest

from pseudolabel.formats.csv_pairs import parse_pairs


def test_pairs_of_file_and_value(tmp_path):
    (tmp_path / "groups.csv").write_text("\ufefffile,group\na.png, one \nb/c.png,two\n", "utf-8")
    pairs, faults = parse_pairs(tmp_path / "groups.csv", "group")
    assert pairs == [("a.png", "one"), ("b/c.png", "two")]
    assert not faults


FAULTS = [
    ("no header", "a.png,one\n", "line 1: expected the columns file,group, found a.png,one"),
    ("an empty file", "", "line 1: expected the columns file,group, found nothing"),
    ("no value", "file,group\na.png,\n", "line 2: expected a file and a group, found a.png,"),
    (
        "a file twice",
        "file,group\na.png,one\na.png,two\n",
        "line 3: expected a unique file, found 'a.png' again",
    ),
]


@pytest.mark.parametrize(
    ("text", "message"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_each_fault_has_its_line(tmp_path, text, message):
    (tmp_path / "groups.csv").write_text(text, encoding="utf-8")
    _, (fault,) = parse_pairs(tmp_path / "groups.csv", "group")
    assert str(fault) == f"groups.csv: {message}"
