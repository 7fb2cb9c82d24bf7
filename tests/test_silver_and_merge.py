import numpy as np
import orjson
import pytest

from pseudolabel.errors import DataError, ParamsError, SilverError
from pseudolabel.files import read_json, write_json
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.merge import merge
from pseudolabel.params.detection import ObjectFilter
from pseudolabel.params.filtering import Filter
from pseudolabel.records import Annotations, Dataset, Probabilities, positions
from pseudolabel.silver import write_silver
from pseudolabel.tasks import TASKS
from tests import builders

SECTION = builders.open_filter(ObjectFilter, score=0.5, nms_iou=0.9, min_boxes=1, max_boxes=100)
SHARD = 4


@pytest.fixture
def prepared(tmp_path):
    """Gold images 1 to 4 and a pool of 11 to 20."""
    folder = tmp_path / "prepared"
    write_coco(folder / "gold" / FILE, builders.dataset(4))
    pool = Dataset(builders.images(10, first_id=11), Annotations.empty(), builders.CATEGORIES)
    write_coco(folder / "pool" / FILE, pool)
    tuning = Dataset(builders.images(0), Annotations.empty(), builders.CATEGORIES)
    write_coco(folder / "tuning" / FILE, tuning)
    return folder


def make_silver(tmp_path, prepared, section=SECTION, before=None):
    folders = prepared, tmp_path / "predictions", before, tmp_path / "silver"
    write_silver(*folders, section, TASKS["detection"].filtering)


def write_predictions(folder, found, unreadable=()):
    for number in range(3):
        first = 11 + number * SHARD
        inside = (found.image_ids >= first) & (found.image_ids < first + SHARD)
        names = [name for name in unreadable if first <= int(name[:4]) < first + SHARD]
        tables.write_shard(tables.shard_path(folder, number), found[inside], names)
    teacher = {"round": 1, "weights": "feed", "images": 10, "shard_images": SHARD}
    write_json(folder / tables.TEACHER, teacher)


def some_predictions(count=60):
    found = builders.random_predictions(np.random.default_rng(0), count, 9)
    found.image_ids[:] += 10
    return found


def test_shards_keep_their_rows(tmp_path):
    found = some_predictions()
    tables.write_shard(tmp_path / "shard-000000.parquet", found, ["a.png"])
    assert builders.same_rows(tables.read_shard(tmp_path / "shard-000000.parquet"), found)
    assert tables.read_unreadable(tmp_path / "shard-000000.parquet") == ["a.png"]


