"""Files of predictions as teachers: alone, joined with a model, and as round 0."""

import json
import shutil

import numpy as np
import pytest

from pseudolabel.core.errors import DataError, ModelError, ParamsError, SilverError
from pseudolabel.core.files import hash_file
from pseudolabel.evaluation.evaluate import evaluate
from pseudolabel.evaluation.score import score_model
from pseudolabel.formats.map_shards import MapShards
from pseudolabel.formats.model_folder import WEIGHTS
from pseudolabel.formats.shards import TEACHER_FILE, read_probabilities, read_shards, shard_paths
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.teacher_files import sha256_of
from pseudolabel.models.trained import read_trained_config
from pseudolabel.predictions.ensemble import fuse_boxes
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.objects import BoxFilter
from pseudolabel.training.from_file import take_file
from tests.builders import same_rows, write_json
from tests.conftest import tiny_params
from tests.formats.teacher_files.prepared_splits import write_maps, write_table

SPLITS = ("pool", "val", "tuning", "test")


def one_box_per_image(prepared, path, splits=SPLITS, **listed):
    """Write a COCO file with one object of 20 x 20 pixels on each image of some splits."""
    datasets = [SplitFolder(prepared / split).read() for split in splits]
    names = [name for dataset in datasets for name in dataset.images.file_names.tolist()]
    classes = [category.name for category in datasets[0].categories]
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes)],
        "annotations": [
            {"image_id": number, "category_id": 1, "bbox": [8, 9, 20, 20], "score": 0.75}
            for number in range(len(names))
        ],
    }
    write_json(path, content | listed)
    return path


def teacher_record(folder):
    return json.loads((folder / TEACHER_FILE).read_text())


def test_a_file_labels_the_pool_and_tuning(root, prepared, tmp_path):
    path = one_box_per_image(prepared, tmp_path / "boxes.json")
    params = tiny_params(root, pseudo_label={"teachers": [str(path)]})
    label_pool(prepared, tmp_path / "no_champion", tmp_path / "predictions", 3, params)
    rows = read_shards(tmp_path / "predictions")
    pool = SplitFolder(prepared / "pool").read()
    assert rows.image_ids.tolist() == pool.images.ids.tolist()
    assert rows.boxes_xyxy.tolist() == [[8, 9, 28, 29]] * 10
    assert (set(rows.scores.tolist()), set(rows.rounds.tolist())) == ({0.75}, {3})
    assert set(rows.category_ids.tolist()) == {pool.categories[1].id}
    assert len(shard_paths(tmp_path / "predictions")) == 3
    record = teacher_record(tmp_path / "predictions")
    assert record["weights"] == sha256_of(path)
    assert record["files"] == [{"file": "boxes.json", "sha256": sha256_of(path), "left_out": {}}]
    assert "without_tuning" not in record


def test_a_changed_file_is_labelled_again(root, prepared, tmp_path):
    path = one_box_per_image(prepared, tmp_path / "boxes.json")
    params = tiny_params(root, pseudo_label={"teachers": [str(path)]})
    label_pool(prepared, tmp_path, tmp_path / "one", 1, params)
    path.write_text(path.read_text().replace("0.75", "0.5"))
    label_pool(prepared, tmp_path, tmp_path / "two", 1, params)
    scores = [set(read_shards(tmp_path / name).scores.tolist()) for name in ("one", "two")]
    assert scores == [{0.75}, {0.5}]


def test_a_file_is_joined_with_the_champion_by_fusion(root, prepared, model, tmp_path):
    path = one_box_per_image(prepared, tmp_path / "boxes.json")
    found = []
    for name, teachers in (
        ("model", "champion"),
        ("file", [str(path)]),
        ("both", ["champion", str(path)]),
    ):
        params = tiny_params(root, pseudo_label={"teachers": teachers})
        label_pool(prepared, model, tmp_path / name, 1, params)
        found.append(read_shards(tmp_path / name))
    fused = fuse_boxes([found[1], found[0]])
    assert same_rows(found[2], fused[fused.scores >= params.pseudo_label.score_floor])
    record = teacher_record(tmp_path / "both")
    assert record["weights_of_each"] == [hash_file(model / WEIGHTS), sha256_of(path)]
    # Two teachers can only be joined on images that both have.
    path = one_box_per_image(prepared, tmp_path / "boxes.json", splits=("val",))
    with pytest.raises(DataError, match="expected predictions for every image of the pool"):
        label_pool(prepared, model, tmp_path / "both", 1, params)


