"""Sound files with changed bytes are read, or refused with a plain error, within seconds.

`HYPOTHESIS=search python -m pytest tests/test_byte_fuzz.py` tries 2,000 new changes per file.
"""

import os
import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import PseudolabelError
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Annotations, Category
from pseudolabel.formats.label_maps import encode_map
from pseudolabel.formats.map_shards import CONFIDENCES, MapShards, MapShardWriter
from pseudolabel.formats.map_shards import LABELS as LABELS_COLUMN
from pseudolabel.formats.shards import (
    read_probabilities,
    read_shard,
    read_unreadable,
    write_probabilities,
    write_shard,
)
from pseudolabel.formats.weights_record import read_record
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.models.trained import read_trained_config
from pseudolabel.params.loading import load_params
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.review.batch import Batch
from pseudolabel.review.coco_exchange import read_corrected
from pseudolabel.review.labels import Label, LabelledImage, to_coco
from pseudolabel.splits.prepare import read_and_split
from tests.builders import splitting
from tests.conftest import SMALL, tiny_params
from tests.formats.teacher_files.prepared_splits import read as read_predictions
from tests.formats.teacher_files.prepared_splits import (
    result,
    write_lines,
    write_maps,
    write_prepared,
    write_results,
    write_table,
)
from tests.formats.teacher_files.test_tables_and_maps import HEADER, LABELS

EXAMPLES = 2_000 if os.environ.get("HYPOTHESIS") == "search" else 25
TOKENS = [b"\x00", b"\xff" * 8, b"-1", b"1e999", b"NaN", b"null", b'"', b"{", b"]", b"../", b"\n"]


@st.composite
def changes(draw):
    """Where in a file, as a share of its length, which bytes are taken out, and what comes in."""
    place = draw(st.floats(0, 1))
    removed = draw(st.sampled_from([0, 1, 2, 8, 64, 4096]))
    added = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=16)))
    return place, removed, added


def changed(content, edits):
    for place, removed, added in edits:
        start = int(place * len(content))
        content = content[:start] + added + content[start + removed :]
    return content


def shard(path):
    boxes = np.array([[1, 2, 10, 12], [3, 3, 9, 9]], np.float32)
    ids, scores = np.array([1, 2]), np.array([0.5, 0.9], np.float32)
    write_shard(path, Annotations.predicted(ids, np.ones(2, np.int32), boxes, scores, 1), ["a.png"])


def maps(path):
    writer = MapShardWriter(path.with_suffix(".unfinished"), (LABELS_COLUMN, CONFIDENCES))
    for image_id in (1, 2):
        writer.add(image_id, *[encode_map(np.full((6, 9), image_id, np.uint8))] * 2)
    writer.close(path, ["a.png"])


def probabilities(path):
    values = np.array([[0.2, 0.8], [0.5, 0.5]], np.float32)
    write_probabilities(path, Probabilities(np.array([1, 2]), values))


def weights(path):
    save_weights(path, {"backbone.weight": torch.ones(3, 4), "head.bias": torch.zeros(2)})


def config(path):
    model = {"type": "RTMDet", "backbone": {"type": "ResNet", "depth": 18}}
    content = {"task": "detection", "image_size": [96, 96], "model": model}
    content["categories"] = [{"id": 1, "name": "disc"}]
    path.write_bytes(orjson.dumps(content))


def parameters(path):
    path.write_text(yaml.safe_dump(tiny_params(path.parent).model_dump(mode="json")))


TABLE = [["3.png", 0.1, 0.7, 0.2], ["4.png", 0, 1, 0]]


def results(path):
    polygon = [[2, 3, 12, 3, 12, 15, 2, 15]]
    write_results(path, [result(name, segmentation=polygon) for name in ("3.png", "4.png")])


def parquet(path):
    columns = zip(HEADER, zip(*TABLE, strict=True), strict=True)
    pq.write_table(pa.table(dict(columns)), path)


def teacher_reader(task, folder=None):
    """Return a function that reads a file of predictions, or the folder that it is in."""

    def read_teacher(path):
        prepared = Path("splits")
        if not prepared.exists():
            write_prepared(prepared)
        source = path.parents[folder] if folder is not None else path
        known = read_predictions(source, prepared, task)
        known.find(np.array([3, 4, 5]))

    return read_teacher


CLASSES = (Category(1, "disc"), Category(2, "rod"))
SENT = LabelledImage("a.png", 40, 30, (Label("disc", (1.0, 2.0, 10.0, 12.0), score=0.5),))


def sent(path):
    values = {"number": 1, "round": 1, "teacher": "0", "by": "doubt", "tool": "coco", "place": {}}
    path.write_bytes(orjson.dumps(values | {"labels": to_coco([SENT], CLASSES)}))


def read_sent(path):
    folder = Path("review/1")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, folder / "sent.json")
    Batch.read(1)


