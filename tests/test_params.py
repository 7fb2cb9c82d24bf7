from pathlib import Path

import pytest
import yaml

from pseudolabel.errors import ParamsError
from pseudolabel.params.loading import load_params

SHIPPED = Path(__file__).parents[1] / "params.yaml"


def changed(tmp_path, **changes):
    """The shipped params.yaml with `section__key=value` changed."""
    values = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    for name, value in changes.items():
        *sections, key = name.split("__")
        inner = values
        for section in sections:
            inner = inner[section]
        inner[key] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    (tmp_path / "configs").symlink_to(SHIPPED.parent / "configs")
    return path


def test_the_shipped_params_are_valid():
    params = load_params(SHIPPED)
    assert params.task == "detection"
    assert params.round == 2


FAULTS = [
    ("unknown key", {"train__epochs": 3}, "train.epochs: Extra inputs are not permitted, found 3"),
    (
        "a task that does not exist",
        {"task": "pose"},
        "task: expected one of detection, instance, semantic, classification, found 'pose'",
    ),
    ("a round beyond the last", {"round": 10}, "round: Input should be less than or equal to 9"),
    (
        "a threshold above 1",
        {"filter__score": 1.5},
        "Input should be less than or equal to 1, found 1.5",
    ),
    ("no batch", {"train__batch_size": 0}, "train.batch_size: Input should be greater"),
    (
        "a key of another task",
        {"filter__min_confident": 0.5},
        "filter.min_confident: Extra inputs are not permitted, found 0.5",
    ),
    ("boxes", {"filter__min_boxes": 200}, "filter: min_boxes must not be above max_boxes (100)"),
    (
        "a threshold under the floor",
        {"filter__score": 0.01},
        "filter.score or hide_score 0.01 is under pseudo_label.score_floor 0.05",
    ),
    (
        "shards that cut batches",
        {"pseudo_label__shard_images": 1000, "pseudo_label__batch_size": 16},
        "pseudo_label: shard_images must be a multiple of batch_size (16)",
    ),
    ("nameless optimizer", {"train__optimizer": {"lr": 1}}, "train: optimizer needs a `type`"),
    (
        "a second learning rate",
        {"train__optimizer": {"type": "SGD", "lr": 1}},
        "train: the optimizer's lr is set by `learning_rate`",
    ),
    (
        "nameless augmentation",
        {"train__augmentations": [{"prob": 0.5}]},
        "train: every one of augmentations needs a `type`",
    ),
    (
        "a batch that processes cannot share",
        {"train__launcher__processes": 3},
        "train: batch_size must be a multiple of the processes (3)",
    ),
    (
        "no room for silver",
        {"train__gold_share": 0.99},
        "train: batch_size and gold_share must leave a process both gold and silver, not 8 and 0",
    ),
    (
        "a crop larger than the image",
        {"model__image_size": [64, 96], "train__crop": [64, 100]},
        "train.crop must be within model.image_size (64x96), found 64x100",
    ),
    (
        "a crop larger than the images of a later round",
        {"model__image_size": [[96, 96], [64, 96]], "train__crop": [80, 80]},
        "train.crop must be within model.image_size (64x96), found 80x80",
    ),
    ("no model at all", {"model__config": []}, "model.config"),
    ("endless warm-up", {"train__warmup_iterations": 10_000}, "train: warmup_iterations must be"),
    (
        "a precision that is not told",
        {"filter__auto": {"aim": "precision", "at": None}},
        "filter.auto: `at` is for the aims precision and share, which need it",
    ),
    (
        "a precision above 1",
        {"filter__auto": {"aim": "precision", "at": 1.2}},
        "filter.auto: a precision is 1 at most",
    ),
    (
        "a limit to doubt where nothing is in doubt",
        {"filter__min_sure": 0.5, "filter__hide_score": None},
        "filter: min_sure and max_hidden_area need hide_score",
    ),
    (
        "hidden from below the floor",
        {"filter__hide_score": 0.01},
        "filter.score or hide_score 0.01 is under pseudo_label.score_floor 0.05",
    ),
    (
        "no room for silver in a later round",
        {"train__gold_share": [0.5, 0.99]},
        "must leave a process both gold and silver, not 8 and 0",
    ),
    ("no teacher", {"pseudo_label__teachers": []}, "pseudo_label.teachers"),
    ("a machine too many", {"train__launcher__machine_rank": 2}, "machine_rank must be below"),
]