def test_teachers_change_from_round_to_round(root, prepared, model, tmp_path):
    path = one_box_per_image(prepared, tmp_path / "boxes.json")
    params = tiny_params(root, pseudo_label={"teachers": [[str(path)], ["champion"]]})
    for number in (1, 2, 3):
        label_pool(prepared, model, tmp_path / str(number), number, params)
    hashes = [teacher_record(tmp_path / str(number))["weights"] for number in (1, 2, 3)]
    assert hashes == [sha256_of(path), hash_file(model / WEIGHTS), hash_file(model / WEIGHTS)]


def test_images_that_the_file_lacks_are_left_out_of_silver(root, prepared, tmp_path):
    pool = SplitFolder(prepared / "pool").read().images.file_names.tolist()
    content = json.loads(one_box_per_image(prepared, tmp_path / "boxes.json").read_text())
    for key, name in (("images", "id"), ("annotations", "image_id")):
        content[key] = [row for row in content[key] if row[name] != 2]
    write_json(tmp_path / "boxes.json", content)
    params = tiny_params(root, pseudo_label={"teachers": [str(tmp_path / "boxes.json")]})
    label_pool(prepared, tmp_path, tmp_path / "predictions", 1, params)
    assert teacher_record(tmp_path / "predictions")["unreadable"] == [pool[2]]


def test_thresholds_need_predictions_for_tuning(root, prepared, tmp_path):
    path = one_box_per_image(prepared, tmp_path / "boxes.json", splits=("pool",))
    copy = tmp_path / "with_tuning"
    shutil.copytree(prepared, copy)
    shutil.rmtree(copy / "tuning")
    (copy / "val").rename(copy / "tuning")
    params = tiny_params(root, pseudo_label={"teachers": [str(path)]})
    label_pool(copy, tmp_path, tmp_path / "predictions", 1, params)
    assert teacher_record(tmp_path / "predictions")["without_tuning"]
    arguments = (copy, tmp_path / "predictions", None, tmp_path / "silver")
    section = params.filter.model_copy(update={"alarms": "off"})
    with pytest.raises(ParamsError, match="too few in the teacher's file: add them, or set"):
        write_silver(*arguments, section, BoxFilter)
    fixed = section.model_copy(update={"score": 0.5, "min_side": 1})
    with pytest.raises(SilverError, match="all 10 silver annotations are"):
        write_silver(*arguments, fixed, BoxFilter)
    assert json.loads((tmp_path / "silver" / "report.json").read_text())["tuning"] is None


def test_stability_and_missing_files_are_refused(root, prepared, tmp_path):
    path = one_box_per_image(prepared, tmp_path / "boxes.json")
    label = {"teachers": [str(path)], "stability": "flip"}
    with pytest.raises(
        ModelError, match="pseudo_label.stability: expected null with a file as a teacher"
    ):
        label_pool(prepared, tmp_path, tmp_path / "out", 1, tiny_params(root, pseudo_label=label))
    label = {"teachers": [str(tmp_path / "none.json")]}
    with pytest.raises(ModelError, match=r"none.json: expected a JSON file .* no such file"):
        label_pool(prepared, tmp_path, tmp_path / "out", 1, tiny_params(root, pseudo_label=label))


