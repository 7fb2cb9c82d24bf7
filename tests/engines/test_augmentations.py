"""Augmentations by the names that their libraries use, with labels following the pixels."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import DATASETS

from pseudolabel.engines.adapter import adapter_of
from pseudolabel.engines.albumented import Albumented
from pseudolabel.engines.contact_sheet import write_contact_sheet
from pseudolabel.engines.training import train
from pseudolabel.engines.training_config import Sources, build_config
from pseudolabel.errors import ModelError
from pseudolabel.formats.coco import FILE, read_coco
from tests.engines.conftest import ROOT

ALBUMENTATIONS = [
    {"type": "albumentations.ShiftScaleRotate", "p": 1.0},
    {"type": "albumentations.GridDistortion", "p": 1.0},
    {"type": "albumentations.Blur", "blur_limit": 3},
    {
        "type": "albumentations.OneOf",
        "transforms": [{"type": "GaussianBlur"}, {"type": "albumentations.MotionBlur"}],
    },
    {"type": "albumentations.CLAHE", "p": 1.0},
    {"type": "albumentations.RandomBrightnessContrast", "p": 1.0},
    {"type": "albumentations.RandomRotate90", "p": 1.0},
]
SIZES = {"scales": [[80, 80], [96, 96]], "keep_ratio": True}
OBJECTS = [
    {"type": "RandomChoiceResize", **SIZES},
    {"type": "RandomFlip", "prob": 0.5},
    {"type": "ShearX", "prob": 1.0},
    {"type": "Rotate", "prob": 1.0},
    {"type": "Equalize", "prob": 1.0},
    {"type": "Brightness", "prob": 1.0},
    {"type": "Contrast", "prob": 1.0},
    {"type": "MinIoURandomCrop"},
    {"type": "PhotoMetricDistortion"},
]
LISTS = {
    "detection": [
        *OBJECTS,
        {"type": "Mosaic", "img_scale": [96, 96]},
        {"type": "MixUp", "img_scale": [96, 96]},
        *ALBUMENTATIONS,
    ],
    "instance": [
        *OBJECTS,
        {"type": "CachedMosaic", "img_scale": [96, 96]},
        *ALBUMENTATIONS,
        {"type": "CopyPaste"},
    ],
    "semantic": [
        {"type": "RandomChoiceResize", **SIZES},
        {"type": "RandomRotate", "prob": 1.0, "degree": 20},
        {"type": "RandomMosaic", "prob": 1.0, "img_scale": [96, 96]},
        {"type": "PhotoMetricDistortion"},
        *ALBUMENTATIONS,
    ],
    "classification": [
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "Rotate", "angle": 20.0},
        {"type": "Equalize"},
        {"type": "ColorJitter", "brightness": 0.2},
        *ALBUMENTATIONS,
    ],
}


def gold_of(task, augmentations, **changes):
    """The data set of gold as a training sees it."""
    params = task.params(train={"augmentations": augmentations} | changes)
    sources = Sources.of(task.prepared)
    config = build_config(sources, read_coco(sources.gold / FILE).categories, task.root, params)
    return DATASETS.build(config.train_dataloader.dataset.datasets[0])


@pytest.mark.parametrize("any_task", LISTS, indirect=True)
def test_a_model_is_trained_on_what_all_of_them_make(any_task, tmp_path):
    changes = {"augmentations": LISTS[any_task.task], "oversample_threshold": 0.5}
    train(any_task.prepared, any_task.prepared, tmp_path / "model", any_task.params(train=changes))
    assert (tmp_path / "model" / "weights.pth").is_file()


@pytest.mark.parametrize("any_task", ["instance"], indirect=True)
def test_masks_boxes_and_classes_of_what_they_make_belong_together(any_task):
    # Of what CopyPaste covers by less than ten pixels, it leaves the box as it was.
    gold = gold_of(any_task, LISTS["instance"][:-1])
    seen = 0
    for item in [gold[row] for row in range(len(gold))]:
        found = item["data_samples"].gt_instances
        assert len(found.masks) == len(found.bboxes) == len(found.labels)
        again = found.masks.get_bboxes(HorizontalBoxes).tensor
        assert torch.allclose(found.bboxes.tensor, again, atol=2)
        seen += len(found.labels)
    assert seen > 20


def scene():
    """An image with one object of pure blue, in OpenCV's order, and one that will leave."""
    image = np.full((80, 100, 3), 40, np.uint8)
    masks = np.zeros((2, 80, 100), np.uint8)
    masks[0, 20:40, 30:70], masks[1, 0:4, 0:4] = 1, 1
    image[masks[0] > 0] = (255, 0, 0)
    shapes = BitmapMasks(masks, 80, 100)
    return {
        "img": image,
        "img_shape": (80, 100),
        "gt_masks": shapes,
        "gt_bboxes": shapes.get_bboxes(HorizontalBoxes),
        "gt_bboxes_labels": np.array([5, 7]),
        "gt_ignore_flags": np.array([False, True]),
    }


