"""The labels of single images, as they are exchanged with labelling tools."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pseudolabel.core import masks
from pseudolabel.core.records import Category, Dataset

Box = tuple[float, float, float, float]
"""x, y, width and height in pixels, as in COCO."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Label:
    """One object, one class of pixels, or the class of an image.

    Attributes:
        name: the class.
        box: of an object; None for pixels and for the class of an image.
        mask: COCO's compressed run lengths; None if there is no mask.
        score: of a prediction, 0 to 1; None for a label by a person.
    """

    name: str
    box: Box | None = None
    mask: bytes | None = None
    score: float | None = None


@dataclass(frozen=True)
class LabelledImage:
    """An image with its labels.

    Attributes:
        file_name: the path relative to the image folder, with forward slashes.
        width: in pixels.
        height: in pixels.
        labels: its labels, which may be none.
    """

    file_name: str
    width: int
    height: int
    labels: tuple[Label, ...]


def labelled_images(dataset: Dataset) -> list[LabelledImage]:
    """Return the images of a data set with their labels, in order."""
    names = {category.id: category.name for category in dataset.categories}
    found = []
    images = dataset.images
    sizes = zip(images.file_names, images.widths, images.heights, strict=True)
    for (file_name, width, height), rows in zip(
        sizes, dataset.annotations.by_image(images.ids), strict=True
    ):
        labels = []
        for box, mask, category_id, score in zip(
            rows.boxes_xyxy.astype(float).round(2).tolist(),
            rows.masks,
            rows.category_ids.tolist(),
            rows.scores.astype(float).round(4).tolist(),
            strict=True,
        ):
            x, y, right, bottom = box
            own = (x, y, round(right - x, 2), round(bottom - y, 2))
            shape = (None if math.isnan(x) else own, mask or None)
            labels.append(Label(names[category_id], *shape, score))
        found.append(LabelledImage(str(file_name), int(width), int(height), tuple(labels)))
    return found


def to_coco(
    images: Sequence[LabelledImage],
    categories: Sequence[Category],
    extra: Mapping[str, Mapping[str, Any]] | None = None,
) -> Record:
    """Return images with their labels as a COCO object, sorted by file name.

    Args:
        images: the images.
        categories: the classes.
        extra: further fields of images, by file name.
    """
    ids = {category.name: category.id for category in categories}
    ordered = sorted(images, key=lambda image: image.file_name)
    rows: list[Record] = []
    for image_id, image in enumerate(ordered, start=1):
        for label in image.labels:
            row: Record = {"id": len(rows) + 1, "image_id": image_id}
            rows.append(row | {"category_id": ids[label.name]} | _shape(label, image))
    return {
        "categories": [{"id": category.id, "name": category.name} for category in categories],
        "images": [
            {
                "id": image_id,
                "file_name": image.file_name,
                "width": image.width,
                "height": image.height,
                **(extra or {}).get(image.file_name, {}),
            }
            for image_id, image in enumerate(ordered, start=1)
        ],
        "annotations": rows,
    }


def from_coco(content: Record) -> list[LabelledImage]:
    """Return the images of a COCO object that `to_coco` made, in order."""
    names = {row["id"]: row["name"] for row in content["categories"]}
    by_image: dict[int, list[Label]] = {row["id"]: [] for row in content["images"]}
    for row in content["annotations"]:
        box = tuple(row["bbox"]) if "bbox" in row else None
        mask = row["segmentation"]["counts"].encode() if "segmentation" in row else None
        by_image[row["image_id"]].append(
            Label(names[row["category_id"]], box, mask, row.get("score"))
        )
    return [
        LabelledImage(row["file_name"], row["width"], row["height"], tuple(by_image[row["id"]]))
        for row in content["images"]
    ]


def as_gold(image: LabelledImage) -> LabelledImage:
    """Return an image with its labels as gold: without scores, boxes to a hundredth of a pixel."""
    labels = tuple(
        Label(
            label.name,
            None if label.box is None else _rounded(label.box),
            label.mask,
        )
        for label in image.labels
    )
    return replace(image, labels=labels)


def _rounded(box: Box) -> Box:
    x, y, width, height = (round(value, 2) for value in box)
    return x, y, width, height


def _shape(label: Label, image: LabelledImage) -> Record:
    """Return the fields of a label's shape and score; a mask gives its box and its area."""
    row: Record = {}
    if label.mask is not None:
        size = [image.height, image.width]
        row["segmentation"] = {"size": size, "counts": label.mask.decode()}
        row["area"] = float(masks.areas([label.mask], *size)[0])
        x, y, right, bottom = masks.boxes_xyxy([label.mask], *size)[0].tolist()
        row |= {"bbox": [x, y, right - x, bottom - y], "iscrowd": 0}
    elif label.box is not None:
        area = label.box[2] * label.box[3]
        row |= {"bbox": list(label.box), "iscrowd": 0, "area": area}
    return row | ({} if label.score is None else {"score": label.score})
