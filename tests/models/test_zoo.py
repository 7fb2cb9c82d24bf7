"""Models by their zoo names: adapted to a tiny data set, trained, then used for predictions."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from pseudolabel.core.records import Category, Dataset
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.training.train import train
from tests.few_regions import with_few_regions
from tests.finding import find_all

pytestmark = pytest.mark.slow

DETECTION = [
    "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
    "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py",
    "mmdet::faster_rcnn/faster-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py",
    "mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py",
    "mmdet::atss/atss_r50_fpn_1x_coco.py",
    # From here on, one model per backbone.
    "mmdet::resnet_strikes_back/retinanet_r50-rsb-pre_fpn_1x_coco.py",
    "mmdet::efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco.py",
    "mmdet::hrnet/faster-rcnn_hrnetv2p-w18-1x_coco.py",
    "mmdet::empirical_attention/faster-rcnn_r50-attn1111_fpn_1x_coco.py",
    "mmdet::res2net/faster-rcnn_res2net-101_fpn_2x_coco.py",
    "mmdet::pvt/retinanet_pvt-t_fpn_1x_coco.py",
    "mmdet::pvt/retinanet_pvtv2-b0_fpn_1x_coco.py",
    "mmdet::swin/retinanet_swin-t-p4-w7_fpn_1x_coco.py",
    "mmdet::regnet/faster-rcnn_regnetx-400MF_fpn_ms-3x_coco.py",
    "mmdet::resnest/faster-rcnn_s50_fpn_syncbn-backbone+head_ms-range-1x_coco.py",
    "mmdet::cascade_rcnn/cascade-rcnn_x101-32x4d_fpn_1x_coco.py",
]
INSTANCE = [
    "mmdet::rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py",
    "mmdet::mask_rcnn/mask-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py",
    "mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
    "mmdet::gcnet/mask-rcnn_r50-gcb-r16-c3-c5_fpn_1x_coco.py",
    "mmdet::convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py",
    "mmdet::cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py",
    "mmdet::ms_rcnn/ms-rcnn_r50_fpn_1x_coco.py",
    "mmdet::scnet/scnet_r50_fpn_1x_coco.py",
    "mmdet::htc/htc_r50_fpn_1x_coco.py",
    "mmdet::solov2/solov2-light_r18_fpn_ms-3x_coco.py",
]
SEMANTIC = [
    "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py",
    "mmseg::convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py",
    "mmseg::swin/swin-large-patch4-window7-in22k-pre_upernet_8xb2-160k_ade20k-512x512.py",
    "mmseg::convnext/convnext-xlarge_upernet_8xb2-amp-160k_ade20k-640x640.py",
    "mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py",
    "mmseg::deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py",
]
CLASSIFICATION = [
    "mmpretrain::efficientnet/efficientnet-b0_8xb32_in1k.py",
    "mmpretrain::efficientnet/efficientnet-b1_8xb32_in1k.py",
    "mmpretrain::efficientnet/efficientnet-b2_8xb32_in1k.py",
    "mmpretrain::resnet/resnet18_8xb32_in1k.py",
    "mmpretrain::convnext/convnext-tiny_32xb128_in1k.py",
]


ONE_STEP = {
    "iterations": 1,
    "warmup_iterations": 0,
    "ema_momentum": None,
    "optimizer": {"type": "SGD"},
}
# HRNet diverges after one step at the usual rate.
SMALL_STEP = ONE_STEP | {"learning_rate": 0.0001}
# After one step, RTMDet still predicts boxes and masks without area.
SEVERAL_STEPS = {"iterations": 60, "warmup_iterations": 0, "ema_momentum": None}


def trained_model(data, name, folder, **sections):
    """A zoo model after one step, or after several if it needs them to predict any object."""
    special = {"rtmdet": SEVERAL_STEPS, "hrnet": SMALL_STEP}
    changes = next((steps for kind, steps in special.items() if kind in name), ONE_STEP)
    config = name
    if name.startswith("mmdet"):
        config = with_few_regions(name, folder / "configs" / "config.py")
    params = data.params(train=changes, model={"config": config}, **sections)
    train(data.prepared, data.prepared, folder / "model", params)
    return TrainedModels([folder / "model"], data.root / "images", params.evaluate)


def val_images(data):
    return SplitFolder(data.prepared / "val").read().images


def short_name(name):
    return "-".join(name.split("/")[1].split("_")[:2])


@pytest.mark.parametrize("name", DETECTION, ids=short_name)
def test_detectors_predict_boxes(trained_tasks, tmp_path, name):
    data = trained_tasks("detection")
    model = trained_model(data, name, tmp_path, evaluate={"score_floor": 1e-9})
    objects = find_all(model, val_images(data))
    assert len(objects) > 0
    assert set(objects.category_ids) <= {1, 2, 3}


def with_one_class(data, folder):
    """The same data, but all objects have one class."""
    shutil.copytree(data.prepared, folder)
    for file in folder.glob("*/coco.json"):
        split = SplitFolder(file.parent)
        found = split.read()
        rows = found.annotations
        rows = replace(rows, category_ids=np.full_like(rows.category_ids, 4))
        split.write(Dataset(found.images, rows, (Category(4, "particle"),)))
    return replace(data, prepared=folder)


@pytest.mark.parametrize("name", INSTANCE, ids=short_name)
def test_instance_models_predict_with_masks(trained_tasks, tmp_path, name):
    data = with_one_class(trained_tasks("instance"), tmp_path / "prepared")
    model = trained_model(data, name, tmp_path, evaluate={"score_floor": 1e-9})
    objects = find_all(model, val_images(data))
    assert len(objects) > 0
    assert set(objects.category_ids) == {4}
    assert all(objects.masks)
    assert (objects.areas >= 1).all()
    # SOLOv2 does not return soft masks: their quality is part of its scores.
    measured = np.isfinite(objects.stabilities)
    assert not measured.any() if "solov2" in name else measured.all()


@pytest.mark.parametrize("name", SEMANTIC, ids=short_name)
def test_semantic_models_label_every_pixel(trained_tasks, tmp_path, name):
    data = trained_tasks("semantic")
    model = trained_model(data, name, tmp_path)
    (batch,) = model.predict(val_images(data))
    maps = batch.predictions
    assert [labels.shape for labels in maps.labels] == [(80, 96)] * 3
    assert max(labels.max() for labels in maps.labels) <= 3
    assert min(confidences.min() for confidences in maps.confidences) >= 255 // 4


@pytest.mark.parametrize("name", CLASSIFICATION, ids=short_name)
def test_classifiers_predict_probabilities(trained_tasks, tmp_path, name):
    data = trained_tasks("classification")
    model = trained_model(data, name, tmp_path)
    (batch,) = model.predict(val_images(data))
    assert batch.predictions.values.shape == (3, 6)
    assert np.allclose(batch.predictions.values.sum(axis=1), 1, atol=1e-5)
