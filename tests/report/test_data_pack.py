"""Data files of pages in one Parquet file."""

import pyarrow.parquet as pq

from pseudolabel.report import data_pack
from pseudolabel.report.data_pack import DataPack, unpack
from tests.finding import contents


def test_files_come_back_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(data_pack, "_GROUP", 1000)
    files = {f"labels-{number:05d}.js": bytes([number]) * number * 40 for number in range(30)}
    for name in ("one", "other"):
        pack = DataPack(tmp_path / name)
        for file, content in files.items():
            pack.add(file, content)
        pack.close()
    # Memory is bounded: there are several row groups.
    assert pq.ParquetFile(tmp_path / "one").num_row_groups > 10
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    unpack(tmp_path / "one", tmp_path / "folder" / "deeper")
    assert contents(tmp_path / "folder" / "deeper") == files


def test_an_empty_pack_gives_an_empty_folder(tmp_path):
    DataPack(tmp_path / "pack").close()
    unpack(tmp_path / "pack", tmp_path / "folder")
    assert contents(tmp_path / "folder") == {}
