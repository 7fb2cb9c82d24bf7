"""mmcv's operators against their definitions, forward and gradient, on random and edge inputs.

They are called as models call them, by mmcv.ops. If the compiled operators are installed, these
are tested; otherwise those of torchvision.
"""

import sys

import numpy as np
import pytest
import torch

from pseudolabel.core.errors import ModelError
from pseudolabel.models import mmcv_ops, operators

ops = pytest.importorskip("mmcv.ops")


def random_boxes(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.rand(count, 4, generator=generator) * 40
    boxes[:, 2:] += boxes[:, :2]
    return boxes, torch.rand(count, generator=generator)


def iou(one, other, offset):
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[2], other[2]), min(one[3], other[3])
    shared = max(0.0, right - left + offset) * max(0.0, bottom - top + offset)
    areas = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (one, other)]
    union = sum(areas) - shared
    return shared / union if union else 0.0


def greedy_nms(boxes, scores, threshold, offset):
    kept = []
    for row in np.argsort(-scores, kind="stable"):
        if all(iou(boxes[row], boxes[other], offset) <= threshold for other in kept):
            kept.append(int(row))
    return kept


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 60])
def test_nms(count, offset):
    boxes, scores = random_boxes(count)
    rows = ops.nms(boxes, scores, 0.3, offset=offset)[1].tolist()
    assert rows == greedy_nms(boxes.numpy(), scores.numpy(), 0.3, offset)


def test_nms_keeps_boxes_without_area():
    boxes = torch.tensor([[5.0, 5, 5, 5], [5, 5, 5, 5], [0, 0, 10, 10]])
    assert ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)[1].tolist() == [0, 1, 2]


def soft_nms_by_loop(boxes, scores, threshold, sigma, lowest, method, offset):
    scores, left, found = scores.copy(), list(range(len(boxes))), []
    while left:
        best = max(left, key=lambda row: scores[row])
        found.append((best, scores[best]))
        left.remove(best)
        for row in list(left):
            overlap = iou(boxes[best], boxes[row], offset)
            if method == "gaussian":
                scores[row] *= np.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                scores[row] *= 1 - overlap if method == "linear" else 0
            if scores[row] < lowest:
                left.remove(row)
    return found


