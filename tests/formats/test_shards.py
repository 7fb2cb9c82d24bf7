import numpy as np
import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.formats.shards import (
    read_probabilities,
    read_shard,
    read_unreadable,
    shard_path,
    write_probabilities,
    write_shard,
)
from tests.builders import random_predictions, same_rows


def test_a_shard_keeps_its_rows_and_unreadable_files(tmp_path):
    predicted = random_predictions(np.random.default_rng(0), 60, 9)
    path = shard_path(tmp_path, 0)
    write_shard(path, predicted, ["a.png"])
    assert same_rows(read_shard(path), predicted)
    assert read_unreadable(path) == ["a.png"]


def test_the_error_of_a_damaged_shard_has_its_name(tmp_path):
    path = shard_path(tmp_path, 0)
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"shard-000000\.parquet: expected a shard"):
        read_shard(path)


@pytest.mark.parametrize(
    "damage", [(b"probabilities", b"probabilitieX"), (b"image_id", b"image\xfeid")]
)
def test_probabilities_with_a_damaged_schema_are_refused(tmp_path, damage):
    path = tmp_path / "shard.parquet"
    write_probabilities(path, Probabilities(np.array([1]), np.array([[0.2, 0.8]], np.float32)))
    path.write_bytes(path.read_bytes().replace(*damage))
    with pytest.raises(DataError, match="shard"):
        read_probabilities(path)
