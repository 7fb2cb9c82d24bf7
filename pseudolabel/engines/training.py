"""Training with mmengine: the same schedule every round, in a folder that survives a kill."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from pseudolabel.datasets import MEASURED_ON
from pseudolabel.engines.adapter import adapter_of
from pseudolabel.engines.augmentations import refuse_failing
from pseudolabel.engines.checkpoints import load_checkpoint, load_weights, save_weights
from pseudolabel.engines.first_weights import (
    from_champion,
    said_of,
    seen_before,
    weights_files,
    write_first_weights,
)
from pseudolabel.engines.model_config import read_config
from pseudolabel.engines.training_config import SNAPSHOT, Sources, build_config
from pseudolabel.errors import ModelError
from pseudolabel.files import (
    hash_file,
    hash_folder,
    move_finished,
    remove,
    scratch_folder,
    sole_worker,
    write_json,
)
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.leaks import refuse_leaks, refuse_seen
from pseudolabel.model_folder import CONFIG, CURVE, EARLIER, RECORD, WEIGHTS
from pseudolabel.params.sections import Params

PARAMS = "params.json"
"""What the processes of a training read, in its scratch folder."""
CHECKPOINT = re.compile(r"iter_(\d+)\.pth")


def train(
    data: Path,
    prepared: Path,
    output: Path,
    params: Params,
    measured_on: Sequence[str] = MEASURED_ON,
    champion: Path | None = None,
) -> None:
    """Train a model on the gold and silver folders of `data` and put it into `output`.

    The folder gets config.json, weights.pth (the averaged weights where there is averaging),
    curve.csv and training.json (what it was trained on). A training that was killed goes on at its
    last checkpoint when called again. Of several machines, the first one writes the folder.

    Args:
        data: the folder with the folders gold and, after round 0, silver.
        prepared: the folder of prepared data, whose val and test must not be trained on.
        output: the folder to write.
        params: all parameters.
        measured_on: the splits that must not be trained on.
        champion: the model folder that `model.weights: champion` goes on from, None in round 0.

    Raises:
        DataError: an image of these splits is among those to be trained on.
        ModelError: the config, the weights, the optimizer or an augmentation cannot be used.
    """
    sources = Sources.of(data)
    params = from_champion(params, sources.gold, champion)
    refuse_held_out(sources, prepared, params, measured_on)
    model, section = params.model, params.train
    inputs = [
        params.task,
        params.seed,
        params.round,
        model.model_dump(),
        section.model_dump(exclude={"launcher"}),
        read_config(model.config, adapter_of(params.task).scope).pretty_text,
    ]
    files = [*sources.folders, *weights_files(params)]
    scratch, launcher = scratch_folder("train", inputs, files), section.launcher
    if launcher.machine_rank:
        launch(data, scratch, params)
        return
    with sole_worker(scratch):
        if launcher.processes * launcher.machines > 1:
            launch(data, scratch, params)
        else:
            train_in(scratch, sources, params)
        earlier = [EARLIER.format(it) for it in range(1, section.snapshots + 1)]
        move_finished(scratch, output, [CONFIG, WEIGHTS, CURVE, RECORD, *earlier])


def refuse_held_out(
    sources: Sources, prepared: Path, params: Params, measured_on: Sequence[str]
) -> None:
    """Raise where a split to be measured on would be trained on, or was by the first weights.

    With `prepare.transductive`, test may have been pseudo-labelled.

    Raises:
        DataError: with a fault for each such image.
    """
    measured = {split: read_coco(prepared / split / FILE).images for split in measured_on}
    unlabelled = dict(measured)
    if params.prepare.transductive:
        del unlabelled["test"]
    for folder in sources.folders:
        images = {folder.name: read_coco(folder / FILE).images}
        refuse_leaks(images, unlabelled if folder == sources.silver else measured)
    refuse_seen(seen_before(params), unlabelled, f"model.weights {params.model.weights}")


def launch(data: Path, scratch: Path, params: Params) -> None:
    """Run `python -m pseudolabel.engines.worker` in several processes by torchrun."""
    write_json(scratch / PARAMS, params.model_dump(mode="json"))
    launcher = params.train.launcher
    command = [sys.executable, "-m", "torch.distributed.run"]
    command += [f"--nproc-per-node={launcher.processes}", f"--nnodes={launcher.machines}"]
    command += [f"--node-rank={launcher.machine_rank}", f"--rdzv-endpoint={launcher.rendezvous}"]
    command += ["--rdzv-backend=c10d", "--rdzv-id=pseudolabel"]
    command += ["--module", "pseudolabel.engines.worker", str(data), str(scratch)]
    environment = dict(os.environ)
    threads = max(1, torch.get_num_threads() // launcher.processes)
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    done = subprocess.run(command, check=False, env=environment)
    if done.returncode:
        raise ModelError(f"torchrun ended with status {done.returncode}; its messages stand above")


def train_in(scratch: Path, sources: Sources, params: Params) -> None:
    """Train in a scratch folder, from its last checkpoint where it has one."""
    categories = read_coco(sources.gold / FILE).categories
    config = build_config(sources, categories, scratch, params)
    checkpoint = last_checkpoint(scratch)
    if checkpoint is not None:
        config.resume, config.load_from = True, str(checkpoint)
    elif params.model.weights is not None:
        config.load_from = str(write_first_weights(scratch, config, params))
    refuse_failing(config)
    build_runner(config).train()
    if is_main_process():
        finish(scratch, sources, config, params)


def build_runner(config: Config) -> Runner:
    """Return the runner of a config, its model and optimizer built.

    Raises:
        ModelError: a name or an argument of the model or the optimizer is wrong.
    """
    try:
        runner = Runner.from_cfg(config)
        runner.build_optim_wrapper(config.optim_wrapper)
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError, ImportError) as error:
        raise ModelError(f"the model or the optimizer: {error}") from error
    return runner


def last_checkpoint(scratch: Path) -> Path | None:
    """Return the newest whole checkpoint of a scratch folder, removing those a kill cut short."""
    found = [
        (int(match[1]), path)
        for path in scratch.iterdir()
        if (match := CHECKPOINT.fullmatch(path.name))
    ]
    for _, path in sorted(found, reverse=True):
        try:
            load_checkpoint(path)
        except ModelError:
            remove(path)
        else:
            return path
    return None


def finish(scratch: Path, sources: Sources, config: Config, params: Params) -> None:
    """Write the finished model's files into the scratch folder."""
    checkpoint = last_checkpoint(scratch)
    if checkpoint is None:
        raise ModelError(f"{scratch}: expected the last checkpoint of the training, found none")
    save_weights(scratch / WEIGHTS, load_weights(checkpoint))
    step = max(1, params.train.iterations // (params.train.snapshots + 1))
    for number in range(1, params.train.snapshots + 1):
        earlier = load_weights(scratch / SNAPSHOT.format(number * step))
        save_weights(scratch / EARLIER.format(number), earlier)
    kept = {key: config[key] for key in ("task", "model", "image_size", "categories")}
    write_json(scratch / CONFIG, Config(kept).to_dict())
    counts, seen = {}, seen_before(params)
    for folder in sources.folders:
        dataset = read_coco(folder / FILE)
        seen.update(dataset.images.hashes)
        counts[folder.name] = {
            "images": len(dataset.images),
            "annotations": int((~dataset.annotations.crowds).sum()),
            "hidden": int(dataset.annotations.crowds.sum()),
            "hash": hash_folder(folder),
        }
    record = {"seed": params.seed, "iterations": params.train.iterations, "data": counts}
    record |= {"images": sorted(seen)} | said_of(params)
    write_json(scratch / RECORD, record | {"weights": hash_file(scratch / WEIGHTS)})
