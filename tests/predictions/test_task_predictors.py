"""The predictions of each task's models, on tiny data."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from pseudolabel.formats.map_shards import MapShards
from pseudolabel.formats.shards import TEACHER_FILE, read_probabilities, read_shards, shard_paths
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.masks import _mask_stability
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.training.train import train
from tests.finding import find_all
from tests.leaks import prepared_from, without_hashes

TASKS = ("detection", "instance", "semantic", "classification")


def pool_images(data):
    return SplitFolder(data.prepared / "pool").read().images


def predict_batch(data, images, root=None, **changes):
    """The predictions for one batch, with changes to `pseudo_label`."""
    section = data.params().pseudo_label.model_copy(update=changes)
    (batch,) = TrainedModels([data.model], root or data.root / "images", section).predict(images)
    return batch.predictions


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_unreadable_images_are_listed_and_the_others_are_labelled(any_task, tmp_path):
    pool, folder = pool_images(any_task), tmp_path / "images"
    folder.mkdir()
    names = pool.file_names.tolist()
    for name in names:
        shutil.copy(any_task.root / "images" / name, folder)
    (folder / names[2]).write_bytes((folder / names[2]).read_bytes()[:40])
    # No image of the second batch can be decoded.
    for name in names[4:8]:
        (folder / name).write_bytes(b"")
    params = any_task.params(data={"root": str(tmp_path)})
    output = tmp_path / "predictions"
    data = prepared_from(folder, any_task.prepared, tmp_path / "prepared")
    label_pool(data, any_task.model, output, 1, params)
    teacher = json.loads((output / TEACHER_FILE).read_text())
    assert teacher["unreadable"] == [names[2], *names[4:8]]
    assert [path.name for path in shard_paths(output)] == [
        f"shard-00000{number}.parquet" for number in range(3)
    ]
    readable = {0, 1, 3, 8, 9}
    if any_task.task == "classification":
        parts = [read_probabilities(path) for path in shard_paths(output)]
        image_ids = np.concatenate([part.image_ids for part in parts])
    elif any_task.task == "semantic":
        image_ids = MapShards(shard_paths(output)).image_ids
    else:
        image_ids = read_shards(output).image_ids
    assert set(image_ids) <= {int(pool.ids[row]) for row in readable}
    if any_task.task in ("semantic", "classification"):
        assert len(set(image_ids)) == len(readable)


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_label_maps_have_the_size_of_the_image_and_the_most_probable_class(any_task, tmp_path):
    output = tmp_path / "predictions"
    label_pool(any_task.prepared, any_task.model, output, 1, any_task.params())
    predicted = MapShards(shard_paths(output))
    assert predicted.image_ids.tolist() == pool_images(any_task).ids.tolist()
    for image_id in predicted.image_ids.tolist():
        maps = predicted.prediction(image_id)
        (labels,), (confidences,) = maps.labels, maps.confidences
        assert labels.shape == confidences.shape == (80, 96)
        assert labels.max() < 4
        # The most probable of four classes has at least a quarter.
        assert confidences.min() >= 255 // 4


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_label_maps_of_scaled_and_mirrored_views_are_averaged(any_task):
    pool = pool_images(any_task)[:2]
    plain, flipped, scaled = (
        predict_batch(any_task, pool, scales=scales, flip=flip).confidences
        for scales, flip in (((1.0,), False), ((1.0,), True), ((0.67, 1.0), False))
    )
    assert all(part.shape == (80, 96) for maps in (plain, flipped, scaled) for part in maps)
    assert not np.array_equal(plain[0], flipped[0])
    assert not np.array_equal(plain[0], scaled[0])


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_a_mirrored_image_has_the_mirrored_map_if_both_views_are_averaged(any_task, tmp_path):
    pool = without_hashes(pool_images(any_task)[:1])
    name = pool.file_names[0]
    mirrored = cv2.flip(cv2.imread(str(any_task.root / "images" / name)), 1)
    cv2.imwrite(str(tmp_path / name), mirrored)
    maps = [
        predict_batch(any_task, pool, root, scales=(1.0,), flip=True).confidences[0].astype(int)
        for root in (any_task.root / "images", tmp_path)
    ]
    assert np.abs(maps[0] - maps[1][:, ::-1]).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("any_task", ["instance"], indirect=True)
def test_boxes_areas_and_masks_of_predictions_agree(any_task):
    params = any_task.params(train={"iterations": 60, "ema_momentum": None})
    folder = any_task.model.parent / "longer"
    train(any_task.prepared, any_task.prepared, folder, params)
    model = TrainedModels([folder], any_task.root / "images", params.evaluate)
    objects = find_all(model, pool_images(any_task)[:3])
    assert len(objects) > 0
    assert all(objects.masks)
    assert (objects.boxes_xyxy[:, 2:] <= (96, 80)).all()
    sides = objects.boxes_xyxy[:, 2:] - objects.boxes_xyxy[:, :2]
    assert (objects.areas <= sides.prod(axis=1)).all()
    assert ((objects.stabilities >= 0) & (objects.stabilities <= 1)).all()


def test_mask_stability_is_the_iou_at_a_high_and_a_low_threshold():
    soft = torch.zeros(3, 4, 4)
    soft[0, :2] = 0.9
    soft[1, 0] = 0.9
    soft[1, 1:] = 0.4
    assert _mask_stability(soft).tolist() == [1.0, 0.25, 0.0]


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_probabilities_of_views_are_averaged(any_task):
    pool = pool_images(any_task)[:4]
    plain, both = (predict_batch(any_task, pool, flip=flip).values for flip in (False, True))
    assert np.allclose(both.sum(axis=1), 1, atol=1e-5)
    assert not np.allclose(plain, both)


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_a_padded_image_is_mirrored_before_it_is_padded(any_task, tmp_path):
    pool = without_hashes(pool_images(any_task)[:1])
    name = pool.file_names[0]
    narrow = cv2.imread(str(any_task.root / "images" / name))[:, :30]
    values = []
    for folder, image in (("plain", narrow), ("mirrored", cv2.flip(narrow, 1))):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / name), image)
        values.append(predict_batch(any_task, pool, tmp_path / folder, flip=True).values)
    assert np.allclose(*values, atol=1e-5)
