"""Label maps in shards: what is written is read back, in any order and in any process."""

import multiprocessing
import signal
import subprocess
import sys

import numpy as np
import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.formats import map_shards
from pseudolabel.formats.label_maps import encode_map
from pseudolabel.formats.map_shards import (
    CONFIDENCES,
    LABELS,
    MapShards,
    MapShardWriter,
    drop_maps,
)
from pseudolabel.formats.shards import read_unreadable, shard_path, shard_paths
from tests.conftest import ROOT

IDS = [3, 4, 5, *range(20, 61)]
"""Ids with gaps, and no whole number of row groups."""


def maps_of(image_id):
    """Labels and confidences; images have different sizes."""
    rng = np.random.default_rng(image_id)
    return rng.integers(0, 6, (2, 10 + image_id % 7, 12), np.uint8)


def write_shards(folder, size=20):
    """Write all images, with their confidences, in shards of some images."""
    writer = MapShardWriter(folder / ".unfinished", (LABELS, CONFIDENCES))
    for number, begin in enumerate(range(0, len(IDS), size)):
        for image_id in IDS[begin : begin + size]:
            writer.add(image_id, *map(encode_map, maps_of(image_id)))
        writer.close(shard_path(folder, number), [f"{number}.png"])
    return shard_paths(folder)


def test_maps_come_back_as_they_were_written(tmp_path):
    paths = write_shards(tmp_path)
    maps = MapShards(paths)
    assert maps.image_ids.tolist() == IDS
    for image_id in IDS:
        pngs = [encode_map(part) for part in maps_of(image_id)]
        assert maps.pngs(image_id, LABELS, CONFIDENCES) == pngs
        found = maps.prediction(image_id)
        assert found.image_ids.tolist() == [image_id]
        assert np.array_equal([found.labels[0], found.confidences[0]], maps_of(image_id))
    assert [read_unreadable(path) for path in paths] == [["0.png"], ["1.png"], ["2.png"]]
    assert sorted(tmp_path.iterdir()) == paths


def test_maps_are_read_in_any_order(tmp_path):
    maps = MapShards(write_shards(tmp_path))
    for image_id in np.random.default_rng(0).choice(IDS, 500).tolist():
        assert np.array_equal(maps.labels(image_id), maps_of(image_id)[0])


def test_one_random_read_decodes_few_images(tmp_path):
    maps = MapShards(write_shards(tmp_path))
    file = maps._file(0)
    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert groups == [8, 8, 4]


def test_the_same_maps_give_the_same_bytes(tmp_path):
    paths, others = write_shards(tmp_path / "a"), write_shards(tmp_path / "b")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in others]


def test_few_shards_are_open_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(map_shards, "_MOST_OPEN", 2)
    maps = MapShards(write_shards(tmp_path, size=6))
    first = maps._file(0)
    for image_id in [*IDS, *IDS]:
        assert np.array_equal(maps.labels(image_id), maps_of(image_id)[0])
        assert len(maps._open) <= 2
    assert first.closed


def read_in_child(maps, queue):
    found = [maps.labels(image_id).tolist() for image_id in IDS]
    queue.put((maps._process, found))


def test_a_forked_process_opens_the_shards_for_itself(tmp_path):
    maps = MapShards(write_shards(tmp_path))
    maps.labels(IDS[0])
    own = dict(maps._open)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=read_in_child, args=(maps, queue))
    process.start()
    found = [maps.labels(image_id).tolist() for image_id in IDS]
    assert queue.get(timeout=60) == (process.pid, found)
    process.join()
    assert process.exitcode == 0
    assert own.items() <= dict(maps._open).items()


def test_dropped_maps_leave_the_shard_that_never_had_them(tmp_path):
    for name, kept in (("all", IDS), ("some", IDS[1::2])):
        writer = MapShardWriter(tmp_path / f"{name}.unfinished")
        for image_id in kept:
            writer.add(image_id, encode_map(maps_of(image_id)[0]))
        writer.close(tmp_path / name)
    drop_maps(tmp_path / "all", IDS[::2])
    assert (tmp_path / "all").read_bytes() == (tmp_path / "some").read_bytes()


def test_a_shard_may_have_no_image(tmp_path):
    MapShardWriter(tmp_path / ".unfinished").close(shard_path(tmp_path, 0), ["a.png"])
    maps = MapShards([shard_path(tmp_path, 0)])
    assert len(maps.image_ids) == 0
    assert 3 not in maps
    assert read_unreadable(shard_path(tmp_path, 0)) == ["a.png"]


def test_an_image_without_maps_and_a_damaged_shard_are_named(tmp_path):
    paths = write_shards(tmp_path)
    maps = MapShards(paths)
    assert 6 not in maps
    with pytest.raises(DataError, match="image id 6: expected a label map in a shard, found none"):
        maps.labels(6)
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    with pytest.raises(DataError, match=r"shard-000001\.parquet: expected a shard"):
        MapShards(paths)


WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from tests.formats import test_map_shards as test
writer = test.MapShardWriter(Path(sys.argv[1]) / ".unfinished", (test.LABELS, test.CONFIDENCES))
for number, image_id in enumerate(test.IDS[:35]):
    writer.add(image_id, *map(test.encode_map, test.maps_of(image_id)))
    if number == 19:
        writer.close(test.shard_path(Path(sys.argv[1]), 0), ["0.png"])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_whole_shards_and_the_next_run_goes_on(tmp_path):
    command = [sys.executable, "-c", WRITE_AND_DIE, str(tmp_path / "killed")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    (kept,) = shard_paths(tmp_path / "killed")
    assert (tmp_path / "killed" / ".unfinished").stat().st_size > 0
    assert kept.read_bytes() == write_shards(tmp_path / "whole")[0].read_bytes()
    writer = MapShardWriter(tmp_path / "killed" / ".unfinished", (LABELS, CONFIDENCES))
    for image_id in IDS[20:40]:
        writer.add(image_id, *map(encode_map, maps_of(image_id)))
    writer.close(shard_path(tmp_path / "killed", 1), ["1.png"])
    paths = shard_paths(tmp_path / "killed")
    assert sorted((tmp_path / "killed").iterdir()) == paths
    whole = shard_paths(tmp_path / "whole")[:2]
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in whole]
