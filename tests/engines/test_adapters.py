"""What each task's models train on and predict, on tiny data."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, MODELS, init_default_scope

from pseudolabel.engines.adapter import Request, adapter_of
from pseudolabel.engines.adapters.instance import stability
from pseudolabel.engines.adapters.semantic import MapsWriter
from pseudolabel.engines.labelling import label_missing_shards, label_pool
from pseudolabel.engines.model_config import read_config, stripped, thawed
from pseudolabel.engines.predicting import Predictions, TrainedModel
from pseudolabel.engines.training import train
from pseudolabel.engines.training_config import Sources, build_config
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.label_maps import map_path, read_map
from pseudolabel.formats.prediction_maps import confidence_path, label_path
from pseudolabel.records import LabelMaps
from tests.builders import images
from tests.engines.finding import find_all

TASKS = ("detection", "instance", "semantic", "classification")


def pool_of(data):
    return read_coco(data.prepared / "pool" / FILE).images


def training_items(data, **changes):
    """The training data set of a task, as its transforms leave it."""
    params = data.params(**changes)
    sources = Sources.of(data.prepared)
    categories = read_coco(sources.gold / FILE).categories
    config = build_config(sources, categories, data.root, params)
    init_default_scope(adapter_of(data.task).scope)
    return DATASETS.build(config.train_dataloader.dataset)


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_an_unreadable_image_is_set_aside_and_the_others_are_labelled(any_task, tmp_path):
    pool, broken = pool_of(any_task), tmp_path / "images"
    broken.mkdir()
    for name in pool.file_names:
        (broken / name).write_bytes((any_task.root / "images" / name).read_bytes())
    names = pool.file_names.tolist()
    (broken / names[2]).write_bytes((broken / names[2]).read_bytes()[:40])
    # A whole batch that cannot be read.
    for name in names[4:8]:
        (broken / name).write_bytes(b"")
    params = any_task.params(data={"root": str(tmp_path)})
    output = tmp_path / "predictions"
    label_pool(any_task.prepared, any_task.model, output, 1, params)
    teacher = json.loads((output / tables.TEACHER).read_text())
    assert teacher["unreadable"] == [names[2], *names[4:8]]
    assert [path.name for path in tables.shard_paths(output)] == [
        f"shard-00000{it}.parquet" for it in range(3)
    ]
    readable = {0, 1, 3, 8, 9}
    if any_task.task == "classification":
        parts = [tables.read_probabilities(path) for path in tables.shard_paths(output)]
        found = np.concatenate([part.image_ids for part in parts])
    else:
        found = tables.read_shards(output).image_ids
    assert set(found) <= {int(pool.ids[row]) for row in readable}
    if any_task.task in ("semantic", "classification"):
        assert len(set(found)) == len(readable)


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_label_maps_have_the_image_s_size_and_sure_pixels_win(any_task, tmp_path):
    output = tmp_path / "predictions"
    label_pool(any_task.prepared, any_task.model, output, 1, any_task.params())
    rows = tables.read_shards(output)
    for image_id in pool_of(any_task).ids.tolist():
        labels = read_map(label_path(output, image_id))
        confidences = read_map(confidence_path(output, image_id))
        assert labels.shape == confidences.shape == (80, 96)
        own = rows[rows.image_ids == image_id]
        assert own.areas.sum() == labels.size
        # Four classes: the best of them is never under a quarter.
        assert confidences.min() >= 255 // 4


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_views_at_other_scales_and_mirrored_are_averaged(any_task):
    pool = pool_of(any_task)[:2]

    def maps(scales, flip):
        changes = {"scales": tuple(scales), "flip": flip}
        section = any_task.params().pseudo_label.model_copy(update=changes)
        model = TrainedModel([any_task.model], any_task.root / "images", section)
        (batch,) = model.predict(pool)
        return batch.found.confidences

    plain, twice, scaled = maps([1.0], False), maps([1.0], True), maps([0.67, 1.0], False)
    assert all(it.shape == (80, 96) for found in (plain, twice, scaled) for it in found)
    assert not np.array_equal(plain[0], twice[0])
    assert not np.array_equal(plain[0], scaled[0])


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_a_mirrored_image_has_the_mirrored_map_where_views_are_joined(any_task, tmp_path):
    pool = pool_of(any_task)[:1]
    name = pool.file_names[0]
    mirrored = cv2.flip(cv2.imread(str(any_task.root / "images" / name)), 1)
    cv2.imwrite(str(tmp_path / name), mirrored)
    section = any_task.params().pseudo_label.model_copy(update={"scales": (1.0,), "flip": True})
    found = []
    for root in (any_task.root / "images", tmp_path):
        (batch,) = TrainedModel([any_task.model], root, section).predict(pool)
        found.append(batch.found.confidences[0].astype(int))
    assert np.abs(found[0] - found[1][:, ::-1]).max() <= 1


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_label_maps_are_padded_with_what_does_not_count(any_task):
    images = read_coco(any_task.prepared / "gold" / FILE).images
    changes = {"augmentations": []}
    item = training_items(any_task, train=changes)[0]
    labels = item["data_samples"].gt_sem_seg.data[0].numpy()
    assert np.array_equal(
        labels[:80], read_map(map_path(any_task.prepared / "gold", int(images.ids[0])))
    )
    assert (labels[80:] == 255).all()
    assert item["inputs"].shape == (3, 96, 96)


@pytest.mark.parametrize("any_task", ["instance"], indirect=True)
def test_training_masks_are_those_of_gold(any_task):
    gold = read_coco(any_task.prepared / "gold" / FILE)
    item = training_items(any_task, train={"augmentations": []})[0]
    own = gold.annotations[gold.annotations.image_ids == gold.images.ids[0]]
    pixels = item["data_samples"].gt_instances.masks.masks
    assert pixels.shape == (len(own), 96, 96)
    assert pixels.sum(axis=(1, 2)).tolist() == own.areas.tolist()


@pytest.mark.parametrize("any_task", ["instance"], indirect=True)
def test_boxes_areas_and_masks_of_predictions_agree(any_task):
    params = any_task.params(train={"iterations": 60, "ema_momentum": None})
    train(any_task.prepared, any_task.prepared, any_task.model.parent / "longer", params)
    section = params.evaluate
    model = TrainedModel([any_task.model.parent / "longer"], any_task.root / "images", section)
    found = find_all(model, pool_of(any_task)[:3])
    assert len(found) > 0
    assert all(found.masks)
    assert (found.boxes_xyxy[:, 2:] <= (96, 80)).all()
    sides = found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]
    assert (found.areas <= sides.prod(axis=1)).all()
    assert ((found.stabilities >= 0) & (found.stabilities <= 1)).all()


def test_stability_is_what_a_strict_threshold_leaves_of_a_generous_one():
    soft = torch.zeros(3, 4, 4)
    soft[0, :2] = 0.9
    soft[1, 0] = 0.9
    soft[1, 1:] = 0.4
    assert stability(soft).tolist() == [1.0, 0.25, 0.0]


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_classes_of_training_are_positions_of_categories(any_task):
    gold = read_coco(any_task.prepared / "gold" / FILE)
    items = training_items(any_task)
    labels = [int(items[row]["data_samples"].gt_label) for row in range(len(items))]
    ids = [category.id for category in gold.categories]
    assert [ids[label] for label in labels] == gold.annotations.category_ids.tolist()


MIXES = [
    ("neither", {"mixup": 0.0, "cutmix": 0.0}, None),
    ("mixup", {"mixup": 0.2, "cutmix": 0.0}, ["Mixup"]),
    ("both", {"mixup": 0.2, "cutmix": 1.0}, ["Mixup", "CutMix"]),
]


@pytest.mark.parametrize(
    ("changes", "names"), [it[1:] for it in MIXES], ids=[it[0] for it in MIXES]
)
@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_mixing_and_smoothing_are_what_params_say(any_task, tmp_path, changes, names):
    params = any_task.params(train=changes | {"label_smoothing": 0.2, "iterations": 3})
    categories = read_coco(any_task.prepared / "gold" / FILE).categories
    adapter = adapter_of("classification")
    config = read_config(params.model.config, adapter.scope)
    model = adapter.adapt_model(config, categories, params)
    assert model.head.loss.label_smooth_val == 0
    hard = any_task.params(train={"label_smoothing": 0.2, "soft_labels": False})
    assert adapter.adapt_model(config, categories, hard).head.loss.label_smooth_val == 0.2
    assert (model.train_cfg and [it["type"] for it in model.train_cfg["augments"]]) == names
    train(any_task.prepared, any_task.prepared, tmp_path / "model", params)
    assert (tmp_path / "model" / "weights.pth").exists()


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_probabilities_of_views_are_averaged(any_task):
    pool = pool_of(any_task)[:4]

    def values(flip):
        section = any_task.params().pseudo_label.model_copy(update={"flip": flip})
        (batch,) = TrainedModel([any_task.model], any_task.root / "images", section).predict(pool)
        return batch.found.values

    plain, both = values(False), values(True)
    assert np.allclose(both.sum(axis=1), 1, atol=1e-5)
    assert not np.allclose(plain, both)


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_a_mirrored_image_that_is_padded_looks_the_same_where_views_are_joined(any_task, tmp_path):
    pool = pool_of(any_task)[:1]
    name = pool.file_names[0]
    narrow = cv2.imread(str(any_task.root / "images" / name))[:, :30]
    section = any_task.params().pseudo_label.model_copy(update={"flip": True})
    found = []
    for folder, image in (("plain", narrow), ("mirrored", cv2.flip(narrow, 1))):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / name), image)
        (batch,) = TrainedModel([any_task.model], tmp_path / folder, section).predict(pool)
        found.append(batch.found.values)
    assert np.allclose(*found, atol=1e-5)


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_training_images_are_cut_to_the_crop_and_labels_with_them(any_task):
    items = training_items(any_task, train={"crop": [32, 48], "augmentations": []})
    for row in range(len(items)):
        item = items[row]
        assert item["inputs"].shape == (3, 48, 32)
        sample = item["data_samples"]
        if any_task.task == "semantic":
            assert sample.gt_sem_seg.data.shape == (1, 48, 32)
        if any_task.task in ("detection", "instance"):
            x1, y1, x2, y2 = sample.gt_instances.bboxes.tensor.T
            assert (x1 >= 0).all()
            assert (y1 >= 0).all()
            assert (x2 <= 32).all()
            assert (y2 <= 48).all()
        if any_task.task == "instance":
            grids = sample.gt_instances.masks.to_ndarray().astype(bool)
            assert grids.shape[1:] == (48, 32)
            for grid, box in zip(grids, sample.gt_instances.bboxes.tensor.tolist(), strict=True):
                rows, columns = np.nonzero(grid)
                around = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                assert np.abs(np.array(around) - box).max() <= 1


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_silver_is_learned_by_its_probabilities_and_gold_by_its_class(any_task, tmp_path):
    shutil.copytree(any_task.prepared / "gold", tmp_path / "gold")
    shutil.copytree(any_task.prepared / "gold", tmp_path / "silver")
    gold = read_coco(tmp_path / "gold" / FILE)
    even = np.ones(len(gold.categories))
    values = np.random.default_rng(0).dirichlet(even, len(gold.images)).astype(np.float32)
    np.save(tmp_path / "silver" / tables.SOFT_LABELS, values)
    whole = replace(any_task, prepared=tmp_path)
    items = training_items(whole, train={"soft_labels": True, "label_smoothing": 0.3})
    scores = np.stack([items[row]["data_samples"].gt_score.numpy() for row in range(len(items))])
    hard, soft = np.split(scores, 2)
    assert np.array_equal(soft, values)
    assert np.allclose(hard.sum(axis=1), 1)
    assert np.allclose(hard.max(axis=1), 0.7 + 0.3 / len(even))
    assert hard.argmax(axis=1).tolist() == [
        int(items[row]["data_samples"].gt_label) for row in range(len(values))
    ]
    plain = training_items(whole, train={"soft_labels": False})
    assert "gt_score" not in plain[0]["data_samples"]


class OneMapAnImage:
    """In the place of a model: a map of the image's number for each image; may die on the way."""

    def __init__(self, folder, dies_at=None):
        self.dies_at = dies_at
        self.writer = MapsWriter(folder, Request(np.arange(20, dtype=np.int32), None, 1))

    def predict(self, pool, first=0):
        for row in range(first, len(pool), 2):
            ids = pool.ids[row : row + 2]
            maps = [np.full((3, 4), it, np.uint8) for it in ids]
            yield Predictions(LabelMaps(ids, maps, maps), len(ids), [])
            if self.dies_at in ids:
                raise KeyboardInterrupt

    def shard_writer(self, _):
        return self.writer


