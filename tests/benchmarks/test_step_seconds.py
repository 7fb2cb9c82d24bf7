"""The table of times has a row per config, with its size and a time."""

import pytest

from benchmarks.step_seconds import ROOT, measure


@pytest.mark.slow
def test_each_config_has_a_row(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    rows = measure("classification", 6, tmp_path)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    names = [row[0] for row in cells]
    assert names == [f"`configs/classification/{name}.py`" for name in ("resnet18_small", "lite0")]
    assert [row[1] for row in cells] == ["64x64"] * 2
    for _, _, parameters, size, seconds in cells:
        # Four bytes per parameter, and the statistics of batch norms.
        assert float(size) == pytest.approx(4 * float(parameters), rel=0.05)
        assert float(seconds) > 0
