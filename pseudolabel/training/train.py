"""Training with mmengine: the same schedule in every round; a killed training resumes."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.registry import MODELS, init_default_scope

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import remove
from pseudolabel.core.held_out import MEASURED_ON, refuse_leaks, refuse_seen
from pseudolabel.core.workdir import publish_result, scratch_folder
from pseudolabel.formats.model_folder import CONFIG, CURVE, EARLIER, RECORD, WEIGHTS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models import PACKAGES
from pseudolabel.models.checkpoints import load_checkpoint
from pseudolabel.models.configs import read_config
from pseudolabel.models.image_size import resolve_image_size
from pseudolabel.models.initial_weights import InitialWeights, resolve_champion
from pseudolabel.params.common import Params
from pseudolabel.params.types import single_value
from pseudolabel.training.finished_model import write_model
from pseudolabel.training.launch import run_torchrun
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.plain_runner import PlainRunner
from pseudolabel.training.sources import TrainingData, check_augmentations

_CHECKPOINT_NAME = re.compile(r"iter_(\d+)\.pth")


def train(
    data: Path,
    prepared: Path,
    output: Path,
    params: Params,
    measured_on: Sequence[str] = MEASURED_ON,
    champion: Path | None = None,
) -> None:
    """Train a model on the gold and silver folders of `data` and write its model folder.

    The folder contains config.json, weights.pth (averaged, if `train.ema_momentum` is set),
    curve.csv and training.json (a record of the training data). After a kill, training resumes
    from its last checkpoint. With several machines, this one writes the folder.

    Args:
        data: the folder with the folders gold and, after round 0, silver.
        prepared: the folder of prepared data, with the splits that must not be trained on.
        output: the model folder to write.
        params: all parameters of the round.
        measured_on: the splits that must not be trained on.
        champion: the model folder that `model.weights: champion` stands for, None in round 0.

    Raises:
        DataError: an image of these splits is in the training data.
        ModelError: the config, the weights, the optimizer or an augmentation cannot be used.
    """
    sources = TrainingData.in_folder(data)
    gold = SplitFolder(sources.gold).read()
    params = resolve_image_size(params, gold.images)
    print(_describe(sources, params), flush=True)
    params = resolve_champion(params, gold.categories, champion)
    weights = InitialWeights.from_params(params)
    _refuse_held_out(sources, prepared, params, weights, measured_on)
    scratch = _scratch_folder(sources, params, weights)

    def run() -> list[str]:
        if params.train.launcher.all_processes > 1:
            run_torchrun(data, scratch, params)
        else:
            train_in_scratch(scratch, sources, params)
        earlier = [EARLIER.format(step) for step in range(1, params.train.snapshots + 1)]
        return [CONFIG, WEIGHTS, CURVE, RECORD, *earlier]

    publish_result(scratch, output, run)


def train_in_scratch(scratch: Path, sources: TrainingData, params: Params) -> None:
    """Train in a scratch folder, from its last checkpoint if it has one.

    Args:
        scratch: the folder for checkpoints, the curve and the finished model's files.
        sources: the training data.
        params: all parameters of the round, after resolve_champion.

    Raises:
        ModelError: the config, the weights, the optimizer or an augmentation cannot be used.
    """
    categories = SplitFolder(sources.gold).read().categories
    weights = InitialWeights.from_params(params)
    config = build_config(sources, categories, scratch, params, weights)
    checkpoint = _agreed_checkpoint(scratch)
    if checkpoint is not None:
        config.resume, config.load_from = True, str(checkpoint)
        if is_main_process():
            print(f"resumes at iteration {_iteration(checkpoint):,}", flush=True)
    elif weights.source is not None:
        init_default_scope(config.default_scope)
        # A copy: building a model changes its config, and a resumed training builds one less.
        model = MODELS.build(copy.deepcopy(config.model))
        config.load_from = str(weights.write(scratch, model))
    check_augmentations(sources, categories, params)
    build_runner(config).train()
    if is_main_process():
        last = last_checkpoint(scratch)
        if last is None:
            raise ModelError(f"{scratch}: expected the last checkpoint of the training, found none")
        write_model(last, sources, config, params, weights)


def _describe(sources: TrainingData, params: Params) -> str:
    """Return a line for the user, who waits some seconds for the first step."""
    images = [f"{len(SplitFolder(one).read_images()):,} of {one.name}" for one in sources.folders]
    size = "x".join(map(str, params.model.size))
    return f"images: {', '.join(images)}; {params.train.iterations:,} iterations at {size} pixels"


def _scratch_folder(sources: TrainingData, params: Params, weights: InitialWeights) -> Path:
    """Return the scratch folder of a training, which depends on everything that changes it."""
    inputs = [
        params.task,
        params.seed,
        params.round,
        params.model.model_dump(exclude={"round_0"}),
        params.train.model_dump(exclude={"launcher"}),
        read_config(single_value(params.model.config), PACKAGES[params.task]).pretty_text,
    ]
    return scratch_folder("train", inputs, [*sources.folders, *weights.files])


def _refuse_held_out(
    sources: TrainingData,
    prepared: Path,
    params: Params,
    weights: InitialWeights,
    measured_on: Sequence[str],
) -> None:
    """Raise if a split to measure on is in the training data, now or of the initial weights.

    With `prepare.transductive`, images of test may be in silver.
    """
    measured = {split: SplitFolder(prepared / split).read_images() for split in measured_on}
    unlabelled = dict(measured)
    if params.prepare.transductive:
        del unlabelled["test"]
    for folder in sources.folders:
        images = {folder.name: SplitFolder(folder).read_images()}
        refuse_leaks(images, unlabelled if folder == sources.silver else measured)
    refuse_seen(weights.images_seen(), unlabelled, f"model.weights {params.model.weights}")


def build_runner(config: Config) -> PlainRunner:
    """Return the runner of a config, with its model and optimizer built.

    Raises:
        ModelError: the model or the optimizer has an unknown name or argument.
    """
    try:
        runner = PlainRunner.from_cfg(config)
        runner.build_optim_wrapper(config.optim_wrapper)
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError, ImportError) as error:
        raise ModelError(f"the model or the optimizer: {error}") from error
    return runner


def last_checkpoint(scratch: Path) -> Path | None:
    """Return the newest whole checkpoint, and remove the ones that a kill cut short."""
    checkpoints = [path for path in scratch.iterdir() if _CHECKPOINT_NAME.fullmatch(path.name)]
    for path in sorted(checkpoints, key=_iteration, reverse=True):
        try:
            load_checkpoint(path)
        except ModelError:
            remove(path)
        else:
            return path
    return None


def _agreed_checkpoint(scratch: Path) -> Path | None:
    """Return the newest checkpoint that the first process finds.

    Other machines may see another list of files in a shared folder for some seconds.
    """
    found = [last_checkpoint(scratch) if is_main_process() else None]
    broadcast_object_list(found)
    return found[0]


def _iteration(checkpoint: Path) -> int:
    """Return the iteration of a checkpoint."""
    return int(checkpoint.stem.removeprefix("iter_"))
