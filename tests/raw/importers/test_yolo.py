from pathlib import Path

import pytest
import supervision as sv

from tests.builders import write_image
from tests.raw.importers.importing import boxes_by_file, boxes_by_supervision, faults_of, imported


def yolo(root, lines=("0 0.5 0.5 0.25 0.2", "1 0.1 0.2 0.1 0.1")):
    for split, count in (("train", 2), ("valid", 1)):
        for number in range(count):
            write_image(root / split / "images" / f"{split}{number}.png", number)
            label = root / split / "labels" / f"{split}{number}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("\n".join(lines) + "\n")
    (root / "data.yaml").write_text(
        "names: [disc, rod]\ntrain: ../train/images\nval: ../valid/images\n"
    )
    return root


def test_boxes_equal_those_of_supervision(tmp_path):
    source = yolo(tmp_path / "source")
    written = imported("yolo", source, tmp_path / "root")
    assert set(written) == {"gold", "val"}
    expected = sv.DetectionDataset.from_yolo(
        str(source / "train/images"), str(source / "train/labels"), str(source / "data.yaml")
    )
    assert boxes_by_file(written["gold"]) == boxes_by_supervision(expected)


def test_scores_and_polygons_are_kept(tmp_path):
    lines = ["0 0.5 0.5 0.25 0.2 0.83", "1 0.1 0.1 0.5 0.1 0.5 0.5", "1 0 0 .5 0 .5 .5 0 .5 .25"]
    source = yolo(tmp_path / "source", lines)
    box, polygon, scored = imported("yolo", source, tmp_path / "root")["val"]["annotations"]
    assert (box["score"], box["bbox"]) == (0.83, [15.0, 12.0, 10.0, 6.0])
    assert polygon["segmentation"] == [[4.0, 3.0, 20.0, 3.0, 20.0, 15.0]]
    assert "score" not in polygon
    assert (scored["score"], len(scored["segmentation"][0])) == (0.25, 8)


def test_all_faults_are_reported_together(tmp_path):
    lines = ["0 0.5 0.5 0.25", "7 0.5 0.5 0.2 0.2", "0 a b c d", "0 nan 0 1"]
    source = yolo(tmp_path / "source", lines)
    found = faults_of("yolo", source, tmp_path)
    assert found[:4] == [
        (
            "train/labels/train0.txt: line 1: expected a class and 4 numbers or more, "
            "found 0 0.5 0.5 0.25"
        ),
        "train/labels/train0.txt: line 2: expected a class from 0 to 1, found 7",
        "train/labels/train0.txt: line 3: expected a class and 4 numbers or more, found 0 a b c d",
        "train/labels/train0.txt: line 4: expected a class and 4 numbers or more, found 0 nan 0 1",
    ]
    assert len(found) == 12


@pytest.mark.parametrize("entry", ["/etc", "../../elsewhere", "[a, b]", "missing"])
def test_folders_outside_the_source_are_refused(tmp_path, entry):
    source = yolo(tmp_path / "source")
    (tmp_path.parent / "elsewhere").mkdir(exist_ok=True)
    (source / "data.yaml").write_text(f"names: [disc, rod]\ntrain: {entry}\n")
    (found,) = faults_of("yolo", source, tmp_path)
    assert found.startswith("data.yaml: train: expected a folder of images below")


def test_code_in_the_yaml_does_not_run(tmp_path):
    source = yolo(tmp_path / "source")
    (source / "data.yaml").write_text("names: !!python/object/apply:os.system ['touch ran']\n")
    (found, *_) = faults_of("yolo", source, tmp_path)
    assert found.startswith("data.yaml: expected a YAML file")
    assert not Path("ran").exists()
