"""Faults in the user's words: the name, what is allowed, and what was found."""

import pytest

from tests.params.conftest import changed, faults_of

CASES = [
    (
        "a score out of range",
        {"filter__score": 2},
        (
            "filter.score: expected auto, a number from 0 to 1, one per class, or a list with one "
            "per round; found 2"
        ),
    ),
    (
        "a misspelt key",
        {"filter__scor": 0.5},
        "filter.scor: unknown parameter; did you mean filter.score?",
    ),
    (
        "a key in the wrong section",
        {"train__duplicate_distance": 3},
        "train.duplicate_distance: unknown parameter; did you mean prepare.duplicate_distance?",
    ),
    ("a misspelt section", {"trian": {}}, "trian: unknown parameter; did you mean train?"),
    ("a key like no other", {"train__zzz": 3}, "train.zzz: unknown parameter"),
    ("a key that is no text", {"train__3": 3}, "train.3: unknown parameter"),
    (
        "a renamed key",
        {"filter__min_sure": 0.5},
        "filter.min_sure: unknown parameter; it is called filter.min_confident_share now",
    ),
    (
        "a key of another task",
        {"filter__min_confident": 0.5},
        "filter.min_confident: unknown parameter of detection; only semantic can have it",
    ),
    (
        "a task that does not exist",
        {"task": "pose"},
        "task: expected detection, instance, semantic or classification; found 'pose'",
    ),
    ("a task of a wrong type", {"task": [3]}, "task: expected detection, instance, semantic or"),
    ("a round beyond the last", {"round": 10}, "round: expected a whole number from 0 to 9; found"),
    ("text for a number", {"round": "two"}, "round: expected a whole number from 0 to 9; found 't"),
    ("a flag for a number", {"seed": True}, "seed: expected a whole number from 0 to 4294967295; "),
    ("a number for a flag", {"filter__calibrate": 1}, "filter.calibrate: expected true or false; "),
    (
        "a fraction for a whole number",
        {"train__iterations": 10.5},
        "train.iterations: expected a whole number from 1; found 10.5",
    ),
    (
        "no number",
        {"train__learning_rate": float("nan")},
        "train.learning_rate: expected a number from 1e-12 to 1000; found nan",
    ),
    (
        "null where there is no null",
        {"train__batch_size": None},
        "train.batch_size: expected a whole number from 1 to 65536; found None",
    ),
    (
        "an unknown choice",
        {"train__schedule": "cosin"},
        "train.schedule: expected cosine, polynomial, linear or one_cycle; found 'cosin'",
    ),
    (
        "one side",
        {"model__image_size": [64]},
        "expected auto, [width, height], or a list with one per round; found [64]",
    ),
    (
        "no model",
        {"model__config": []},
        "model.config: expected a zoo name or a path, or a list with one per round; found []",
    ),
    (
        "no teacher",
        {"pseudo_label__teachers": []},
        (
            "pseudo_label.teachers: expected champion, folds, a list of model folders and files, "
            "or such a list per round; found []"
        ),
    ),
    ("no section", {"filter": 3}, "filter: expected a section with parameters; found 3"),
    (
        "an empty section",
        {"filter": None},
        "filter: expected a section with parameters; found N",
    ),
    (
        "a wrong key in an inner section",
        {"train__launcher__process": 3},
        "train.launcher.process: unknown parameter; did you mean train.launcher.processes?",
    ),
    (
        "a wrong augmentation",
        {"train__augmentations": [{"type": "RandomFlip"}, "Blur"]},
        "train.augmentations[1]: expected a list of {type: name, ...} with arguments; found 'Blur'",
    ),
    (
        "a nameless augmentation",
        {"train__augmentations": [{"prob": 0.5}]},
        "train.augmentations: expected a `type` in each, such as RandomFlip; found [{'prob': 0.5}]",
    ),
    (
        "a nameless augmentation of silver",
        {"train__silver_augmentations": [{"p": 1}]},
        "train.silver_augmentations: expected a `type` in each, such as RandomFlip; found [",
    ),
    (
        "a nameless optimizer",
        {"train__optimizer": {"momentum": 1}},
        "train.optimizer: expected a `type`, such as AdamW; found {'momentum': 1}",
    ),
    (
        "an optimizer that does not fit",
        {"train__optimizer": {"type": "LBFGS"}},
        "train.optimizer: expected one other than LBFGS (it compares losses of several passes",
    ),
    (
        "a second learning rate",
        {"train__optimizer": {"type": "SGD", "lr": 1}},
        "train.optimizer: expected no lr, because learning_rate sets it; found {'lr': 1, 'type': ",
    ),
    (
        "as many snapshots as steps",
        {"train__snapshots": 800},
        "train.snapshots: expected below iterations (800); found 800",
    ),
    (
        "nothing to choose from",
        {"evaluate__select": "best"},
        "evaluate.select: expected last, because train.snapshots is 0; found 'best'",
    ),
    (
        "more boxes than allowed",
        {"filter__min_boxes": 200},
        "filter.min_boxes: expected at most max_boxes (100); found 200",
    ),
    (
        "a threshold under the floor",
        {"filter__score": 0.01},
        (
            "filter.score: expected at least pseudo_label.score_floor (0.05), below which no "
            "prediction is stored; found 0.01"
        ),
    ),
    (
        "hidden from below the floor",
        {"filter__hide_score": 0.01},
        "filter.hide_score: expected at least pseudo_label.score_floor (0.05), below which no",
    ),
    (
        "shards that cut batches",
        {"pseudo_label__shard_images": 1000, "pseudo_label__batch_size": 16},
        "pseudo_label.shard_images: expected a multiple of batch_size (16); found 1000",
    ),
    (
        "a batch that processes cannot share",
        {"train__launcher__processes": 3},
        "train.batch_size: expected a multiple of the number of processes (3); found 8",
    ),
    (
        "no room for silver",
        {"train__gold_share": 0.99},
        (
            "train.gold_share: expected gold and silver in each batch; in round 1 it gives each "
            "process 8 gold and 0 silver images; found 0.99"
        ),
    ),
    (
        "no room for silver in a later round",
        {"train__gold_share": [0.5, 0.99]},
        "in round 2 it gives each process 8 gold and 0 silver images; found 0.99",
    ),
    (
        "a crop larger than the image",
        {"model__image_size": [64, 96], "train__crop": [64, 100]},
        "train.crop: expected at most model.image_size ([64, 96] in round 0); found [64, 100]",
    ),
    (
        "a crop larger than the images of a later round",
        {"model__image_size": [[96, 96], [64, 96]], "train__crop": [80, 80]},
        "train.crop: expected at most model.image_size ([64, 96] in round 1); found [80, 80]",
    ),
    (
        "endless warm-up",
        {"train__warmup_iterations": 10_000},
        "train.warmup_iterations: expected below iterations (800); found 10000",
    ),
    (
        "a precision without a number",
        {"filter__auto": {"aim": "precision", "at": None}},
        "filter.auto.at: expected a number with aim precision; found None",
    ),
    (
        "a precision above 1",
        {"filter__auto": {"aim": "precision", "at": 1.2}},
        "filter.auto.at: expected at most 1 with aim precision; found 1.2",
    ),
    (
        "a number that f1 does not need",
        {"filter__auto": {"aim": "f1", "at": 0.5}},
        "filter.auto.at: expected null with aim f1; found 0.5",
    ),
    (
        "a limit to hiding without hiding",
        {"filter__min_confident_share": 0.5, "filter__hide_score": None},
        "filter.min_confident_share: expected 0 without hide_score; found 0.5",
    ),
    (
        "a fold that does not exist",
        {"prepare__folds": 3, "prepare__fold": 3},
        "prepare.fold: expected below folds (3); found 3",
    ),
    (
        "an address without a port",
        {"train__launcher__rendezvous": "node1"},
        (
            "train.launcher.rendezvous: expected host:port, or null for this machine's name and "
            "any port; found 'node1'"
        ),
    ),
    (
        "a search outside of training",
        {"tune__parameters": [{"name": "filter.score", "low": 0, "high": 1}]},
        "tune.parameters: expected parameters of train and model only; found 'filter.score'",
    ),
    (
        "a search without a range",
        {"tune__parameters": [{"name": "train.learning_rate", "low": 2, "high": 1}]},
        "tune.parameters[0].low: expected a number below high (1); found 2",
    ),
    (
        "a search without bounds",
        {"tune__parameters": [{"name": "train.crop"}]},
        (
            "tune.parameters[0]: expected a list of {name, low, high} with an optional log, or "
            "{name, choices}; found {'name': 'train.crop'}"
        ),
    ),
]


@pytest.mark.parametrize(
    ("changes", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_fault_names_the_key_what_is_allowed_and_what_was_found(write, changes, message):
    text = faults_of(write(changed(**changes)))
    assert message in text
    header, *lines = text.splitlines()
    assert header.endswith("params.yaml has 1 fault:")
    assert len(lines) == 1