def test_maps_of_a_shard_that_a_kill_cut_short_are_written_anew(tmp_path):
    pool = images(11)
    with pytest.raises(KeyboardInterrupt):
        label_missing_shards(pool, lambda: OneMapAnImage(tmp_path, dies_at=6), tmp_path, 4)
    assert len(tables.shard_paths(tmp_path)) == 1
    assert len(list((tmp_path / "labels").iterdir())) == 6
    label_path(tmp_path, 5).write_bytes(b"half")
    label_missing_shards(pool, lambda: OneMapAnImage(tmp_path), tmp_path, 4)
    rows = tables.read_shards(tmp_path)
    assert rows.image_ids.tolist() == list(range(1, 12))
    assert rows.areas.tolist() == [12] * 11
    for image_id in range(1, 12):
        assert (read_map(label_path(tmp_path, image_id)) == image_id).all()


FROZEN = [
    "mmdet::hrnet/faster-rcnn_hrnetv2p-w18-1x_coco.py",
    "mmdet::faster_rcnn/faster-rcnn_r50-caffe_fpn_1x_coco.py",
    "mmdet::resnest/faster-rcnn_s50_fpn_syncbn-backbone+head_ms-range-1x_coco.py",
]


@pytest.mark.parametrize("name", FROZEN, ids=["by default", "caffe", "resnest"])
def test_a_backbone_that_begins_from_nothing_learns_in_all_its_parts(name):
    config = stripped(read_config(name, "mmdet"), 3)

    def learns(model):
        backbone = MODELS.build(model.backbone)
        backbone.train()
        weights = all(it.requires_grad for it in backbone.parameters())
        return weights and all(it.training for it in backbone.modules())

    assert not learns(config)
    assert learns(thawed(config))
