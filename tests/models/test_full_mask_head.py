"""The mask loss of RTMDet-Ins at every pixel, with bounded memory."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import DefaultScope

from pseudolabel.models.configs import read_config
from pseudolabel.models.full_mask_head import RTMDetInsFullMaskHead
from pseudolabel.training.train import train
from tests.conftest import ROOT

CONFIG = str(ROOT / "configs" / "instance" / "rtmdet_ins_lite0.py")
SIDE = 32


def mask_loss_inputs(head, counts):
    """The arguments of the mask loss: images with some points each, all of which have an object."""
    features = torch.rand(len(counts), 8, SIDE // 4, SIDE // 4)
    kernels = torch.rand(len(counts), max(counts), head.num_gen_params)
    sampled = [
        SimpleNamespace(
            pos_inds=torch.arange(count),
            pos_priors=torch.rand(count, 4) * SIDE,
            pos_assigned_gt_inds=torch.arange(count),
        )
        for count in counts
    ]
    masks = [SimpleNamespace(masks=(torch.rand(count, SIDE, SIDE) > 0.5)) for count in counts]
    return features, kernels, sampled, masks


class StoringLoss(torch.nn.Module):
    """A loss that stores the masks that it compares."""

    def forward(self, predicted, targets, **options):
        self.compared = (predicted, targets, options["avg_factor"])
        return predicted.mean()


@pytest.fixture
def head():
    """A head whose loss stores the masks that it compares."""
    options = read_config(CONFIG, "mmdet").model.bbox_head
    options.pop("type")
    with DefaultScope.overwrite_default_scope("mmdet"):
        head = RTMDetInsFullMaskHead(**options, max_mask_pixels=10 * SIDE**2)
    head.loss_mask = StoringLoss()
    return head


def test_masks_are_compared_at_every_pixel(head):
    *inputs, masks = mask_loss_inputs(head, [3, 4])
    head.loss_mask_by_feat(*inputs, masks)
    predicted, targets, factor = head.loss_mask.compared
    assert predicted.shape == (7, SIDE, SIDE)
    assert torch.equal(targets, torch.cat([one.masks for one in masks]))
    assert factor == 7


def test_some_points_of_each_image_count_if_there_are_too_many(head):
    *inputs, masks = mask_loss_inputs(head, [60, 0, 40])
    head.loss_mask_by_feat(*inputs, masks)
    predicted, targets, factor = head.loss_mask.compared
    assert predicted.shape == (10, SIDE, SIDE)
    assert factor == 10
    chosen = [torch.where((masks[0].masks == one).all(2).all(1))[0].tolist() for one in targets]
    assert sum(len(rows) == 1 for rows in chosen) == 6
    chosen = [torch.where((masks[2].masks == one).all(2).all(1))[0].tolist() for one in targets]
    assert sum(len(rows) == 1 for rows in chosen) == 4


def test_images_without_objects_have_a_loss_of_zero(head):
    assert head.loss_mask_by_feat(*mask_loss_inputs(head, [0, 0])) == 0


@pytest.mark.parametrize("any_task", ["instance"], indirect=True)
def test_a_crop_may_have_any_size(any_task, tmp_path):
    schedule = {"iterations": 2, "warmup_iterations": 0, "batch_size": 4, "crop": [44, 36]}
    params = any_task.params(model={"config": CONFIG, "weights": "backbone"}, train=schedule)
    train(any_task.prepared, any_task.prepared, tmp_path / "model", params)
    assert (tmp_path / "model" / "weights.pth").is_file()