def test_a_damaged_shard_is_named(tmp_path):
    (tmp_path / "shard-000000.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"shard-000000\.parquet: expected a shard"):
        tables.read_shard(tmp_path / "shard-000000.parquet")


def test_silver_holds_what_the_filters_keep_and_the_report_adds_up(tmp_path, prepared):
    found = some_predictions()
    write_predictions(tmp_path / "predictions", found, unreadable=["0020.png"])
    make_silver(tmp_path, prepared)
    silver = tables.read_shards(tmp_path / "silver")
    assert silver.scores.min() >= 0.5
    report = orjson.loads((tmp_path / "silver" / "report.json").read_bytes())
    dropped = sum(sum(row.values()) for row in report["annotations"]["dropped"].values())
    assert report["annotations"]["in"] == 60 == dropped + len(silver)
    assert report["images"]["in"] == 10
    assert report["images"]["dropped"]["unreadable"] == 1
    kept = tables.kept_images(tmp_path / "silver" / tables.DECISIONS)
    assert sorted(kept) == sorted(np.unique(silver.image_ids))


def test_no_silver_at_all_stops_with_the_report_in_place(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    section = SECTION.model_copy(update={"score": 1.0})
    with pytest.raises(SilverError, match="no silver label is left of 60 predicted annotations"):
        make_silver(tmp_path, prepared, section)
    report = orjson.loads((tmp_path / "silver" / "report.json").read_bytes())
    assert sum(report["annotations"]["dropped"]["score"].values()) == 60


def test_silver_of_one_class_only_stops(tmp_path, prepared):
    found = some_predictions()
    write_predictions(tmp_path / "predictions", found[found.category_ids == 2])
    with pytest.raises(SilverError, match="are 'rod', one of 3 classes"):
        make_silver(tmp_path, prepared)


def merged(tmp_path, prepared, name="merged"):
    merge(prepared, tmp_path / "silver", tmp_path / name)
    return [orjson.loads((tmp_path / name / it / FILE).read_bytes()) for it in ("gold", "silver")]


def test_merged_rows_say_where_they_come_from(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    make_silver(tmp_path, prepared)
    gold, silver = merged(tmp_path, prepared)
    assert (tmp_path / "merged" / "gold" / FILE).read_bytes() == (
        prepared / "gold" / FILE
    ).read_bytes()
    rows = silver["annotations"]
    assert {(it["source"], it["round"], it["teacher"]) for it in rows} == {("silver", 1, "feed")}
    assert all(0.5 <= it["score"] <= 1 for it in rows)
    assert [it["id"] for it in rows] == list(range(5, 5 + len(rows)))
    assert {it["source"] for it in gold["annotations"]} == {"gold"}
    pool = set(read_coco(prepared / "pool" / FILE).images.ids.tolist())
    assert {it["id"] for it in silver["images"]} <= pool


def test_merging_again_gives_the_same_bytes(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    make_silver(tmp_path, prepared)
    merged(tmp_path, prepared, "one")
    merged(tmp_path, prepared, "two")
    for file in ("gold/coco.json", "silver/coco.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_silver_on_gold_images_is_refused(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    make_silver(tmp_path, prepared)
    tables.write_decisions(
        tmp_path / "silver" / tables.DECISIONS,
        np.array([2, 11]),
        np.ones(2, int),
        np.ones(2),
        ["", ""],
    )
    with pytest.raises(DataError, match="silver: image id 2: expected an image of the pool"):
        merged(tmp_path, prepared)


def test_silver_on_an_image_that_was_dropped_is_refused(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    make_silver(tmp_path, prepared)
    tables.write_decisions(
        tmp_path / "silver" / tables.DECISIONS, np.array([11]), np.ones(1, int), np.ones(1), [""]
    )
    with pytest.raises(DataError, match="expected an image that was kept"):
        merged(tmp_path, prepared)


def test_each_round_takes_its_own_threshold_of_a_schedule(tmp_path, prepared):
    kept = {}
    for number in (1, 2, 3):
        folder = tmp_path / str(number)
        found = some_predictions()
        write_predictions(folder / "predictions", found)
        teacher = read_json(folder / "predictions" / tables.TEACHER)
        write_json(folder / "predictions" / tables.TEACHER, teacher | {"round": number})
        section = SECTION.model_copy(update={"score": [0.8, 0.5]})
        make_silver(folder, prepared, section)
        kept[number] = tables.read_shards(folder / "silver").scores.min()
    assert kept[1] >= 0.8 > kept[2] >= 0.5
    assert kept[3] == kept[2]


def tilted(count=200):
    """Predictions of which hardly any is of the third class."""
    found = some_predictions(count)
    found.category_ids[found.category_ids == 3] = 1
    return found


def test_a_class_that_collapses_is_told_and_stops_where_that_is_wanted(tmp_path, prepared, capsys):
    write_predictions(tmp_path / "predictions", tilted())
    make_silver(tmp_path, prepared, SECTION.model_copy(update={"alarms": "warn"}))
    said = capsys.readouterr().out
    alarm = "class 'star' is 0.0% of silver and 25.0% of gold: it collapses"
    assert f"warning: {alarm}" in said
    report = orjson.loads((tmp_path / "silver" / "report.json").read_bytes())
    assert alarm in report["alarms"]
    with pytest.raises(SilverError, match="it collapses"):
        make_silver(tmp_path, prepared, SECTION.model_copy(update={"alarms": "stop"}))
    assert (tmp_path / "silver" / "report.json").exists()
    capsys.readouterr()
    make_silver(tmp_path, prepared)
    assert "warning" not in capsys.readouterr().out


def test_silver_is_compared_with_the_round_before(tmp_path, prepared, capsys):
    found = some_predictions()
    found.scores[:] = 0.9
    write_predictions(tmp_path / "1" / "predictions", found[:40])
    make_silver(tmp_path / "1", prepared)
    found.scores[:] = 0.7
    write_predictions(tmp_path / "2" / "predictions", found)
    section = SECTION.model_copy(update={"alarms": "warn"})
    make_silver(tmp_path / "2", prepared, section, tmp_path / "1" / "silver")
    said = capsys.readouterr().out
    assert "warning: there is more silver than in the round before (" in said
    assert "its mean score is lower (0.700 after 0.900)" in said


def test_mean_scores_are_those_of_what_was_kept(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    make_silver(tmp_path, prepared)
    report = orjson.loads((tmp_path / "silver" / "report.json").read_bytes())
    scores = tables.read_shards(tmp_path / "silver").scores
    assert report["mean_score"] == pytest.approx(scores.mean(), abs=1e-5)


def with_tuning(tmp_path, prepared, found):
    """Tuning images 21 to 40, each with the objects that its sure predictions are of."""
    sure = found[found.scores >= 0.6]
    rows = zip(sure.image_ids, sure.category_ids, sure.boxes_xyxy, strict=True)
    truth = builders.gold([(int(it), int(kind), box.tolist()) for it, kind, box in rows])
    images = builders.images(20, first_id=21, height=100)
    write_coco(prepared / "tuning" / FILE, Dataset(images, truth, builders.CATEGORIES))
    for number in range(5):
        begin = 21 + number * SHARD
        own = found[(found.image_ids >= begin) & (found.image_ids < begin + SHARD)]
        tables.write_shard(tables.shard_path(tmp_path / "predictions" / "tuning", number), own)


def many(seed=0):
    found = builders.random_predictions(np.random.default_rng(seed), 400, 20)
    found.image_ids[:] += 20
    return found


def test_thresholds_are_those_that_divide_right_from_wrong_on_tuning(tmp_path, prepared, capsys):
    write_predictions(tmp_path / "predictions", some_predictions())
    with_tuning(tmp_path, prepared, many())
    section = SECTION.model_copy(update={"score": "auto", "nms_iou": 1.0})
    make_silver(tmp_path, prepared, section)
    report = read_json(tmp_path / "silver" / "report.json")
    for name in ("disc", "rod", "star"):
        chosen = report["tuning"]["classes"][name]
        assert chosen["threshold"] == pytest.approx(0.6, abs=0.05)
        assert chosen["f1"] > 0.9
    assert report["tuning"]["images"] == 20
    rod = report["tuning"]["classes"]["rod"]["threshold"]
    said = capsys.readouterr().out
    assert f"silver: {report['annotations']['out']} of 60 annotations kept, on " in said
    assert f", rod {rod}, " in said
    silver = tables.read_shards(tmp_path / "silver")
    assert 0.5 < silver.scores.min() < 0.7
    assert (tmp_path / "silver" / "thresholds.csv").exists()
    assert (tmp_path / "silver" / "reliability.csv").exists()


def test_calibrated_silver_says_how_often_it_is_right(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    with_tuning(tmp_path, prepared, many())
    plain = SECTION.model_copy(update={"score": 0.3})
    make_silver(tmp_path, prepared, plain.model_copy(update={"calibrate": True}))
    report = read_json(tmp_path / "silver" / "report.json")
    assert report["tuning"]["temperature"] < 0.5
    found = some_predictions()
    silver = tables.read_shards(tmp_path / "silver")
    # Right above 0.6 and wrong below: bold scores, and the same order.
    assert silver.scores.max() > found.scores.max()


def test_auto_needs_images_to_choose_by(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    with pytest.raises(ParamsError, match=r"prepare\.tuning_share above 0"):
        make_silver(tmp_path, prepared, SECTION.model_copy(update={"score": "auto"}))
    assert not (tmp_path / "silver").exists()


def test_a_damaged_tuning_image_stops(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    with_tuning(tmp_path, prepared, many())
    shard = tables.shard_path(tmp_path / "predictions" / "tuning", 0)
    tables.write_shard(shard, tables.read_shard(shard), ["0021.png"])
    with pytest.raises(DataError, match="0021.png: expected an image that can be decoded"):
        make_silver(tmp_path, prepared, SECTION.model_copy(update={"score": "auto"}))


def test_rounds_are_compared_label_by_label(tmp_path, prepared):
    found = some_predictions()
    write_predictions(tmp_path / "1" / "predictions", found)
    make_silver(tmp_path / "1", prepared)
    write_predictions(tmp_path / "2" / "predictions", found)
    before = tmp_path / "1" / "silver"
    make_silver(tmp_path / "2", prepared, before=before)
    same = read_json(tmp_path / "2" / "silver" / "report.json")["agreement_with_round_before"]
    assert same["share"] == 1
    moved = found[np.arange(len(found))]
    moved.boxes_xyxy[::2] += 60
    write_predictions(tmp_path / "3" / "predictions", moved)
    make_silver(tmp_path / "3", prepared, before=before)
    less = read_json(tmp_path / "3" / "silver" / "report.json")["agreement_with_round_before"]
    assert 0.3 < less["share"] < 0.7
    assert less["compared"] == same["compared"]


def test_hidden_objects_are_merged_as_crowds(tmp_path, prepared):
    write_predictions(tmp_path / "predictions", some_predictions())
    make_silver(tmp_path, prepared, SECTION.model_copy(update={"score": 0.7, "hide_score": 0.3}))
    _, silver = merged(tmp_path, prepared)
    scores = {0: [], 1: []}
    for row in silver["annotations"]:
        scores[row["iscrowd"]].append(row["score"])
    assert min(scores[0]) >= 0.7 > max(scores[1])
    assert min(scores[1]) >= 0.3


def test_probabilities_are_merged_in_the_order_of_the_images(tmp_path, prepared):
    pool = read_coco(prepared / "pool" / FILE).images
    values = np.random.default_rng(0).dirichlet(np.ones(3), len(pool)).astype(np.float32)
    shards = tables.shards_of(tmp_path / "predictions", pool, SHARD)
    for number, shard in enumerate(shards):
        own = slice(number * SHARD, (number + 1) * SHARD)
        tables.write_probabilities(shard.path, Probabilities(pool.ids[own], values[own]))
    teacher = {"round": 1, "weights": "aa", "shard_images": SHARD}
    write_json(tmp_path / "predictions" / tables.TEACHER, teacher)
    section = builders.open_filter(Filter, score=0.5, top_share=0.7)
    folders = prepared, tmp_path / "predictions", None, tmp_path / "silver"
    write_silver(*folders, section, TASKS["classification"].filtering)
    merge(prepared, tmp_path / "silver", tmp_path / "merged")
    merged_silver = read_coco(tmp_path / "merged" / "silver" / FILE)
    soft = np.load(tmp_path / "merged" / "silver" / tables.SOFT_LABELS)
    rows = positions(merged_silver.images.ids, pool.ids)
    assert 0 < len(rows) < len(pool)
    assert np.array_equal(soft, values[rows])
    assert soft.max(axis=1) == pytest.approx(merged_silver.annotations.scores, abs=1e-4)
