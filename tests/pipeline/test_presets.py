"""The four presets, end to end: their model families and stages on tiny data of their shape."""

import json
import shutil

import pytest
import yaml

from tests.few_regions import with_few_regions
from tests.pipeline.conftest import TEACHER_STAGES, copy_of_project, round_stages, without_indexes

pytestmark = pytest.mark.slow

SCHEDULE = {"iterations": 3, "warmup_iterations": 0, "checkpoint_every": 100}
OBJECTS = {"batch_size": 4, "score_floor": 0.0001}
# What a CPU can do in a minute: the smallest model of each family, small images, a few steps, and
# filters that let models pass which have learned nothing.
SMALL = {
    "livestock": {
        "classes": 2,
        "model": {"config": "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py", "image_size": [96, 64]},
        "header": "file,class,score,x1,y1,x2,y2",
        # Silver of a single class stops the pipeline: the model has to learn something.
        "train": SCHEDULE
        | {"batch_size": 2, "iterations": 60, "warmup_iterations": 5, "ema_momentum": None},
        "pseudo_label": OBJECTS | {"shard_images": 4},
        "filter": {"score": 0.0001, "min_boxes": 1},
    },
    "particles": {
        "classes": 1,
        "header": "file,class,score,rle",
        "model": {
            "config": "mmdet::cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py",
            "weights": None,
            "image_size": [80, 64],
        },
        "train": SCHEDULE,
        "pseudo_label": OBJECTS | {"shard_images": 4},
        "filter": {
            "score": [0.0001],
            "hide_score": None,
            "min_side": 1,
            "min_stability": 0.0,
            "min_area": 1,
            "max_overlap": 1.0,
        },
    },
    "recycling": {
        "classes": 4,
        "header": "image_id,PredictionString",
        "model": {
            "config": "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-"
            "512x512.py",
            "weights": None,
            "image_size": [64, 64],
        },
        "train": SCHEDULE | {"batch_size": 2},
        "filter": {"score": 0.1, "min_confident": 0.0},
        "export": {"map_size": [16, 16]},
    },
    "products": {
        "classes": 1000,
        "header": "image,label",
        "model": {
            "config": "mmpretrain::efficientnet/efficientnet-b0_8xb32_in1k.py",
            "image_size": [64, 64],
        },
        # Batch normalisation needs a hundred steps; before that, all images get one class, which
        # stops the pipeline.
        "train": SCHEDULE
        | {"batch_size": 4, "iterations": 160, "ema_momentum": None, "cutmix": 0.0},
        "filter": {"score": 0.0},
    },
}
SAMPLE = {"gold": 20, "val": 4, "test": 4, "pool": 8, "width": 96, "height": 80}


def with_classes(root, count):
    """Give a raw root a number of classes: labels of further classes go to these in turn."""
    for path in root.glob("*.json"):
        content = json.loads(path.read_text())
        kept = content["categories"][:count]
        ids = [category["id"] for category in kept]
        for number, row in enumerate(content["annotations"]):
            if row["category_id"] not in ids:
                row["category_id"] = ids[number % len(ids)]
        first = max(ids) + 1
        more = range(first, first + count - len(kept))
        content["categories"] = kept + [
            {"id": number, "name": f"class {number}"} for number in more
        ]
        path.write_text(json.dumps(content))


def shrunk(values, small):
    """The parameters of a preset with some of them changed."""
    for section, changes in small.items():
        values[section].update(changes)
    sizes = {"Mosaic": {"img_scale": [96, 64]}, "RandomAffine": {"border": [-48, -32]}}
    sizes |= {"RandomChoiceResize": {"scales": [[64, 64], [80, 64]]}}
    section = values["train"]
    section["augmentations"] = [
        transform | sizes.get(transform["type"], {}) for transform in section["augmentations"]
    ]
    values["sample"] = SAMPLE | {"seed": 0}
    values["prepare"]["duplicate_distance"] = None
    return values


@pytest.mark.parametrize("name", SMALL)
def test_a_preset_runs_from_labels_to_submission(tmp_path, name):
    repository = copy_of_project(tmp_path, "detection")
    output = repository.run("python", "-m", "pseudolabel", "use", name)
    assert output.startswith("params.yaml: ")
    small = dict(SMALL[name])
    classes, header = small.pop("classes"), small.pop("header")
    if name == "particles":
        zoo, ours = small["model"]["config"], "configs/instance/few_regions.py"
        small["model"] = small["model"] | {"config": ours}
        with_few_regions(zoo, tmp_path / ours)
    path = tmp_path / "params.yaml"
    values = shrunk(yaml.safe_load(path.read_text()), small) | {"round": 1}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    repository.run("dvc", "repro", "extras/dvc.yaml:sample")
    shutil.copytree(tmp_path / "data" / "sample", tmp_path / "my_data")
    with_classes(tmp_path / "my_data", classes)
    values["data"]["root"] = "my_data"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    ran = without_indexes(repository.stages("dvc", "repro"))
    assert ran == ["prepare", *TEACHER_STAGES, *round_stages(1), "compare"]
    assert repository.stages("dvc", "repro", "extras/dvc.yaml:export") == ["export"]
    config = json.loads((tmp_path / "rounds/1/champion/config.json").read_text())
    assert len(config["categories"]) == classes
    lines = (tmp_path / "export/results/submission.csv").read_text().splitlines()
    assert lines[0] == header
    if name == "recycling":
        assert [len(line.split(",")[1].split()) for line in lines[1:]] == [256] * 4
    if name == "products":
        assert len(lines) == 5
    if name == "particles":
        assert (tmp_path / "export/results/measures.csv").is_file()
