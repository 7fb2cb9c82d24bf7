"""The lists of augmentations: transforms by the names that their libraries use."""

import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from pseudolabel.core.errors import ModelError
from pseudolabel.training.augmentations import check_names
from pseudolabel.training.train import train
from tests.gold_items import gold_dataset

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


@pytest.mark.slow
@pytest.mark.parametrize("any_task", LISTS, indirect=True)
def test_a_model_trains_on_the_augmented_images(any_task, tmp_path):
    changes = {"augmentations": LISTS[any_task.task], "oversample_threshold": 0.5}
    train(any_task.prepared, any_task.prepared, tmp_path / "model", any_task.params(train=changes))
    assert (tmp_path / "model" / "weights.pth").is_file()


@pytest.mark.parametrize("any_task", ["instance"], indirect=True)
def test_boxes_masks_and_classes_stay_consistent(any_task):
    # CopyPaste keeps the box of an object of which it covers fewer than ten pixels.
    gold = gold_dataset(any_task, train={"augmentations": LISTS["instance"][:-1]})
    differences = []
    for item in [gold[row] for row in range(len(gold))]:
        objects = item["data_samples"].gt_instances
        assert len(objects.masks) == len(objects.bboxes) == len(objects.labels)
        around_masks = objects.masks.get_bboxes(HorizontalBoxes).tensor
        outwards = (around_masks - objects.bboxes.tensor) * torch.tensor([-1, -1, 1, 1])
        assert (outwards <= 1).all()
        differences.append(outwards.abs().amax(dim=1))
    # Parts of a mask that are one pixel thin disappear where the image is made smaller.
    assert (torch.cat(differences) > 2).float().mean() < 0.05
    assert len(torch.cat(differences)) > 20


def test_all_faults_of_both_lists_are_reported_together(trained_tasks):
    task = trained_tasks("semantic")
    faulty = [
        {"type": "Flipp"},
        {"type": "RandomFlip", "chance": 1},
        {"type": "albumentations.Blurr"},
        {"type": "albumentations.Blur", "blur_limt": 3},
        {"type": "albumentations.OneOf", "transforms": [{"type": "CLAHE", "clip_limit": "much"}]},
        {"type": "albumentations.compose"},
    ]
    lists = {"augmentations": faulty, "silver_augmentations": faulty[:1]}
    with pytest.raises(ModelError) as error:
        check_names(task.params(train=lists))
    text = str(error.value)
    assert text.startswith("train.augmentations:\n  Flipp: ")
    assert text.endswith(
        "\ntrain.silver_augmentations:\n"
        "  Flipp: expected the name of a transform of the task's package or of mmcv"
    )
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
def test_augmentations_that_fail_on_an_image_are_reported_before_training(
    trained_tasks, tmp_path, task, augmentations, message
):
    data = trained_tasks(task)
    params = data.params(train={"augmentations": augmentations})
    with pytest.raises(ModelError, match=message):
        train(data.prepared, data.prepared, tmp_path / "model", params)
