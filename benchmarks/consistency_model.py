"""A model that learns gold's labels and its own confident predictions for the pool."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor
from torch.nn import functional

_ADAPTIVE_MOMENTUM = 0.99
"""Momentum of FreeMatch's averages, for thousands of steps (0.999 in the paper, 1,000,000)."""


@MODELS.register_module()
class ConsistencyModel(BaseModel):  # type: ignore[misc]
    """A classifier or a segmentation model that learns from gold and from its own predictions.

    Args:
        model: the config of the model.
        gold: the number of gold images in a batch; they come first.
        threshold: the lowest confidence of a label; None with `adaptive`.
        adaptive: whether thresholds follow the confidence of the model.
        perturbed: whether the weak view with dropped feature maps learns the labels, too.
    """

    def __init__(
        self,
        model: dict[str, Any],
        gold: int,
        threshold: float | None,
        adaptive: bool,
        perturbed: bool,
    ) -> None:
        super().__init__()
        self.model = MODELS.build(model)
        self.gold, self.threshold = gold, threshold
        self.adaptive, self.perturbed = adaptive, perturbed
        self.segments = hasattr(self.model, "decode_head")
        classes = (
            self.model.decode_head.num_classes if self.segments else self.model.head.num_classes
        )
        self.register_buffer("confidence", torch.tensor(1 / classes))
        self.register_buffer("shares", torch.full((classes,), 1 / classes))

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """Run the model itself."""
        return self.model(*arguments, **options)

    def train_step(self, data: dict[str, Any], optim_wrapper: Any) -> dict[str, Tensor]:
        """Take one step, and return the losses."""
        with optim_wrapper.optim_context(self):
            total, logged = self.parse_losses(self._losses(data))
        optim_wrapper.update_params(total)
        return logged

    def _losses(self, data: dict[str, Any]) -> dict[str, Tensor]:
        """Return the losses of a batch: of gold's labels, and of the model's own."""
        prepare, gold = self.model.data_preprocessor, self.gold
        samples = data["data_samples"]
        weak = prepare({"inputs": data["inputs"], "data_samples": samples}, True)
        strong = prepare({"inputs": data["strong"], "data_samples": copy.deepcopy(samples)}, True)
        weak_pool = weak["inputs"][gold:]
        labels, is_used = self._labels(weak_pool)
        views = [weak["inputs"][:gold], strong["inputs"][gold:]]
        features = self.model.extract_feat(
            torch.cat([*views, weak_pool] if self.perturbed else views)
        )
        losses = self._gold_losses(_part(features, 0, gold), weak["data_samples"][:gold])
        pool = len(weak_pool)
        loss = self._pool_loss(_part(features, gold, gold + pool), labels, is_used)
        if self.perturbed:
            dropped = [functional.dropout2d(one, 0.5) for one in _part(features, gold + pool, None)]
            loss = (loss + self._pool_loss(dropped, labels, is_used)) / 2
        return losses | {"loss_pool": loss}

    def _gold_losses(self, features: list[Tensor], samples: list[Any]) -> dict[str, Tensor]:
        if not self.segments:
            return dict(self.model.head.loss(tuple(features), samples))
        head = self.model.decode_head
        losses = head.loss(features, samples, self.model.train_cfg)
        return {name: value for name, value in losses.items() if name.startswith("loss")}

    def _logits(self, features: list[Tensor]) -> Tensor:
        """Return (n, c) logits of images, or (n, c, h, w) of pixels."""
        head = self.model.decode_head if self.segments else self.model.head
        logits: Tensor = head(features if self.segments else tuple(features))
        return logits

    @torch.no_grad()
    def _labels(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the predicted class of each image or pixel, and whether it is used."""
        self.model.eval()
        logits = self._logits(list(self.model.extract_feat(images)))
        self.model.train()
        values, labels = logits.softmax(1).max(1)
        if not self.adaptive:
            return labels, values >= self.threshold
        keep = _ADAPTIVE_MOMENTUM
        self.confidence.mul_(keep).add_((1 - keep) * values.mean())
        self.shares.mul_(keep).add_((1 - keep) * logits.softmax(1).mean(0))
        thresholds = self.confidence * self.shares / self.shares.max()
        return labels, values >= thresholds[labels]

    def _pool_loss(self, features: list[Tensor], labels: Tensor, is_used: Tensor) -> Tensor:
        """Return the mean over all images or pixels; those that are not used count as 0."""
        losses = functional.cross_entropy(self._logits(features), labels, reduction="none")
        return (losses * is_used).mean()


def _part(features: Any, start: int, end: int | None) -> list[Tensor]:
    """Return the features of some images of a batch."""
    return [one[start:end] for one in features]