def read_returned(path):
    batch = Batch(1, 1, "0", "doubt", "coco", {}, [SENT])
    read_corrected(path, batch, CLASSES, "detection", "objects")


def read_all_of_shard(path):
    read_shard(path)
    read_unreadable(path)


def read_all_maps(path):
    found = MapShards([path])
    for image_id in found.image_ids.tolist():
        found.prediction(image_id)
    read_unreadable(path)


FILES = {
    "shard.parquet": (shard, read_all_of_shard),
    "maps.parquet": (maps, read_all_maps),
    "probabilities.parquet": (probabilities, read_probabilities),
    "weights.pth": (weights, load_weights),
    "recorded.pth": (weights, read_record),
    "config.json": (config, lambda path: read_trained_config(path.parent)),
    "params.yaml": (parameters, load_params),
    "sent.json": (sent, read_sent),
    "corrected.json": (
        lambda path: path.write_bytes(orjson.dumps(to_coco([SENT], CLASSES))),
        read_returned,
    ),
    "results.json": (results, teacher_reader("detection")),
    "masks.json": (results, teacher_reader("instance")),
    "table.csv": (lambda path: write_table(path, HEADER, TABLE), teacher_reader("classification")),
    "table.parquet": (parquet, teacher_reader("classification")),
    "yolo/3.txt": (
        lambda path: write_lines(path.parent, {"3": ["0 0.5 0.5 0.5 0.2 0.25"] * 2}),
        teacher_reader("detection", 0),
    ),
    "yolo/classes.txt": (
        lambda path: write_lines(path.parent, {"3": ["0 0.5 0.5 0.5 0.2 0.25"] * 2}),
        teacher_reader("detection", 0),
    ),
    "maps/labels/3.png": (
        lambda path: write_maps(path.parents[1], ["3.png"], LABELS, LABELS),
        teacher_reader("semantic", 1),
    ),
    "maps/confidences/3.png": (
        lambda path: write_maps(path.parents[1], ["3.png"], LABELS, LABELS),
        teacher_reader("semantic", 1),
    ),
}
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=timedelta(seconds=10),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("name", FILES)
@fuzzed
@given(edits=st.lists(changes(), min_size=1, max_size=3))
def test_a_changed_file_is_read_or_refused(name, edits, tmp_path):
    write, read = FILES[name]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    path.write_bytes(changed(path.read_bytes(), edits))
    # Any other error fails the test.
    with suppress(PseudolabelError):
        read(path)


def names_of(root):
    return sorted(path.name for path in (root / "images").iterdir())


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A raw root of each task that the fuzzed files belong to."""
    roots = {}
    for task in ("detection", "semantic"):
        roots[task] = tmp_path_factory.mktemp(task) / "raw"
        SAMPLES[task](roots[task], SMALL)
        names = names_of(roots[task])
        rows = "".join(f"{name},{number // 2}\n" for number, name in enumerate(names))
        (roots[task] / "groups.csv").write_text(f"file,group\n{rows}")
    gold = orjson.loads((roots["detection"] / "gold.json").read_bytes())
    named = {
        row["file_name"]
        for split in ("gold", "val", "test")
        for row in orjson.loads((roots["detection"] / f"{split}.json").read_bytes())["images"]
    }
    (name, *_) = (one for one in names_of(roots["detection"]) if one not in named)
    gold["images"] = [gold["images"][0] | {"file_name": name, "reviewer": "ann", "round": 1}]
    gold["annotations"] = [
        row for row in gold["annotations"] if row["image_id"] == gold["images"][0]["id"]
    ]
    (roots["detection"] / "reviewed.json").write_bytes(orjson.dumps(gold))
    return roots


RAW_FILES = [
    ("detection", "gold.json"),
    ("detection", "groups.csv"),
    ("detection", "reviewed.json"),
    ("detection", "images/*"),
    ("semantic", "masks/*"),
]


@pytest.mark.parametrize(("task", "pattern"), RAW_FILES)
@fuzzed
@given(edits=st.lists(changes(), min_size=1, max_size=3))
def test_a_raw_root_with_a_changed_file_is_read_or_refused(task, pattern, edits, samples):
    root = samples[task]
    path = min(root.glob(pattern))
    sound = path.read_bytes()
    before = sorted(Path(root.parent).rglob("*"))
    path.write_bytes(changed(sound, edits))
    try:
        with suppress(PseudolabelError):
            read_and_split(root, task, splitting(0.2), 0, reviews=root)
    finally:
        path.write_bytes(sound)
    assert sorted(Path(root.parent).rglob("*")) == before


def test_the_files_are_sound(tmp_path, samples):
    for name, (write, read) in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name)
        read(tmp_path / name)
    for task, root in samples.items():
        assert read_and_split(root, task, splitting(0.2), 0, reviews=root)
