"""Search for parameters with Optuna. A study is stored in a file and can be resumed."""

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

from pseudolabel.core.errors import DataError, Fault, ModelError, ParamsError
from pseudolabel.core.files import write_csv, write_json
from pseudolabel.core.records import Dataset
from pseudolabel.params.tune import Choice, Range

_STUDY, _TRIALS, _IMPORTANCE, BEST = "study.db", "trials.csv", "importance.csv", "best.json"
_FINISHED_STATES = (TrialState.COMPLETE, TrialState.PRUNED)
"""The states of finished trials. Trials that were interrupted are drawn again."""
_FAULT = "fault"
"""The column of trials.csv, and the attribute of a trial, with its error message."""

Options = dict[str, Any]
"""Values of parameters by name."""


def require_labels(truth: Dataset) -> None:
    """Raise if the split tuning has no labels.

    Raises:
        DataError: tuning has no labels.
    """
    if not len(truth.annotations):
        expected = "at least one label (prepare.tuning_share)"
        raise DataError([Fault("data/prepared/tuning", "", expected, "none")])


def search(
    folder: Path,
    key: str,
    searched: Sequence[Range | Choice],
    trials: int,
    seed: int,
    measure: Callable[[Options], float],
    current: Options | None = None,
) -> Options:
    """Search for the parameters with the highest measure, and write the results.

    The folder gets study.db, trials.csv, importance.csv and best.json. A later call with the same
    key resumes the study. Values are drawn by a tree-structured Parzen estimator (Bergstra et al.
    2011). Each trial has its own seed, so a resumed study draws the same values as an uninterrupted
    one. Importances are computed by functional ANOVA (Hutter et al. 2014).

    Args:
        folder: the folder of the study.
        key: hash of the inputs; another key starts another study in the same file.
        searched: the parameters to search.
        trials: number of trials in the end, including those of earlier calls.
        seed: of the draws.
        measure: returns the value of some options. If it raises ModelError or ParamsError, the
            message is written to the table and the trial has no value.
        current: the values in use. If all of them are within the bounds, they are trial 0.

    Returns:
        The best options.

    Raises:
        ModelError: no trial has a value; the message has the error of the last trial.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    storage = RDBStorage(f"sqlite:///{(folder / _STUDY).resolve()}")
    study = optuna.create_study(
        study_name=key, storage=storage, direction="maximize", load_if_exists=True
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    done = len(study.get_trials(states=_FINISHED_STATES))
    if current and not done:
        _enqueue_current(study, searched, current)
    for number in tqdm(range(done, trials), initial=done, total=trials, desc="tune", unit="trial"):
        study.sampler = TPESampler(seed=seed + number)
        _run_trial(study, searched, measure)
        _write_trials(folder, study)
    _write_trials(folder, study)
    return _write_best(folder, study, searched)


def _enqueue_current(
    study: optuna.Study, searched: Sequence[Range | Choice], current: Options
) -> None:
    """Make the values in use the first trial, if all are possible and none is waiting already."""
    waiting = study.get_trials(states=(TrialState.WAITING,))
    if waiting or not all(_is_possible(bounds, current[bounds.name]) for bounds in searched):
        return
    choices = {bounds.name for bounds in searched if isinstance(bounds, Choice)}
    study.enqueue_trial(
        {
            name: _choice_as_json(value) if name in choices else value
            for name, value in current.items()
        }
    )


def _run_trial(
    study: optuna.Study, searched: Sequence[Range | Choice], measure: Callable[[Options], float]
) -> None:
    """Draw values, measure them, and add the result to the study."""
    trial = study.ask()
    options = {bounds.name: _draw_value(trial, bounds) for bounds in searched}
    try:
        value = measure(options)
    except (ModelError, ParamsError) as error:
        trial.set_user_attr(_FAULT, str(error))
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, value)


def _draw_value(trial: Trial, bounds: Range | Choice) -> Any:
    """Return a trial's value of one parameter."""
    if isinstance(bounds, Choice):
        choices = [_choice_as_json(choice) for choice in bounds.choices]
        return json.loads(trial.suggest_categorical(bounds.name, choices))
    if isinstance(bounds.low, int) and isinstance(bounds.high, int):
        return trial.suggest_int(bounds.name, bounds.low, bounds.high, log=bounds.log)
    return trial.suggest_float(bounds.name, bounds.low, bounds.high, log=bounds.log)


def _choice_as_json(choice: Any) -> str:
    """Return a choice as JSON: Optuna stores only numbers and strings."""
    return json.dumps(choice, sort_keys=True)


def _is_possible(bounds: Range | Choice, value: Any) -> bool:
    """Return whether a value is within the bounds of a parameter."""
    if isinstance(bounds, Choice):
        return value in bounds.choices
    return isinstance(value, int | float) and bounds.low <= value <= bounds.high


def _write_trials(folder: Path, study: optuna.Study) -> None:
    """Write one row per finished trial, with the best value so far."""
    rows: list[Mapping[str, Any]] = []
    best: float | None = None
    for number, trial in enumerate(study.get_trials(states=_FINISHED_STATES)):
        if trial.value is not None:
            best = trial.value if best is None else max(best, trial.value)
        fault = trial.user_attrs.get(_FAULT, "")
        rows.append(
            {"trial": number, "value": trial.value, "best": best} | trial.params | {_FAULT: fault}
        )
    write_csv(folder / _TRIALS, rows)


def _write_best(folder: Path, study: optuna.Study, searched: Sequence[Range | Choice]) -> Options:
    """Write the best options with their value, and the importance of each parameter.

    Raises:
        ModelError: no trial has a value.
    """
    complete: list[FrozenTrial] = study.get_trials(states=(TrialState.COMPLETE,))
    if not complete:
        fault = study.get_trials(states=_FINISHED_STATES)[-1].user_attrs[_FAULT]
        raise ModelError(
            f"tune: expected at least one trial with a value, found none; last error: {fault}"
        )
    options = dict(study.best_params)
    for bounds in searched:
        if isinstance(bounds, Choice):
            options[bounds.name] = json.loads(options[bounds.name])
    write_json(folder / BEST, {"value": study.best_value, "parameters": options})
    shares = dict.fromkeys((bounds.name for bounds in searched), 0.0)
    # Importances are not defined if all values are equal.
    if len({trial.value for trial in complete}) > 1:
        evaluator = FanovaImportanceEvaluator(seed=0)
        shares |= get_param_importances(study, evaluator=evaluator)
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    rows = [{"parameter": name, "importance": round(share, 6)} for name, share in ordered]
    write_csv(folder / _IMPORTANCE, rows)
    return options
