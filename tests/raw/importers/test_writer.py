import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.raw.importers import IMPORTERS
from tests.builders import write_image, write_json
from tests.raw.importers.importing import faults_of, imported


def test_a_root_accepts_another_split_and_refuses_the_same_split(tmp_path, photos):
    content = {
        "images": [{"id": 1, "file_name": "3.png", "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "disc"}],
        "annotations": [],
    }
    write_json(tmp_path / "labels.json", content)
    root = tmp_path / "root"
    imported("coco", tmp_path / "labels.json", root, images=photos)
    imported("coco", tmp_path / "labels.json", root, split="test", images=photos)
    before = (root / "gold.json").read_bytes()
    with pytest.raises(DataError, match="expected a root without this split, found one that has"):
        imported("coco", tmp_path / "labels.json", root, images=photos)
    assert (root / "gold.json").read_bytes() == before


def test_an_image_with_different_content_is_not_overwritten(tmp_path, photos):
    content = {
        "images": [{"id": 1, "file_name": "3.png", "width": 40, "height": 30}],
        "categories": [],
        "annotations": [],
    }
    write_json(tmp_path / "labels.json", content)
    write_image(tmp_path / "root" / "images" / "3.png", 99)
    before = (tmp_path / "root" / "images" / "3.png").read_bytes()
    with pytest.raises(DataError, match="expected no file, or a copy"):
        imported("coco", tmp_path / "labels.json", tmp_path / "root", images=photos)
    assert (tmp_path / "root" / "images" / "3.png").read_bytes() == before


@pytest.mark.parametrize("form", sorted(IMPORTERS))
def test_an_empty_source_is_a_fault(form, tmp_path):
    (tmp_path / "source").mkdir()
    assert faults_of(form, tmp_path / "source", tmp_path)
