import numpy as np
import pytest

from pseudolabel.core.errors import DataError, ParamsError, SilverError
from pseudolabel.core.files import read_json
from pseudolabel.core.records import Dataset
from pseudolabel.formats.shards import read_shard, read_shards, shard_path, write_shard
from pseudolabel.formats.silver_folder import (
    AGREEMENT,
    DECISIONS,
    OUTCOMES,
    kept_images,
    read_outcomes,
)
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.filter import ObjectFilter
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.objects import BoxFilter
from tests import builders
from tests.silver.pool import (
    SHARD_IMAGES,
    random_predictions,
    write_predictions,
    write_prepared,
    write_teacher,
)

SECTION = builders.open_filter(ObjectFilter, score=0.5, nms_iou=0.9, min_boxes=1, max_boxes=100)


@pytest.fixture
def prepared(tmp_path):
    return write_prepared(tmp_path / "prepared")


def make_silver(folder, prepared, before=None, **changes):
    """Filter the predictions in a folder into its subfolder `silver`."""
    section = SECTION.model_copy(update=changes)
    silver = folder / "silver"
    write_silver(prepared, folder / "predictions", before, silver, section, BoxFilter)
    return silver


def report_of(silver):
    return read_json(silver / "report.json")


def test_silver_has_the_labels_kept_and_the_report_adds_up(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", random_predictions(), unreadable=["0020.png"])
    folder = make_silver(tmp_path, prepared)
    silver, report = read_shards(folder), report_of(folder)
    assert silver.scores.min() >= 0.5
    dropped = sum(sum(row.values()) for row in report["annotations"]["dropped"].values())
    assert report["annotations"]["in"] == 60 == dropped + len(silver)
    assert report["images"]["in"] == 10
    assert report["images"]["dropped"]["unreadable"] == 1
    assert sorted(kept_images(folder / DECISIONS)) == sorted(np.unique(silver.image_ids))
    assert report["mean_score"] == pytest.approx(silver.scores.mean(), abs=1e-5)


def test_the_same_silver_as_in_the_round_before_is_said(tmp_path, prepared, capsys):
    write_predictions(tmp_path / "predictions", random_predictions())
    before = make_silver(tmp_path, prepared).rename(tmp_path / "before")
    assert "round before" not in capsys.readouterr().out
    make_silver(tmp_path, prepared, before)
    assert "This is the silver of the round before" in capsys.readouterr().out
    make_silver(tmp_path, prepared, before, score=0.9)
    assert "This is the silver of the round before" not in capsys.readouterr().out


def test_no_silver_is_an_error_and_the_report_is_written(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", random_predictions())
    with pytest.raises(SilverError, match="no silver label is left of 60 predicted annotations"):
        make_silver(tmp_path, prepared, score=1.0)
    report = report_of(tmp_path / "silver")
    assert sum(report["annotations"]["dropped"]["score"].values()) == 60


def test_a_teacher_that_found_nothing_must_train_longer(tmp_path, prepared):
    nothing = random_predictions()
    write_predictions(tmp_path / "predictions", nothing[nothing.scores > 1])
    with pytest.raises(SilverError, match="the teacher predicted no annotations on .* longer"):
        make_silver(tmp_path, prepared)


def test_silver_of_one_class_of_several_is_an_error(tmp_path, prepared):
    predicted = random_predictions()
    write_predictions(tmp_path / "predictions", predicted[predicted.category_ids == 2])
    with pytest.raises(SilverError, match="are 'rod', one of 3 classes"):
        make_silver(tmp_path, prepared)


def test_a_class_that_collapses_is_an_alarm(tmp_path, prepared, capsys):
    predicted = random_predictions(200)
    predicted.category_ids[predicted.category_ids == 3] = 1
    write_predictions(tmp_path / "predictions", predicted)
    silver = make_silver(tmp_path, prepared, alarms="warn")
    alarm = "class 'star' is 0.0% of silver and 25.0% of gold: it collapses"
    assert f"warning: {alarm}" in capsys.readouterr().out
    assert alarm in report_of(silver)["alarms"]
    with pytest.raises(SilverError, match="it collapses"):
        make_silver(tmp_path, prepared, alarms="stop")
    assert (silver / "report.json").exists()
    capsys.readouterr()
    make_silver(tmp_path, prepared, alarms="off")
    assert "warning" not in capsys.readouterr().out


def test_more_silver_with_a_lower_score_than_before_is_an_alarm(tmp_path, prepared, capsys):
    predicted = random_predictions()
    predicted.scores[:] = 0.9
    write_predictions(tmp_path / "1" / "predictions", predicted[:40])
    before = make_silver(tmp_path / "1", prepared)
    predicted.scores[:] = 0.7
    write_predictions(tmp_path / "2" / "predictions", predicted)
    make_silver(tmp_path / "2", prepared, before, alarms="warn")
    printed = capsys.readouterr().out
    assert "warning: there is more silver than in the round before (" in printed
    assert "its mean score is lower (0.700 after 0.900)" in printed


def test_two_rounds_are_compared_label_by_label(tmp_path, prepared):
    predicted = random_predictions()
    write_predictions(tmp_path / "1" / "predictions", predicted)
    before = make_silver(tmp_path / "1", prepared)
    write_predictions(tmp_path / "2" / "predictions", predicted)
    same = report_of(make_silver(tmp_path / "2", prepared, before))[AGREEMENT]
    assert same["share"] == 1
    moved = predicted[np.arange(len(predicted))]
    moved.boxes_xyxy[::2] += 60
    write_predictions(tmp_path / "3" / "predictions", moved)
    half = report_of(make_silver(tmp_path / "3", prepared, before))[AGREEMENT]
    assert 0.3 < half["share"] < 0.7
    assert half["compared"] == same["compared"]


def test_rounds_with_different_shards_cannot_be_compared(tmp_path, prepared):
    write_predictions(tmp_path / "1" / "predictions", random_predictions())
    before = make_silver(tmp_path / "1", prepared)
    write_teacher(before, shard_images=5)
    write_predictions(tmp_path / "2" / "predictions", random_predictions())
    expected = "shard_images: expected 4, as in the silver of this round, found 5"
    with pytest.raises(DataError, match=expected):
        make_silver(tmp_path / "2", prepared, before)


def write_tuning(tmp_path, prepared):
    """Write tuning images 21 to 40 with predictions: right from a score of 0.6, wrong below."""
    predicted = random_predictions(400, 20, first_id=21)
    right = predicted[predicted.scores >= 0.6]
    rows = zip(
        right.image_ids.tolist(),
        right.category_ids.tolist(),
        right.boxes_xyxy.tolist(),
        strict=True,
    )
    images = builders.images(20, first_id=21, height=100)
    truth = Dataset(images, builders.gold(list(rows)), builders.CATEGORIES)
    SplitFolder(prepared / "tuning").write(truth)
    for number in range(5):
        ids = 21 + number * SHARD_IMAGES + np.arange(SHARD_IMAGES)
        rows = predicted[np.isin(predicted.image_ids, ids)]
        write_shard(shard_path(tmp_path / "predictions" / "tuning", number), rows)


def test_auto_chooses_the_thresholds_between_right_and_wrong(tmp_path, prepared, capsys):
    write_predictions(tmp_path / "predictions", random_predictions())
    write_tuning(tmp_path, prepared)
    folder = make_silver(tmp_path, prepared, score="auto", nms_iou=1.0)
    report = report_of(folder)
    for name in ("disc", "rod", "star"):
        chosen = report["tuning"]["classes"][name]
        assert chosen["threshold"] == pytest.approx(0.6, abs=0.05)
        assert chosen["f1"] > 0.9
    assert report["tuning"]["images"] == 20
    rod = report["tuning"]["classes"]["rod"]["threshold"]
    printed = capsys.readouterr().out
    assert f"silver: {report['annotations']['out']} of 60 annotations kept, on " in printed
    assert f", rod {rod}, " in printed
    assert 0.5 < read_shards(folder).scores.min() < 0.7
    assert (folder / "thresholds.csv").exists()
    assert (folder / "reliability.csv").exists()


def test_calibration_scales_the_scores_of_silver(tmp_path, prepared):
    predicted = random_predictions()
    write_predictions(tmp_path / "predictions", predicted)
    write_tuning(tmp_path, prepared)
    folder = make_silver(tmp_path, prepared, score=0.3, calibrate=True)
    # Labels from 0.6 on are always right, so scores are too low: a temperature below 1 raises them.
    assert report_of(folder)["tuning"]["temperature"] < 0.5
    assert read_shards(folder).scores.max() > predicted.scores.max()


def test_auto_without_tuning_images_is_an_error(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", random_predictions())
    with pytest.raises(ParamsError, match=r"prepare\.tuning_share above 0"):
        make_silver(tmp_path, prepared, score="auto")
    assert not (tmp_path / "silver").exists()


def test_a_damaged_tuning_image_is_an_error(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", random_predictions())
    write_tuning(tmp_path, prepared)
    shard = shard_path(tmp_path / "predictions" / "tuning", 0)
    write_shard(shard, read_shard(shard), ["0021.png"])
    with pytest.raises(DataError, match=r"0021\.png: expected an image that can be decoded"):
        make_silver(tmp_path, prepared, score="auto")


def test_the_outcome_of_each_prediction_is_kept_beside_the_silver(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", random_predictions())
    folder = make_silver(tmp_path, prepared, hide_score=0.3)
    report, silver = report_of(folder)["annotations"], read_shards(folder)
    names = []
    for number in range(3):
        path = shard_path(folder / OUTCOMES, number)
        codes, known = read_outcomes(path)
        assert len(codes) == len(read_shard(shard_path(tmp_path / "predictions", number)))
        names += [known[code] for code in codes]
    assert names.count("hidden") >= sum(report["hidden_by_class"].values()) > 0
    assert names.count("kept") >= len(silver[~silver.crowds]) > 0
    for reason in ("score", "nms"):
        assert names.count(reason) == sum(report["dropped"][reason].values())
