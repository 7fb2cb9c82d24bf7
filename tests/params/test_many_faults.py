"""All faults are reported together, and each of them once."""

import pytest

from tests.params.conftest import PRESETS, TASKS, changed, faults_of, without


@pytest.mark.parametrize(
    "score", [[], [1.5], {"start": 0.5, "end": 0.4, "rounds": 1.5}, {"start": 2, "end": 1}]
)
def test_a_senseless_schedule_is_one_fault(write, score):
    text = faults_of(write(changed(filter__score=score)))
    assert text.count("\n") == 1
    assert "filter.score: expected auto, a number from 0 to 1" in text


@pytest.mark.parametrize(
    "score",
    [[0.5, 0.01], {"start": 0.6, "end": 0.01, "rounds": 3}, [{"disc": 0.9, "rod": 0.01}]],
    ids=["a list", "a ramp", "a class"],
)
def test_no_round_of_a_schedule_may_be_under_the_floor(write, score):
    assert "filter.score: expected at least pseudo_label.score_floor" in faults_of(
        write(changed(filter__score=score))
    )


@pytest.mark.parametrize("task", TASKS)
def test_a_missing_key_says_what_to_give(write, task):
    text = faults_of(write(without(PRESETS[task], "filter.score", "tune", "seed")))
    assert "has 3 faults:" in text
    assert "  filter.score: missing; expected auto, a number from 0 to 1, one per class" in text
    assert "  tune: missing; expected a section with parameters" in text
    assert "  seed: missing; expected a whole number from 0 to 4294967295" in text


def test_a_missing_task_is_reported_with_the_other_faults(write):
    text = faults_of(write(without(changed("semantic", seed=-1), "task")))
    assert "has 2 faults:" in text
    assert "task: missing; expected detection, instance, semantic or classification" in text


def test_all_faults_of_all_sections_are_reported_at_once(write):
    text = faults_of(
        write(
            changed(
                seed=-1,
                data__workers="many",
                filter__nms_iou=2,
                prepare__fold=1,
                train__crop=[500, 10],
                train__schedle="linear",
                pseudo_label__shard_images=1001,
            )
        )
    )
    names = [line.split(":")[0].strip() for line in text.splitlines()[1:]]
    assert sorted(names) == [
        "data.workers",
        "filter.nms_iou",
        "prepare.fold",
        "pseudo_label.shard_images",
        "seed",
        "train.schedle",
    ]


def test_rules_of_one_section_are_reported_together(write):
    optimizer = {"momentum": 0.9, "lr": 1}
    text = faults_of(
        write(changed(train__optimizer=optimizer, train__warmup_iterations=1, train__batch_size=1))
    )
    for name in ("train.optimizer", "train.warmup_iterations", "train.batch_size"):
        assert f"  {name}: expected" in text


def test_rules_between_sound_sections_are_checked_beside_other_faults(write):
    model = {"model__image_size": [64, 96], "train__crop": [500, 10]}
    text = faults_of(write(changed(seed=-1, filter__score=0.01, **model)))
    assert "has 3 faults:" in text
    assert "train.crop: expected at most model.image_size" in text
    assert "filter.score: expected at least pseudo_label.score_floor" in text


def test_long_values_are_shortened_and_control_characters_escaped(write):
    text = faults_of(write(changed(round="\x1b[31m" + "x" * 10_000, filter__score=[2] * 10_000)))
    assert len(text) < 800
    assert "\x1b" not in text


def test_names_are_printed_without_control_characters(write):
    values = changed()
    values["seed\x1b[31m"] = 3
    assert "\x1b" not in faults_of(write(values))
