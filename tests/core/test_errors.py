import pytest

from pseudolabel.core.errors import DataError, Fault, counted, plain_errors


def test_a_fault_is_one_line_of_at_most_200_characters():
    classes = f"a `category_id` of {list(range(1, 1204))}"
    line = str(Fault("gold.json", "annotation id 17", classes, "0"))
    assert len(line) <= 200
    assert line.startswith("gold.json: annotation id 17: expected a `category_id` of [1, 2, 3, ")
    assert line.endswith("1202, 1203], found 0")


@pytest.mark.parametrize("long", ["file", "record", "expected", "found"])
def test_a_long_part_leaves_the_other_parts_whole(long):
    parts = dict.fromkeys(["file", "record", "expected", "found"], "short\n") | {
        long: "long\0" * 99
    }
    line = str(Fault(**parts))
    assert len(line) <= 200
    assert line.isprintable()
    assert line.count(r"short\n") == 3


def test_short_faults_are_not_changed():
    assert str(Fault("a.json", "", "x" * 150, "y")) == f"a.json: expected {'x' * 150}, found y"


def test_a_few_faults_are_all_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faults = [
        Fault("gold.json", f"image id {number}", "an image file", "no file") for number in range(20)
    ]
    with pytest.raises(SystemExit) as caught, plain_errors():
        raise DataError(faults)
    lines = str(caught.value).splitlines()
    assert lines == ["error: 20 faults in the data:", *(f"  {fault}" for fault in faults)]
    assert list(tmp_path.iterdir()) == []


def test_many_faults_are_counted_by_kind_and_written_to_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faults.txt").write_text("of the last time")
    faults = [
        Fault("gold.json", f"image id {number}", "an image file", "no file")
        for number in range(10_000)
    ]
    faults += [Fault("val.json", "image id 7", "an image file", "no file")]
    with pytest.raises(SystemExit) as caught, plain_errors():
        raise DataError(faults)
    assert str(caught.value).splitlines() == [
        "error: 10,001 faults in the data:",
        "  gold.json: image id 0: expected an image file, found no file",
        "  gold.json: image id 1: expected an image file, found no file",
        "  gold.json: image id 2: expected an image file, found no file",
        "    and 9,997 more of this kind",
        "  val.json: image id 7: expected an image file, found no file",
        f"all faults: {tmp_path / 'faults.txt'}",
    ]
    assert (tmp_path / "faults.txt").read_text().splitlines() == list(map(str, faults))
    assert [path.name for path in tmp_path.iterdir()] == ["faults.txt"]


def test_many_kinds_of_faults_are_counted():
    faults = [Fault("gold.json", "", f"{number}", "x") for number in range(10_000)]
    lines = str(DataError(faults)).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 9,980 faults of 9,980 other kinds"


def test_many_faults_are_reported_in_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".faults.txt.aside" / "folder").mkdir(parents=True)
    (tmp_path / "faults.txt" / "folder").mkdir(parents=True)
    with pytest.raises(SystemExit, match="21 faults"), plain_errors():
        raise DataError([Fault("gold.json", "", "a", "b")] * 21)


def test_plural_forms():
    assert [counted(count, "fault") for count in (0, 1, 2, 1000)] == [
        "0 faults",
        "1 fault",
        "2 faults",
        "1,000 faults",
    ]
