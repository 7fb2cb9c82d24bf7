"""Features of images: what a model's backbone sees in them, as one vector per image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.records import Images
from pseudolabel.formats.model_folder import WEIGHTS
from pseudolabel.models import PACKAGES
from pseudolabel.models.trained import build_trained, read_trained_config
from pseudolabel.predictions import load_task_predictor
from pseudolabel.predictions.image_loader import image_loader
from pseudolabel.predictions.task_predictor import View

_BATCH_SIZE = 16


def backbone_features(model: Path, images: Images, root: Path, workers: int) -> NDArray[np.float32]:
    """Return (n, d) features: the mean of the backbone's last map, scaled to length 1.

    Images that cannot be decoded have features of zeros.

    Args:
        model: the model folder.
        images: the images, at least one.
        root: the image folder.
        workers: processes that read images.
    """
    config = read_trained_config(model)
    init_default_scope(PACKAGES[config.task])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = build_trained(config.model, model / WEIGHTS, config.task).to(device).eval()
    pipeline = load_task_predictor(config.task).view_pipeline(
        config.image_size, View(1, flip=False)
    )
    loader = image_loader(images, root, [pipeline], _BATCH_SIZE, workers)
    progress = tqdm(total=len(images), desc="features", unit="img", mininterval=2)
    found: list[NDArray[np.float32]] = []
    readable = np.ones(len(images), bool)
    for batches, count, unreadable in loader:
        readable[unreadable] = False
        if batches:
            found.append(_features_of(network, batches[0]))
        progress.update(count)
    progress.close()
    width = found[0].shape[1] if found else 0
    features = np.zeros((len(images), width), np.float32)
    if found:
        features[readable] = np.concatenate(found)
    return features


def _features_of(network: Any, batch: Any) -> NDArray[np.float32]:
    """Return the (n, d) features of a batch."""
    with torch.inference_mode():
        inputs = network.data_preprocessor(batch, False)["inputs"]
        maps = network.backbone(inputs)
        last = maps[-1] if isinstance(maps, (tuple, list)) else maps
        pooled = last.flatten(2).mean(dim=2) if last.dim() > 2 else last
        scaled = torch.nn.functional.normalize(pooled.float(), dim=1)
    features: NDArray[np.float32] = scaled.cpu().numpy()
    return features