TURNS = [
    ({"type": "RandomRotate90", "p": 1.0}, True),
    ({"type": "HorizontalFlip", "p": 1.0}, True),
    ({"type": "Transpose", "p": 1.0}, True),
    ({"type": "Crop", "x_min": 10, "y_min": 10, "x_max": 60, "y_max": 60}, False),
    ({"type": "Affine", "translate_px": {"x": -15, "y": -10}, "p": 1.0}, False),
]


@pytest.mark.parametrize(("turn", "both"), TURNS, ids=[it[0]["type"] for it in TURNS])
@pytest.mark.parametrize("masks", [True, False])
def test_boxes_and_masks_follow_the_pixels(turn, both, masks):
    given = scene()
    if not masks:
        del given["gt_masks"]
    np.random.seed(0)  # noqa: NPY002 - what transforms draw from
    found = Albumented([turn], boxes=True, mask_fill=0).transform(given)
    blue = (found["img"] == (255, 0, 0)).all(axis=2)
    assert found["img_shape"] == blue.shape
    rows, columns = np.nonzero(blue)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.allclose(found["gt_bboxes"].tensor[0].tolist(), box, atol=1)
    assert found["gt_bboxes_labels"].tolist() == ([5, 7] if both else [5])
    assert found["gt_ignore_flags"].tolist() == ([False, True] if both else [False])
    if masks:
        assert np.array_equal(found["gt_masks"].masks[0] > 0, blue)


def test_images_without_objects_stay_without():
    given = scene()
    given["gt_masks"] = given["gt_masks"][np.zeros(0, int)]
    given["gt_bboxes"] = given["gt_bboxes"][np.zeros(0, int)]
    given["gt_bboxes_labels"], given["gt_ignore_flags"] = np.zeros(0, int), np.zeros(0, bool)
    found = Albumented([TURNS[3][0]], boxes=True, mask_fill=0).transform(given)
    assert (len(found["gt_bboxes"]), len(found["gt_masks"])) == (0, 0)
    assert found["gt_masks"].masks.shape == (0, 50, 50)


def test_what_moves_into_a_label_map_from_outside_has_no_label():
    given = {"img": np.zeros((40, 40, 3), np.uint8), "gt_seg_map": np.full((40, 40), 2, np.uint8)}
    shift = {"type": "Affine", "translate_px": {"x": 10, "y": 0}, "p": 1.0}
    found = Albumented([shift], boxes=False, mask_fill=255).transform(given)
    assert (found["gt_seg_map"][:, :9] == 255).all()
    assert (found["gt_seg_map"][:, 11:] == 2).all()


