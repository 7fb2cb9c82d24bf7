import numpy as np

from pseudolabel.formats.split_folder import SplitFolder
from tests.builders import dataset, same_rows


def test_a_written_split_is_read_again(tmp_path):
    split, expected = SplitFolder(tmp_path / "gold"), dataset(3)
    split.write(expected)
    assert same_rows(split.read().annotations, expected.annotations)
    assert not split.has_label_maps


def test_label_maps_are_copied_to_new_ids(tmp_path):
    source, target = SplitFolder(tmp_path / "source"), SplitFolder(tmp_path / "target")
    for image_id in (1, 2):
        source.write_label_map(image_id, np.full((4, 5), image_id, np.uint8))
    source.copy_label_maps(target, {2: 7})
    assert target.has_label_maps
    assert target.label_map(7).tolist() == [[2] * 5] * 4
    assert [path.name for path in (tmp_path / "target" / "masks").iterdir()] == ["000000007.png"]


def test_a_split_without_label_maps_copies_nothing(tmp_path):
    SplitFolder(tmp_path / "source").copy_label_maps(SplitFolder(tmp_path / "target"), {1: 1})
    assert not (tmp_path / "target").exists()
