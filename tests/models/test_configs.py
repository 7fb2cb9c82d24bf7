"""Model configs, adapted to the classes of the data."""

import pytest
from mmengine.registry import MODELS

from pseudolabel.models.configs import _adapt_to_classes, read_config, unfreeze

FROZEN = [
    "mmdet::hrnet/faster-rcnn_hrnetv2p-w18-1x_coco.py",
    "mmdet::faster_rcnn/faster-rcnn_r50-caffe_fpn_1x_coco.py",
    "mmdet::resnest/faster-rcnn_s50_fpn_syncbn-backbone+head_ms-range-1x_coco.py",
]


@pytest.mark.parametrize("name", FROZEN, ids=["by default", "caffe", "resnest"])
def test_all_parts_of_a_backbone_with_random_weights_learn(name):
    model = _adapt_to_classes(read_config(name, "mmdet"), 3)

    def learns(model):
        backbone = MODELS.build(model.backbone)
        backbone.train()
        weights = all(parameter.requires_grad for parameter in backbone.parameters())
        return weights and all(module.training for module in backbone.modules())

    assert not learns(model)
    assert learns(unfreeze(model))