def test_colours_are_in_the_order_that_albumentations_expect():
    redder = {"type": "RGBShift", "r_shift_limit": (50, 50), "p": 1.0}
    redder |= {"g_shift_limit": (0, 0), "b_shift_limit": (0, 0)}
    given = {"img": np.full((8, 8, 3), 100, np.uint8)}
    found = Albumented([redder], boxes=False, mask_fill=0).transform(given)
    # OpenCV has blue first.
    assert found["img"][0, 0].tolist() == [100, 100, 150]


def test_images_of_floats_are_taken_for_what_they_are():
    given = {"img": np.full((8, 8, 3), 100.4, np.float32)}
    found = Albumented([{"type": "HorizontalFlip", "p": 1.0}], boxes=False, mask_fill=0)
    assert found.transform(given)["img"].dtype == np.uint8
    assert (given["img"] == 100).all()


def test_the_same_seed_makes_the_same_of_an_image():
    run = Albumented([{"type": "ShiftScaleRotate", "p": 1.0}], boxes=True, mask_fill=0)
    made = []
    for seed in (1, 1, 2):
        np.random.seed(seed)  # noqa: NPY002
        made.append(run.transform(scene())["img"])
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_all_faults_of_the_list_are_told_at_once(trained_tasks):
    task = trained_tasks("semantic")
    faulty = [
        {"type": "Flipp"},
        {"type": "RandomFlip", "chance": 1},
        {"type": "albumentations.Blurr"},
        {"type": "albumentations.Blur", "blur_limt": 3},
        {"type": "albumentations.OneOf", "transforms": [{"type": "CLAHE", "clip_limit": "much"}]},
        {"type": "albumentations.compose"},
    ]
    with pytest.raises(ModelError) as error:
        adapter_of("semantic").train_pipeline(task.params(train={"augmentations": faulty}))
    text = str(error.value)
    assert "  Flipp: expected the name of a transform of the task's package or of mmcv" in text
    assert "unexpected keyword argument 'chance'" in text
    assert "expected the name of a transform of albumentations, found 'Blurr'" in text
    assert "Argument(s) 'blur_limt' are not valid for transform Blur" in text
    assert "clip_limit" in text
    assert "expected the name of a transform of albumentations, found 'compose'" in text


@pytest.mark.parametrize(
    ("task", "augmentations", "message"),
    [
        ("detection", [{"type": "CopyPaste"}], "results does not contain masks"),
        ("instance", [{"type": "Mosaic", "img_scale": [96, 96]}], "fail on the first image"),
    ],
)
def test_what_fails_on_an_image_is_told_before_training(
    trained_tasks, tmp_path, task, augmentations, message
):
    data = trained_tasks(task)
    params = data.params(train={"augmentations": augmentations})
    with pytest.raises(ModelError, match=message):
        train(data.prepared, data.prepared, tmp_path / "model", params)


@pytest.mark.parametrize("any_task", LISTS, indirect=True)
def test_a_contact_sheet_shows_images_as_they_are_and_augmented(any_task, tmp_path):
    params = any_task.params(train={"augmentations": LISTS[any_task.task]})
    write_contact_sheet(any_task.prepared, tmp_path / "page.html", params, 3, 2)
    text = (tmp_path / "page.html").read_text()
    assert (text.count("as it is<"), text.count("augmented<")) == (3, 6)
    images = read_coco(any_task.prepared / "gold" / FILE).images
    assert f"<h2>{images.file_names[0]}</h2>" in text


def test_pictures_have_the_pixels_of_the_file(trained_tasks):
    task = trained_tasks("classification")
    item = gold_of(task, [])[0]
    name = read_coco(task.prepared / "gold" / FILE).images.file_names[0]
    pixels = cv2.imread(str(task.root / "images" / name))[..., ::-1]
    assert np.array_equal(adapter_of("classification").picture(item)[:80], pixels)


def test_the_command_asks_for_prepared_data(tmp_path):
    command = [sys.executable, "-m", "pseudolabel", "augmentations"]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "data/prepared: expected prepared data, which `dvc repro prepare` writes" in done.stderr