@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_soft_nms(count, method):
    boxes, scores = random_boxes(count, seed=1)
    dets, rows = ops.soft_nms(boxes, scores, 0.3, 0.5, 0.05, method, 1)
    found = soft_nms_by_loop(boxes.numpy(), scores.numpy(), 0.3, 0.5, 0.05, method, 1)
    assert rows.tolist() == [row for row, _ in found]
    assert np.allclose(dets[:, 4], [score for _, score in found], atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_sigmoid_focal_loss(weighted):
    torch.manual_seed(0)
    logits = (torch.randn(30, 4) * 20).requires_grad_()
    target = torch.randint(0, 5, (30,))  # 4 is background.
    found = torch.zeros(30, 4)
    weight = torch.rand(4) if weighted else torch.empty(0)
    operators.sigmoid_focal_loss_forward(logits.detach(), target, weight, found, 2.0, 0.25)
    # -alpha_t (1 - p_t)^gamma log p_t, where p_t is the probability of the right answer.
    right = torch.nn.functional.one_hot(target, 5)[:, :4].bool()
    signed = torch.where(right, logits, -logits)
    alpha = torch.where(right, 0.25, 0.75)
    expected = -alpha * (1 - signed.sigmoid()) ** 2 * torch.nn.functional.logsigmoid(signed)
    if weighted:
        expected = expected * torch.cat([weight, torch.ones(1)])[target][:, None]
    assert torch.allclose(found, expected, atol=1e-5)
    expected.sum().backward()
    gradient = torch.zeros(30, 4)
    operators.sigmoid_focal_loss_backward(logits.detach(), target, weight, gradient, 2.0, 0.25)
    assert torch.allclose(gradient, logits.grad, atol=1e-5)


def bilinear(image, y, x):
    """The value of a (c, h, w) image between pixels, 0 outside; differentiable."""
    height, width = image.shape[1:]
    y0, x0 = int(np.floor(float(y))), int(np.floor(float(x)))
    total = image.new_zeros(image.shape[0])
    for row in (y0, y0 + 1):
        for column in (x0, x0 + 1):
            if 0 <= row < height and 0 <= column < width:
                total = total + (1 - abs(y - row)) * (1 - abs(x - column)) * image[:, row, column]
    return total


def clamped_sample(image, y, x):
    """RoIAlign's sample: up to a pixel outside counts as the edge, further out is 0."""
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return image.new_zeros(image.shape[0])
    return bilinear(image, min(max(y, 0), height - 1), min(max(x, 0), width - 1))


def roi_align_by_loop(features, rois, bins, scale, ratio, shift):
    rows = []
    for roi in rois.tolist():
        x1, y1, x2, y2 = (value * scale - shift for value in roi[1:])
        height, width = y2 - y1, x2 - x1
        if not shift:
            height, width = max(height, 1.0), max(width, 1.0)
        grid = [ratio or int(np.ceil(side / bins)) for side in (height, width)]
        cells = []
        for row in range(bins):
            for column in range(bins):
                samples = [
                    clamped_sample(
                        features[int(roi[0])],
                        y1 + (row + (i + 0.5) / grid[0]) * height / bins,
                        x1 + (column + (j + 0.5) / grid[1]) * width / bins,
                    )
                    for i in range(grid[0])
                    for j in range(grid[1])
                ]
                none = features.new_zeros(features.shape[1])
                cells.append(sum(samples, none) / max(1, len(samples)))
        rows.append(torch.stack(cells, 1).reshape(-1, bins, bins))
    return torch.stack(rows)


@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("aligned", [False, True])
def test_roi_align(ratio, aligned):
    torch.manual_seed(0)
    features = torch.randn(2, 3, 8, 9).requires_grad_()
    # Inside, over the edge, outside, and without area.
    rois = torch.tensor(
        [[0, 3, 2, 20, 25], [1, -9, -5, 14, 60], [1, 90, 90, 99, 95], [0, 8, 8, 8, 8]],
        dtype=torch.float32,
    )
    found = ops.RoIAlign(3, 0.25, ratio, "avg", aligned)(features, rois)
    found.pow(2).sum().backward()
    other = features.detach().clone().requires_grad_()
    expected = roi_align_by_loop(other, rois, 3, 0.25, ratio, 0.5 if aligned else 0.0)
    expected.pow(2).sum().backward()
    assert torch.allclose(found, expected, atol=1e-4)
    assert torch.allclose(features.grad, other.grad, atol=1e-3)


def test_roi_align_of_no_region():
    found = ops.RoIAlign(3, 0.25)(torch.randn(1, 2, 8, 8), torch.zeros(0, 5))
    assert found.shape == (0, 2, 3, 3)


def deform_conv_by_loop(features, offset, mask, weight, stride, padding):
    batch, _, height, width = offset.shape
    size = weight.shape[2]
    rows = []
    for image in range(batch):
        columns = []
        for y in range(height):
            for x in range(width):
                total = 0
                for tap in range(size * size):
                    dy, dx = offset[image, 2 * tap, y, x], offset[image, 2 * tap + 1, y, x]
                    sample = bilinear(
                        features[image],
                        y * stride - padding + tap // size + dy,
                        x * stride - padding + tap % size + dx,
                    )
                    if mask is not None:
                        sample = sample * mask[image, tap, y, x]
                    total = total + weight[:, :, tap // size, tap % size] @ sample
                columns.append(total)
        rows.append(torch.stack(columns, 1).reshape(-1, height, width))
    return torch.stack(rows)


@pytest.mark.parametrize("modulated", [False, True])
def test_deformable_convolution(modulated):
    torch.manual_seed(0)
    # Large offsets: many samples are outside the image.
    tensors = [torch.randn(2, 2, 5, 6), torch.randn(2, 18, 3, 3) * 3, torch.randn(4, 2, 3, 3)]
    tensors.append(torch.rand(2, 9, 3, 3))
    own, other = ([item.clone().requires_grad_() for item in tensors] for _ in range(2))
    features, offset, weight, mask = own
    if modulated:
        found = ops.modulated_deform_conv2d(features, offset, mask, weight, None, 2, 1)
    else:
        found = ops.deform_conv2d(features, offset, weight, 2, 1)
    features, offset, weight, mask = other
    expected = deform_conv_by_loop(
        features, offset, mask if modulated else None, weight, stride=2, padding=1
    )
    assert torch.allclose(found, expected, atol=1e-4)
    found.pow(2).sum().backward()
    expected.pow(2).sum().backward()
    for mine, theirs in zip(own[: 4 if modulated else 3], other, strict=False):
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-2, rtol=1e-4)


def test_multi_scale_deformable_attention():
    torch.manual_seed(0)
    shapes = torch.tensor([[4, 5], [2, 3]])
    value = torch.randn(1, 26, 2, 4)
    # Some locations are outside the image.
    locations, weights = torch.rand(1, 7, 2, 2, 3, 2) * 1.4 - 0.2, torch.rand(1, 7, 2, 2, 3)
    own, other = (
        [item.clone().requires_grad_() for item in (value, locations, weights)] for _ in range(2)
    )
    start = torch.tensor([0, 20])
    found = operators.ms_deform_attn_forward(own[0], shapes, start, own[1], own[2], 64)
    expected = []
    for query in range(7):
        for head in range(2):
            total = torch.zeros(4)
            for level, (height, width) in enumerate(shapes.tolist()):
                rows = other[0][0, start[level] : start[level] + height * width, head]
                image = rows.T.reshape(4, height, width)
                for point in range(3):
                    x, y = other[1][0, query, head, level, point]
                    sample = bilinear(image, y * height - 0.5, x * width - 0.5)
                    total = total + other[2][0, query, head, level, point] * sample
            expected.append(total)
    expected = torch.stack(expected).reshape(1, 7, 8)
    assert torch.allclose(found, expected, atol=1e-5)
    expected.pow(2).sum().backward()
    gradients = [torch.zeros_like(item) for item in (value, locations, weights)]
    operators.ms_deform_attn_backward(
        *(item.detach() for item in own[:1]),
        shapes,
        start,
        own[1].detach(),
        own[2].detach(),
        2 * expected.detach(),
        *gradients,
        64,
    )
    for gradient, theirs in zip(gradients, other, strict=True):
        assert torch.allclose(gradient, theirs.grad, atol=1e-4)


def test_a_missing_operator_names_the_command_that_compiles_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "mmcv._ext", raising=False)
    monkeypatch.setattr(mmcv_ops, "compiled", lambda: False)
    mmcv_ops.provide_ops()
    operator = sys.modules["mmcv._ext"].carafe_forward
    with pytest.raises(ModelError, match=r"operator 'carafe_forward'.*`make ops`"):
        operator(1, 2, scale=3)


def test_compiled_operators_are_used_if_they_are_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, "mmcv._ext", raising=False)
    monkeypatch.setattr(mmcv_ops, "compiled", lambda: True)
    mmcv_ops.provide_ops()
    assert "mmcv._ext" not in sys.modules