def test_a_file_is_round_0_without_training(root, prepared, tmp_path):
    path = one_box_per_image(prepared, tmp_path / "boxes.json")
    take_file(path, prepared, tmp_path / "model", "detection")
    params = tiny_params(root)
    champion = tmp_path / "champion"
    evaluate(tmp_path / "model", prepared, None, tmp_path / "evaluation", champion, params)
    (row,) = json.loads((tmp_path / "evaluation" / "history.json").read_text())
    assert (row["teacher_files"], row["iterations"]) == (["boxes.json"], 0)
    assert row["unknown_origin"]
    assert row["val"]["mAP"] is not None
    # The champion labels the pool as any other champion does.
    label_pool(prepared, champion, tmp_path / "predictions", 1, params)
    assert len(read_shards(tmp_path / "predictions")) == 10
    assert teacher_record(tmp_path / "predictions")["weights"] == sha256_of(path)
    with pytest.raises(ModelError, match="expected a trained model, found a file of predictions"):
        read_trained_config(champion)
    path = one_box_per_image(prepared, tmp_path / "few.json", splits=("pool", "val"))
    with pytest.raises(DataError, match="expected predictions for every image of test, found none"):
        take_file(path, prepared, tmp_path / "model", "detection")


def test_perfect_predictions_have_perfect_scores(root, prepared, tmp_path):
    rows = []
    for split in ("val", "test"):
        dataset = SplitFolder(prepared / split).read()
        names = dict(zip(dataset.images.ids.tolist(), dataset.images.file_names, strict=True))
        titles = {category.id: category.name for category in dataset.categories}
        gold = dataset.annotations
        sides = gold.boxes_xyxy[:, 2:] - gold.boxes_xyxy[:, :2]
        boxes = np.concatenate([gold.boxes_xyxy[:, :2], sides], axis=1).tolist()
        rows += [
            {"file_name": names[image], "category_id": titles[number], "bbox": box, "score": 1}
            for image, number, box in zip(
                gold.image_ids.tolist(), gold.category_ids.tolist(), boxes, strict=True
            )
        ]
    write_json(tmp_path / "perfect.json", rows)
    take_file(tmp_path / "perfect.json", prepared, tmp_path / "model", "detection")
    row = score_model(tmp_path / "model", prepared, tiny_params(root)).row
    assert (row["val"]["mAP"], row["test"]["mAP"]) == (1, 1)


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_probabilities_of_a_file_are_averaged_with_those_of_the_champion(any_task, tmp_path):
    dataset = SplitFolder(any_task.prepared / "pool").read()
    names = [category.name for category in dataset.categories]
    rows = [[name, 1, *([0] * (len(names) - 1))] for name in dataset.images.file_names]
    path = write_table(tmp_path / "p.csv", ["file", *names], rows)
    values = []
    for folder, teachers in (("model", "champion"), ("both", ["champion", str(path)])):
        params = any_task.params(pseudo_label={"teachers": teachers})
        label_pool(any_task.prepared, any_task.model, tmp_path / folder, 1, params)
        values.append(read_probabilities(shard_paths(tmp_path / folder)[0]).values)
    first = np.eye(len(names))[0]
    assert values[1] == pytest.approx((values[0] + first) / 2, abs=1e-6)


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_label_maps_of_a_file_alone_and_joined(any_task, tmp_path):
    dataset = SplitFolder(any_task.prepared / "pool").read()
    width, height = int(dataset.images.widths[0]), int(dataset.images.heights[0])
    classes = "\n".join(category.name for category in dataset.categories)
    maps = (np.ones((height, width)), np.full((height, width), 51))
    path = write_maps(tmp_path / "maps", dataset.images.file_names, *maps, classes=classes)
    found = []
    for folder, teachers in (("a", "champion"), ("b", [str(path)]), ("c", ["champion", str(path)])):
        params = any_task.params(pseudo_label={"teachers": teachers})
        label_pool(any_task.prepared, any_task.model, tmp_path / folder, 1, params)
        maps = MapShards(shard_paths(tmp_path / folder))
        found.append(maps.prediction(int(dataset.images.ids[0])))
    model, file, both = found
    # A label of low confidence stays the label, though the rest is likelier.
    assert set(np.unique(file.labels[0])) == {1}
    assert set(np.unique(file.confidences[0])) == {51}
    same = both.labels[0] == model.labels[0]
    assert same.mean() > 0.5
    rest = (255 - 51) / (len(dataset.categories) - 1)
    expected = (model.confidences[0].astype(float) + np.where(model.labels[0] == 1, 51, rest)) / 2
    assert np.abs(both.confidences[0] - expected)[same].max() <= 1
