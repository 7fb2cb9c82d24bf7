"""mmdet's pasting of masks into images, for boxes that are of no use as well.

mmdet fails for a whole image if all of its boxes are outside. Here, a mask of such a box is empty,
so that its object is left out later.
"""

from __future__ import annotations

from typing import Any

import torch

from pseudolabel.models.quiet_imports import quiet_imports

with quiet_imports():
    from mmdet.models.roi_heads.mask_heads import fcn_mask_head

_paste = fcn_mask_head._do_paste_mask  # noqa: SLF001 - it has no public name


def paste_masks(
    masks: torch.Tensor,
    boxes: torch.Tensor,
    img_h: int,
    img_w: int,
    skip_empty: bool = True,
) -> Any:
    """Return masks in their image; the arguments and the result are mmdet's.

    Args:
        masks: (n, 1, h, w) masks, each in its box.
        boxes: (n, 4) x1, y1, x2, y2.
        img_h: height of the image.
        img_w: width of the image.
        skip_empty: whether to return only the part of the image that has boxes.
    """
    size = boxes.new_tensor([img_w, img_h])
    clipped = torch.minimum(boxes.nan_to_num(), size.repeat(2)).clamp(min=0)
    usable = torch.isfinite(boxes).all(dim=1) & (clipped[:, 2:] > clipped[:, :2]).all(dim=1)
    whole = torch.cat([torch.zeros_like(size), size])
    boxes = torch.where(usable[:, None], boxes, whole)
    masks = torch.where(usable[:, None, None, None], masks, torch.zeros_like(masks))
    return _paste(masks, boxes, img_h, img_w, skip_empty)


def paste_only_usable() -> None:
    """Put `paste_masks` in the place of mmdet's function."""
    fcn_mask_head._do_paste_mask = paste_masks  # noqa: SLF001