@pytest.mark.parametrize(
    ("changes", "message"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_each_fault_names_its_key(tmp_path, changes, message):
    with pytest.raises(ParamsError) as caught:
        load_params(changed(tmp_path, **changes))
    assert message in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path):
    with pytest.raises(ParamsError, match="has 3 faults"):
        load_params(changed(tmp_path, seed=-1, data__workers="many", filter__nms_iou=2))


def test_yaml_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("round: !!python/object/apply:os.getcwd []", encoding="utf-8")
    with pytest.raises(ParamsError, match="expected YAML"):
        load_params(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match="expected a readable file, found No such file"):
        load_params(tmp_path / "params.yaml")


SCHEDULES = [
    ("a number", 0.6, [0.6, 0.6, 0.6, 0.6]),
    ("a list", [0.7, 0.5], [0.7, 0.5, 0.5, 0.5]),
    ("a ramp", {"start": 0.8, "end": 0.5, "rounds": 4}, [0.8, 0.7, 0.6, 0.5]),
    ("a ramp that ends early", {"start": 0.4, "end": 0.6, "rounds": 2}, [0.4, 0.6, 0.6, 0.6]),
    (
        "classes in a list",
        [0.7, {"disc": 0.5, "rod": 0.6}],
        [0.7, *[{"disc": 0.5, "rod": 0.6}] * 3],
    ),
]


@pytest.mark.parametrize(
    ("score", "expected"), [it[1:] for it in SCHEDULES], ids=[it[0] for it in SCHEDULES]
)
def test_thresholds_of_each_round(tmp_path, score, expected):
    section = load_params(changed(tmp_path, filter__score=score)).filter
    assert [section.in_round(number).threshold for number in (1, 2, 3, 4)] == expected


@pytest.mark.parametrize("task", ["semantic", "classification", "instance"])
def test_every_task_has_schedules(tmp_path, task):
    section = load_params(changed(tmp_path, task=task, filter__score=[0.7, 0.5])).filter
    assert section.in_round(2).threshold == 0.5


@pytest.mark.parametrize(
    "score",
    [[0.5, 0.01], {"start": 0.6, "end": 0.01, "rounds": 3}, [{"disc": 0.9, "rod": 0.01}]],
    ids=["a list", "a ramp", "a class"],
)
def test_no_round_of_a_schedule_may_be_under_the_floor(tmp_path, score):
    with pytest.raises(ParamsError, match=r"filter.score or hide_score 0.01 is under"):
        load_params(changed(tmp_path, filter__score=score))


@pytest.mark.parametrize(
    "score", [[], [1.5], {"start": 0.5, "end": 0.4, "rounds": 1.5}, {"start": 2, "end": 1}]
)
def test_schedules_that_make_no_sense(tmp_path, score):
    with pytest.raises(ParamsError, match=r"filter.score"):
        load_params(changed(tmp_path, filter__score=score))


def test_a_schedule_has_no_threshold_before_its_round_is_known(tmp_path):
    section = load_params(changed(tmp_path, filter__score=[0.7, 0.5])).filter
    with pytest.raises(TypeError, match="before in_round"):
        section.threshold  # noqa: B018


GOLD_SHARES = [
    ("a number", 0.25, [(2, 6)] * 4),
    ("a list", [0.25, 0.5], [(2, 6), (2, 6), (4, 4), (4, 4)]),
    ("a ramp", {"start": 0.25, "end": 0.75, "rounds": 3}, [(2, 6), (2, 6), (4, 4), (6, 2)]),
]


@pytest.mark.parametrize(
    ("share", "expected"), [it[1:] for it in GOLD_SHARES], ids=[it[0] for it in GOLD_SHARES]
)
def test_silver_may_weigh_less_from_round_to_round(tmp_path, share, expected):
    params = load_params(changed(tmp_path, train__gold_share=share))
    assert [params.in_round(it).train.images_a_step for it in (0, 1, 2, 3)] == expected


def test_gold_alone_at_the_end(tmp_path):
    train = load_params(changed(tmp_path, train__gold_only_share=0.25)).train
    assert (train.iterations, train.mixed_iterations) == (400, 300)


def test_a_model_for_each_round_starts_with_round_0():
    params = load_params(SHIPPED)
    model = params.model.model_copy(update={"config": ["big.py", "small.py"]})
    params = params.model_copy(update={"model": model})
    assert [params.in_round(it).model.config for it in (0, 1, 2, 9)] == ["big.py"] + [
        "small.py"
    ] * 3
    assert params.in_round(5).model.image_size == params.model.image_size
