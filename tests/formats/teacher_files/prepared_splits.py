"""Prepared data of a few images, and files of predictions for it."""

import csv

import cv2
import numpy as np
import orjson

from pseudolabel.core.records import Annotations, Dataset, Images
from pseudolabel.core.teacher_file import TeacherFile
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.teacher_files import read_teacher_file
from tests import builders

SPLITS = {"gold": [1, 2], "pool": [3, 4, 5], "tuning": [6], "val": [7], "test": [8]}


def write_prepared(folder):
    """Write splits whose images are named a/<split>/<id>.png, of 40 x 30 pixels."""
    for split, ids in SPLITS.items():
        names = [f"a/{split}/{image_id}.png" for image_id in ids]
        found = Images.build(ids, names, [40] * len(ids), [30] * len(ids))
        dataset = Dataset(found, Annotations.empty(), builders.CATEGORIES)
        SplitFolder(folder / split).write(dataset)
    return folder


def read(path, prepared, task="detection", **options):
    return read_teacher_file(TeacherFile(file=path, **options), prepared, task, 1)


def result(name, box=(2, 3, 10, 12), score=0.5, **other):
    return {"file_name": name, "category_id": "disc", "bbox": list(box), "score": score} | other


def write_results(path, rows):
    path.write_bytes(orjson.dumps(rows))
    return path


def write_lines(folder, files, classes="disc\nrod\nstar\n"):
    """Write YOLO's text files: the lines of each name."""
    for name, lines in files.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))
    if classes:
        (folder / "classes.txt").write_text(classes)
    return folder


def write_table(path, header, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def write_maps(folder, names, labels, confidences, classes="disc\nrod\nstar\n"):
    for name in names:
        for kind, pixels in (("labels", labels), ("confidences", confidences)):
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.asarray(pixels, np.uint8))
    if classes:
        (folder / "classes.txt").write_text(classes)
    return folder
