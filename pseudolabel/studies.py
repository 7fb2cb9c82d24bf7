"""Studies of parameters by Optuna, in a file: they go on after a kill, and say what mattered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from tqdm import tqdm

from pseudolabel.errors import DataError, Fault, ModelError, ParamsError
from pseudolabel.files import write_csv, write_json
from pseudolabel.params.tune import Choice, Range
from pseudolabel.records import Dataset

STUDY, TRIALS, IMPORTANCE, BEST = "study.db", "trials.csv", "importance.csv", "best.json"
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
"""The states of trials that count; those that a kill cut short are drawn again."""
FAULT = "fault"

Options = dict[str, Any]
"""Values of parameters by name."""


def refuse_nothing_to_measure(truth: Dataset) -> None:
    """Raise where tuning has no labels.

    Raises:
        DataError: it has none.
    """
    if not len(truth.annotations):
        expected = "labels to tune on (prepare.tuning_share)"
        raise DataError([Fault("data/prepared/tuning", "", expected, "none")])


def search(
    folder: Path,
    key: str,
    searched: Sequence[Range | Choice],
    trials: int,
    seed: int,
    measure: Callable[[Options], float],
    own: Options | None = None,
) -> Options:
    """Look for the values that a measure is highest at, and write what was found.

    The folder keeps study.db, which a later call goes on with where inputs are the same, and gets
    trials.csv, importance.csv and best.json. Values are drawn by a tree-structured Parzen estimator
    (Bergstra et al. 2011), seeded for each trial by itself: a study that was killed and goes on
    draws what it would have drawn. Importances are those of a functional ANOVA (Hutter et al.
    2014).

    Args:
        folder: of the study.
        key: names the inputs; another one begins another study in the same file.
        searched: the parameters.
        trials: how many there are to be in the end, those of earlier calls among them.
        seed: of the draws.
        measure: returns the value at some options; a trial whose values do not go together, or
            whose model cannot be trained, is told in the table, and counts as the worst.
        own: the values that are used now: where they lie within what is searched, they are trial 0.

    Returns:
        the best options.

    Raises:
        ModelError: no trial came to an end; the message has the last one's reason.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    storage = RDBStorage(f"sqlite:///{(folder / STUDY).resolve()}")
    study = optuna.create_study(
        study_name=key, storage=storage, direction="maximize", load_if_exists=True
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    done = len(study.get_trials(states=ENDED))
    if own and not done:
        ask_first(study, searched, own)
    for number in tqdm(range(done, trials), initial=done, total=trials, desc="tune", unit="trial"):
        study.sampler = TPESampler(seed=seed + number)
        run_trial(study, searched, measure)
        write_trials(folder, study)
    write_trials(folder, study)
    return write_best(folder, study, searched)


def ask_first(study: optuna.Study, searched: Sequence[Range | Choice], own: Options) -> None:
    """Make the values in use the first trial, where they lie within and are not waiting already."""
    waiting = study.get_trials(states=(TrialState.WAITING,))
    if not waiting and all(holds(it, own[it.name]) for it in searched):
        choices = {it.name for it in searched if isinstance(it, Choice)}
        study.enqueue_trial({name: kept(it) if name in choices else it for name, it in own.items()})


def run_trial(
    study: optuna.Study, searched: Sequence[Range | Choice], measure: Callable[[Options], float]
) -> None:
    """Draw values, measure them and tell the study."""
    trial = study.ask()
    options = {it.name: drawn(trial, it) for it in searched}
    try:
        value = measure(options)
    except (ModelError, ParamsError) as error:
        trial.set_user_attr(FAULT, str(error))
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, value)


def drawn(trial: Trial, wanted: Range | Choice) -> Any:
    """Return a trial's value of a parameter."""
    if isinstance(wanted, Choice):
        choices = [kept(it) for it in wanted.choices]
        return json.loads(trial.suggest_categorical(wanted.name, choices))
    if isinstance(wanted.low, int) and isinstance(wanted.high, int):
        return trial.suggest_int(wanted.name, wanted.low, wanted.high, log=wanted.log)
    return trial.suggest_float(wanted.name, wanted.low, wanted.high, log=wanted.log)


def kept(choice: Any) -> str:
    """Return a choice of any form as JSON: studies keep plain values alone."""
    return json.dumps(choice, sort_keys=True)


def holds(wanted: Range | Choice, value: Any) -> bool:
    """Return whether a value is one that could be drawn."""
    if isinstance(wanted, Choice):
        return value in wanted.choices
    return isinstance(value, int | float) and wanted.low <= value <= wanted.high


def write_trials(folder: Path, study: optuna.Study) -> None:
    """Write a row for each trial that came to an end, with the best value so far."""
    rows: list[Mapping[str, Any]] = []
    best: float | None = None
    for number, trial in enumerate(study.get_trials(states=ENDED)):
        if trial.value is not None:
            best = trial.value if best is None else max(best, trial.value)
        fault = trial.user_attrs.get(FAULT, "")
        rows.append(
            {"trial": number, "value": trial.value, "best": best} | trial.params | {FAULT: fault}
        )
    write_csv(folder / TRIALS, rows)


def write_best(folder: Path, study: optuna.Study, searched: Sequence[Range | Choice]) -> Options:
    """Write the best options with their value, and how much each parameter mattered.

    Raises:
        ModelError: no trial has a value.
    """
    complete: list[FrozenTrial] = study.get_trials(states=(TrialState.COMPLETE,))
    if not complete:
        fault = study.get_trials(states=ENDED)[-1].user_attrs[FAULT]
        raise ModelError(f"tune: expected a trial that comes to its end, found none; last: {fault}")
    options = dict(study.best_params)
    for it in searched:
        if isinstance(it, Choice):
            options[it.name] = json.loads(options[it.name])
    write_json(folder / BEST, {"value": study.best_value, "parameters": options})
    shares = dict.fromkeys((it.name for it in searched), 0.0)
    # Nothing can be told from equal values.
    if len({trial.value for trial in complete}) > 1:
        evaluator = FanovaImportanceEvaluator(seed=0)
        shares |= get_param_importances(study, evaluator=evaluator)
    ordered = sorted(shares.items(), key=lambda it: (-it[1], it[0]))
    rows = [{"parameter": name, "importance": round(share, 6)} for name, share in ordered]
    write_csv(folder / IMPORTANCE, rows)
    return options
