"""Files of predicted classes and pixels: tables of probabilities, and label maps."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pseudolabel.core.errors import DataError
from tests.formats.teacher_files.prepared_splits import (
    read,
    write_maps,
    write_prepared,
    write_table,
)

HEADER = ["file", "disc", "rod", "star"]


@pytest.fixture
def prepared(tmp_path):
    return write_prepared(tmp_path / "prepared")


def faults_of(path, prepared, task, **options):
    with pytest.raises(DataError) as error:
        read(path, prepared, task, **options)
    return [str(fault).removeprefix(f"{path}: ") for fault in error.value.faults]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_has_a_column_per_class(prepared, tmp_path, suffix):
    path, rows = tmp_path / f"p.{suffix}", [["pool/4.png", 0.1, 0.7, 0.2], ["x/3.png", 0, 1, 0]]
    if suffix == "csv":
        write_table(path, HEADER, rows)
    else:
        columns = list(zip(*rows, strict=True))
        pq.write_table(pa.table(dict(zip(HEADER, columns, strict=True))), path)
    known = read(path, prepared, "classification")
    found = known.find(np.array([3, 4, 5]))
    assert found.image_ids.tolist() == [3, 4]
    assert found.values == pytest.approx(np.array([[0, 1, 0], [0.1, 0.7, 0.2]]))
    assert known.lists_images


def test_columns_that_stand_for_one_class_are_added_up(prepared, tmp_path):
    path = write_table(
        tmp_path / "p.csv", ["image", "tabby", "siamese", "dog"], [["3.png", 0.3, 0.4, 0.3]]
    )
    known = read(path, prepared, "classification", classes={"tabby": "rod", "siamese": "rod"})
    assert known.find(np.array([3])).values == pytest.approx(np.array([[0, 0.7, 0]]))
    assert known.left_out == {"class 'dog'": 1}
    assert len(faults_of(path, prepared, "classification")) == 3


def test_all_faults_of_a_table_are_listed_together(prepared, tmp_path):
    rows = [["3.png", 0.5, "x", 0.1], ["4.png", 0.9, 0.9, 0], ["4.png", 2, 0, 0]]
    path = write_table(tmp_path / "p.csv", HEADER, rows)
    assert sorted(faults_of(path, prepared, "classification")) == [
        "image '3.png', rod: expected a probability from 0 to 1, found 'x'",
        "image '4.png', disc: expected a probability from 0 to 1, found '2'",
        "image '4.png': expected one row, found 2 rows",
        "image '4.png': expected probabilities that add up to at most 1, found 1.800",
    ]
    path = write_table(tmp_path / "p.csv", HEADER, [["3.png", 0.5]])
    assert faults_of(path, prepared, "classification") == [
        "line 2: expected 4 cells, found 2 cells"
    ]
    path = write_table(tmp_path / "p.csv", ["name", "disc"], [["3.png", 0.5]])
    assert faults_of(path, prepared, "classification") == [
        "expected a column `file`, and one column per class, found name, disc"
    ]


LABELS = np.zeros((30, 40))
LABELS[:, 20:] = 2
LABELS[0] = 255


def test_label_maps_with_confidences(prepared, tmp_path):
    folder = write_maps(tmp_path / "maps", ["x/3.png"], LABELS, np.full((30, 40), 200))
    known = read(folder, prepared, "semantic")
    found = known.find(np.array([3, 4]))
    assert found.image_ids.tolist() == [3]
    (labels,), (confidences,) = found.labels, found.confidences
    assert labels[5, [0, 39]].tolist() == [0, 2]
    # Pixels without a label have no confidence.
    assert (confidences[0].max(), confidences[1:].min()) == (0, 200)
    known = read(folder, prepared, "semantic", classes={"0": "rod"})
    found = known.find(np.array([3]))
    (labels,), (confidences,) = found.labels, found.confidences
    assert labels[5, 0] == 1
    assert (confidences[5, :20].min(), confidences[5, 20:].max()) == (200, 0)


def test_all_faults_of_label_maps_are_listed_together(prepared, tmp_path):
    folder = write_maps(tmp_path / "maps", ["3.png", "4.png", "5.png"], LABELS, LABELS)
    write_maps(folder, ["3.png"], LABELS[:9], LABELS)
    (folder / "confidences" / "4.png").unlink()
    (folder / "labels" / "5.png").write_bytes(b"no image")
    faults = faults_of(folder, prepared, "semantic")
    assert faults[0] == "labels/3.png: expected the size of its image, 40x30, found 40x9"
    assert faults[1].startswith("confidences/4.png: expected a PNG, found ")
    assert faults[2].startswith("labels/5.png: expected a PNG, found ")
    write_maps(folder, ["3.png", "4.png", "5.png"], np.full((30, 40), 7), LABELS)
    assert len(faults_of(folder, prepared, "semantic")) == 1
    (tmp_path / "empty").mkdir()
    assert len(faults_of(tmp_path / "empty", prepared, "semantic")) == 2
