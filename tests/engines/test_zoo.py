"""Models by their zoo names: adapted to a tiny data set, trained, asked for predictions."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from pseudolabel.engines.predicting import TrainedModel
from pseudolabel.engines.training import train
from pseudolabel.formats.coco import FILE, read_coco
from tests.engines.finding import find_all
from tests.few_regions import with_few_regions

pytestmark = pytest.mark.slow

DETECTION = [
    "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
    "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py",
    "mmdet::faster_rcnn/faster-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py",
    "mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py",
    "mmdet::atss/atss_r50_fpn_1x_coco.py",
    # From here on one for each backbone.
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
# One step at the usual rate throws HRNet off.
SMALL_STEP = ONE_STEP | {"learning_rate": 0.0001}
# One step leaves RTMDet with boxes and masks of no size.
SOME_STEPS = {"iterations": 60, "warmup_iterations": 0, "ema_momentum": None}


def one_step(data, name, folder, **sections):
    """The model of a zoo config after one step, or as many as it needs to find anything."""
    special = {"rtmdet": SOME_STEPS, "hrnet": SMALL_STEP}
    changes = next((it for kind, it in special.items() if kind in name), ONE_STEP)
    config = with_few_regions(name, folder / "config.py") if name.startswith("mmdet") else name
    params = data.params(train=changes, model={"config": config}, **sections)
    train(data.prepared, data.prepared, folder / "model", params)
    return TrainedModel([folder / "model"], data.root / "images", params.evaluate)


def val_of(data):
    return read_coco(data.prepared / "val" / FILE).images


def short(name):
    return "-".join(name.split("/")[1].split("_")[:2])


@pytest.mark.parametrize("name", DETECTION, ids=short)
def test_detectors(trained_tasks, tmp_path, name):
    data = trained_tasks("detection")
    model = one_step(data, name, tmp_path, evaluate={"score_floor": 1e-9})
    found = find_all(model, val_of(data))
    assert len(found) > 0
    assert set(found.category_ids) <= {1, 2, 3}


def of_one_class(data, folder):
    """The same data with all objects of one class."""
    shutil.copytree(data.prepared, folder)
    for file in folder.glob("*/coco.json"):
        content = json.loads(file.read_bytes())
        content["categories"] = [{"id": 4, "name": "particle"}]
        for row in content["annotations"]:
            row["category_id"] = 4
        file.write_text(json.dumps(content))
    return replace(data, prepared=folder)


@pytest.mark.parametrize("name", INSTANCE, ids=short)
def test_instance_models_predict_with_masks(trained_tasks, tmp_path, name):
    data = of_one_class(trained_tasks("instance"), tmp_path / "prepared")
    model = one_step(data, name, tmp_path, evaluate={"score_floor": 1e-9})
    found = find_all(model, val_of(data))
    assert len(found) > 0
    assert set(found.category_ids) == {4}
    assert all(found.masks)
    assert (found.areas >= 1).all()
    # SOLOv2 has no soft masks to give: what it knows of them is in its scores.
    steady = np.isfinite(found.stabilities)
    assert not steady.any() if "solov2" in name else steady.all()


@pytest.mark.parametrize("name", SEMANTIC, ids=short)
def test_semantic_models_label_every_pixel(trained_tasks, tmp_path, name):
    data = trained_tasks("semantic")
    model = one_step(data, name, tmp_path)
    (batch,) = model.predict(val_of(data))
    assert [it.shape for it in batch.found.labels] == [(80, 96)] * 3
    assert max(it.max() for it in batch.found.labels) <= 3
    assert min(it.min() for it in batch.found.confidences) >= 255 // 4


@pytest.mark.parametrize("name", CLASSIFICATION, ids=short)
def test_classifiers(trained_tasks, tmp_path, name):
    data = trained_tasks("classification")
    model = one_step(data, name, tmp_path)
    (batch,) = model.predict(val_of(data))
    assert batch.found.values.shape == (3, 6)
    assert np.allclose(batch.found.values.sum(axis=1), 1, atol=1e-5)
