import os

import pytest

from pseudolabel.core.files import hash_bytes, hash_file, path_inside, write_json, written_aside


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, [1])

    def fail():
        with written_aside(path) as aside:
            aside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "[\n  1\n]\n"
    assert names(tmp_path) == ["a.json"]


def test_a_written_folder_replaces_the_old_one(tmp_path):
    for name in ("one", "two"):
        with written_aside(tmp_path / "out") as aside:
            aside.mkdir()
            (aside / name).touch()
    assert names(tmp_path / "out") == ["two"]


def test_json_has_the_same_bytes_for_any_order_of_keys(tmp_path):
    write_json(tmp_path / "one", {"a": 1, "b": 2})
    write_json(tmp_path / "two", {"b": 2, "a": 1})
    assert hash_file(tmp_path / "one") == hash_file(tmp_path / "two")


def test_file_and_bytes_have_the_same_hash(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert hash_file(tmp_path / "a") == hash_bytes(content)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "b/../../a", "a\0b"])
def test_names_that_lead_out_of_the_root_are_refused(tmp_path, name):
    assert path_inside(tmp_path / "root", name) is None


def test_a_name_in_the_root_gives_its_path(tmp_path):
    assert path_inside(tmp_path, "a/b.png") == tmp_path / "a" / "b.png"
