import pytest

from pseudolabel.core.errors import ParamsError
from pseudolabel.core.per_round import gold_and_silver_per_step, in_round
from pseudolabel.params.loading import load_params, with_values
from pseudolabel.params.types import single_value
from tests.params.conftest import PRESETS, ROOT, TASKS, changed


def test_the_shipped_params_are_valid():
    params = load_params(ROOT / "params.yaml")
    assert params.task == "detection"
    assert params.round == 2


def test_yaml_is_read_as_dvc_reads_it(write):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("alarms: warn", "alarms: off").replace("rate: 0.006", "rate: 6e-3")
    params = load_params(write(text))
    assert params.filter.alarms == "off"
    assert params.train.learning_rate == 0.006


def test_another_task_takes_its_preset_and_keeps_the_data(write):
    path = write(changed(seed=7, data__root="mine", prepare__folds=3, train__iterations=77))
    params = load_params(path, task="semantic")
    own = PRESETS["semantic"]
    assert params.task == "semantic"
    assert (params.seed, str(params.data.root), params.prepare.folds) == (7, "mine", 3)
    assert params.train.iterations == own["train"]["iterations"]
    assert params.model.config == own["model"]["config"]


def test_the_same_task_takes_the_file(write):
    path = write(changed(train__iterations=77))
    assert load_params(path, task="detection").train.iterations == 77


def test_another_task_does_not_hide_faults(write):
    with pytest.raises(ParamsError, match="data.workers: expected a whole number from 0"):
        load_params(write(changed(data__workers=-1)), task="instance")


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
    ("score", "expected"), [case[1:] for case in SCHEDULES], ids=[case[0] for case in SCHEDULES]
)
def test_thresholds_of_each_round(write, score, expected):
    params = load_params(write(changed(filter__score=score)))
    assert [in_round(params, number).filter.threshold for number in (1, 2, 3, 4)] == expected


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_schedules(write, task):
    params = load_params(write(changed(task, filter__score=[0.7, 0.5])))
    assert in_round(params, 2).filter.threshold == 0.5


@pytest.mark.parametrize("score", [[0.7, 0.5], {"start": 0.7, "end": 0.5, "rounds": 2}, "auto"])
def test_a_schedule_has_no_threshold_before_its_round_is_known(write, score):
    section = load_params(write(changed(filter__score=score))).filter
    with pytest.raises(TypeError, match="expected the threshold of one round"):
        section.threshold  # noqa: B018


def test_a_schedule_has_no_single_value(write):
    params = load_params(write(changed(model__config=["big.py", "small.py"])))
    with pytest.raises(TypeError, match="expected the value of one round, found a schedule"):
        single_value(params.model.config)
    assert single_value(in_round(params, 1).model.config) == "small.py"
    assert single_value(params.model.image_size) == "auto"


GOLD_SHARES = [
    ("a number", 0.25, [(2, 6)] * 4),
    ("a list", [0.25, 0.5], [(2, 6), (2, 6), (4, 4), (4, 4)]),
    ("a ramp", {"start": 0.25, "end": 0.75, "rounds": 3}, [(2, 6), (2, 6), (4, 4), (6, 2)]),
]


@pytest.mark.parametrize(
    ("share", "expected"), [case[1:] for case in GOLD_SHARES], ids=[case[0] for case in GOLD_SHARES]
)
def test_silver_may_weigh_less_from_round_to_round(write, share, expected):
    params = load_params(write(changed(train__gold_share=share)))
    rounds = [in_round(params, number).train for number in (0, 1, 2, 3)]
    steps = [gold_and_silver_per_step(train.batch_size, train.gold_share) for train in rounds]
    assert steps == expected


def test_small_batches_have_a_gold_image(write):
    train = load_params(write(changed(train__batch_size=2, train__gold_share=0.25))).train
    assert gold_and_silver_per_step(train.batch_size, train.gold_share) == (1, 1)


def test_a_model_for_each_round_starts_with_round_0(write):
    params = load_params(write(changed(model__config=["big.py", "small.py"])))
    configs = [in_round(params, number).model.config for number in (0, 1, 2, 9)]
    assert configs == ["big.py", "small.py", "small.py", "small.py"]
    assert in_round(params, 5).model.image_size == params.model.image_size


@pytest.mark.parametrize("task", TASKS)
def test_values_change_by_name(write, task):
    params = load_params(write(changed(task)))
    options = {"train.learning_rate": 0.5, "train.optimizer.weight_decay": 0.25}
    train = with_values(params, options).train
    assert (train.learning_rate, train.optimizer["weight_decay"]) == (0.5, 0.25)
    assert with_values(params, {}) == params


def test_changed_values_are_checked(write):
    params = load_params(write(changed()))
    with pytest.raises(ParamsError, match="train.lr: expected the name of a parameter"):
        with_values(params, {"train.lr": 1})
    with pytest.raises(ParamsError, match="train.iterations: expected a whole number from 1"):
        with_values(params, {"train.iterations": 0})
