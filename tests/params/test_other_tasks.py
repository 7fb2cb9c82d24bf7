"""Files that belong to another task, or to an earlier version, name the way out."""

import pytest

from tests.params.conftest import PRESETS, TASKS, changed, faults_of, without

ONE_FOR_ANOTHER = [(own, other) for own in TASKS for other in TASKS if own != other]


@pytest.mark.parametrize(("own", "other"), ONE_FOR_ANOTHER)
def test_values_of_another_task_are_one_message_with_the_way_out(write, own, other):
    path = write(changed(own) | {"task": other})
    assert faults_of(path) == (
        f"{path}: task is {other}, but the other values are those of {own}: "
        f"run `python -m pseudolabel use {other}`"
    )


def test_values_of_another_task_are_recognised_in_spite_of_a_typo(write):
    values = without(changed(train__iteration=5), "train.iterations") | {"task": "semantic"}
    assert "but the other values are those of detection" in faults_of(write(values))


def test_a_few_keys_of_another_task_are_faults_of_this_one(write):
    text = faults_of(write(changed(filter__min_area=4, filter__max_overlap=1.0)))
    assert "has 2 faults:" in text
    assert "filter.min_area: unknown parameter of detection; only instance can have it" in text


def test_a_few_missing_keys_do_not_make_another_task(write):
    values = without(PRESETS["instance"], "filter.min_area", "filter.max_overlap")
    text = faults_of(write(values))
    assert "filter.min_area: missing; expected a number from 1" in text


def test_a_nearly_empty_file_is_no_other_task(write):
    text = faults_of(write("task: instance\nround: 1\n"))
    assert "filter: missing; expected a section with parameters" in text


def test_a_file_of_an_earlier_version_names_the_way_out(write):
    values = changed(train__iterations="default", train__batch_size="default")
    values["model"] = dict.fromkeys(values["model"], "default")
    text = faults_of(write(values))
    assert text.endswith("run `python -m pseudolabel use detection`")
