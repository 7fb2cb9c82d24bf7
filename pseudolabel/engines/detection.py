"""What object detection needs of mmdet: its configs, adapted to the data, and its predictions."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mmdet
import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from numpy.typing import NDArray

from pseudolabel.errors import ModelError
from pseudolabel.records import Annotations, Category

SCOPE = "mmdet"
PADDING = 114.0
LOAD = {"type": "LoadImageFromFile"}
TRAIN_KEYS = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
PREDICT_KEYS = (*TRAIN_KEYS, "flip", "flip_direction")


def read_config(name: str) -> Config:
    """Return a model config by zoo name (`mmdet::rtmdet/...py`) or by path.

    Raises:
        ModelError: there is no such config, or it has no `model`.
    """
    path = Path(name)
    if name.startswith("mmdet::"):
        path = Path(mmdet.__file__).parent / ".mim" / "configs" / name.removeprefix("mmdet::")
    if not path.is_file():
        raise ModelError(f"model.config: expected a zoo name or a path, found {name!r}")
    init_default_scope(SCOPE)
    config = Config.fromfile(path)
    if "model" not in config:
        raise ModelError(f"model.config {name}: expected a `model`, found none")
    return config


def backbone_weights(config: Config) -> str | None:
    """Return where a config says that its pretrained backbone lies."""
    init = config.model.get("backbone", {}).get("init_cfg") or {}
    return init.get("checkpoint")


def adapt_model(config: Config, categories: Sequence[Category]) -> ConfigDict:
    """Return the config's model for these classes.

    Every head gets the number of classes, pretrained backbones are taken out (they are loaded
    apart, without running code), batch normalisation is that of one process, and augmentation that
    changes the size of a batch goes: the image size is a parameter.
    """
    model = copy.deepcopy(config.model)
    for part in walk(model):
        if "num_classes" in part:
            part["num_classes"] = len(categories)
        if part.get("type") in ("SyncBN", "MMSyncBN"):
            part["type"] = "BN"
        if isinstance(part.get("init_cfg"), dict) and part["init_cfg"].get("type") == "Pretrained":
            part["init_cfg"] = None
    model.pop("pretrained", None)
    if model.type == "RTMDet":
        model.use_syncbn = False
    preprocessor = model.get("data_preprocessor")
    if preprocessor is not None:
        preprocessor.pop("batch_augments", None)
        # Necks join scales: each side has to be a multiple of the largest stride.
        preprocessor.setdefault("pad_size_divisor", 32)
    return model


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every dict inside a config, outermost first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from walk(inner)


def train_pipeline(
    image_size: tuple[int, int], augmentations: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the training transforms: load, augment as params.yaml says, pad to the image size."""
    return [
        LOAD,
        {"type": "LoadAnnotations", "with_bbox": True},
        *[as_tuples(augmentation) for augmentation in augmentations],
        {"type": "Resize", "scale": image_size, "keep_ratio": True},
        pad_to(image_size),
        {"type": "PackDetInputs", "meta_keys": TRAIN_KEYS},
    ]


def predict_pipeline(image_size: tuple[int, int], flip: bool) -> list[dict[str, Any]]:
    """Return the transforms of prediction, with a flipped view beside the plain one on request."""
    resize = {"type": "Resize", "scale": image_size, "keep_ratio": True}
    pack = {"type": "PackDetInputs", "meta_keys": PREDICT_KEYS if flip else TRAIN_KEYS}
    if not flip:
        return [LOAD, resize, pad_to(image_size), pack]
    views = [{"type": "RandomFlip", "prob": 0.0}, {"type": "RandomFlip", "prob": 1.0}]
    # A view must be flipped before it is padded, or its boxes cannot be turned back.
    steps = [[resize], views, [pad_to(image_size)], [pack]]
    return [LOAD, {"type": "TestTimeAug", "transforms": steps}]


def pad_to(size: tuple[int, int]) -> dict[str, Any]:
    """Return the transform that pads to width and height."""
    return {"type": "Pad", "size": size, "pad_val": {"img": (PADDING, PADDING, PADDING)}}


def as_tuples(value: Any) -> Any:
    """Return YAML's pairs of whole numbers as the tuples that transforms insist on for sizes."""
    if isinstance(value, dict):
        return {key: as_tuples(inner) for key, inner in value.items()}
    if isinstance(value, list) and len(value) == 2 and all(isinstance(it, int) for it in value):
        return tuple(value)
    return [as_tuples(inner) for inner in value] if isinstance(value, list) else value


def coco_source(
    file: Path, images: Path, categories: Sequence[Category], pipeline: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the config of a training data set: a COCO file, images without objects included."""
    return {
        "type": "CocoDataset",
        "ann_file": str(file.resolve()),
        "data_prefix": {"img": str(images.resolve())},
        "metainfo": {"classes": tuple(category.name for category in categories)},
        "filter_cfg": None,
        "pipeline": pipeline,
    }


def with_score_floor(model: ConfigDict, floor: float) -> ConfigDict:
    """Return the model with the lowest score that its heads put out."""
    model = copy.deepcopy(model)
    test = model.get("test_cfg") or {}
    for part in (test, test.get("rcnn", {})):
        if "score_thr" in part:
            part["score_thr"] = floor
    return model


def flipping_model(model: ConfigDict, iou_threshold: float = 0.65) -> dict[str, Any]:
    """Return the config of a model that joins what it sees in several views of an image."""
    nms = {"type": "nms", "iou_threshold": iou_threshold}
    joined = ConfigDict(nms=nms, max_per_img=300)
    return {"type": "DetTTAModel", "module": model, "tta_cfg": joined}


def annotations_of(
    samples: Sequence[Any], category_ids: NDArray[np.int32], floor: float, round_number: int
) -> Annotations:
    """Return what mmdet predicted for some images as annotations, best first within an image.

    Args:
        samples: mmdet's DetDataSample, one an image.
        category_ids: (c,) id of each of the model's classes.
        floor: the lowest score to keep.
        round_number: the round to write beside each row.
    """
    parts = []
    for sample in samples:
        found = sample.pred_instances
        scores = found.scores.cpu().numpy()
        boxes = found.bboxes.cpu().numpy().astype(np.float32)
        height, width = sample.ori_shape
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        sound = (scores >= floor) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        order = np.flatnonzero(sound)[np.argsort(-scores[sound], kind="stable")]
        labels = found.labels.cpu().numpy()[order]
        image_ids = np.full(len(order), sample.img_id, np.int64)
        parts.append(
            Annotations.predicted(
                image_ids, category_ids[labels], boxes[order], scores[order], round_number
            )
        )
    return Annotations.concatenate(parts)
