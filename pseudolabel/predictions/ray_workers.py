"""Labelling by the workers of a Ray cluster: each shard is a task, retried if its worker dies.

All machines need this project in the same folder, which they share, and the same packages. A worker
keeps its models from task to task. Nothing but numbers of shards goes through the network.
"""

from __future__ import annotations

import os
import pickle
import socket
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from pseudolabel.core.errors import PseudolabelError
from pseudolabel.formats.shards import shard_path
from pseudolabel.predictions.label_shards import Part
from pseudolabel.predictions.labelling import Labelling

_RETRIES = 5
"""How often a task is tried again after its worker or its machine has died."""
_LOCAL = "local"
"""The address of a cluster on this machine alone, which is started for the labelling."""


class RayError(PseudolabelError):
    """Ray is not installed, its cluster cannot be reached, or workers die again and again."""


def label_with_ray(labelling: Labelling) -> None:
    """Label the missing shards of all parts on the cluster that `pseudo_label.workers` names.

    Raises:
        RayError: Ray is missing, cannot be reached, or a worker sees other files.
        PseudolabelError: a worker found a fault.
    """
    parts = [part for part in _parts(labelling) if _is_missing(labelling, part)]
    if not parts:
        return
    ray = _connect(str(labelling.params.pseudo_label.workers.ray))
    try:
        _run(ray, labelling, parts)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise RayError(f"Ray: {str(error).splitlines()[0]}") from error
    finally:
        ray.shutdown()


def _connect(address: str) -> Any:
    """Return the module `ray`, connected to a cluster.

    Raises:
        RayError: it is not installed, or the cluster cannot be reached.
    """
    # Without it, Ray sends statistics to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError as error:
        advice = "install it: pip install 'pseudolabel[ray]'"
        raise RayError(f"pseudo_label.workers.ray needs Ray: {advice}") from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == _LOCAL:
        options["include_dashboard"] = False
    else:
        options["address"] = address
    try:
        _knock(address)
        ray.init(**options)
    except (OSError, ValueError, RuntimeError) as error:
        expected = f"expected a Ray cluster at {address!r}"
        raise RayError(f"pseudo_label.workers.ray: {expected}: {error}") from error
    return ray


def _knock(address: str) -> None:
    """Raise OSError if nothing answers at an address with a port: Ray would wait for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        host = host.rpartition("/")[2].strip("[]")
        socket.create_connection((host, int(port)), timeout=10).close()


def _run(ray: Any, labelling: Labelling, parts: list[Part]) -> None:
    """Label parts as tasks, and show the progress."""
    workers = labelling.params.pseudo_label.workers
    options = {"num_cpus": workers.num_cpus, "num_gpus": workers.num_gpus}
    task = ray.remote(**options, max_retries=_RETRIES)(_label_part)
    # As one object, which each machine fetches once.
    inputs = ray.put(_pickle_inputs(labelling))
    total, images = _images_of(labelling, list(_parts(labelling))), _images_of(labelling, parts)
    progress = tqdm(total=total, initial=total - images, desc="pseudo_label", unit="img")
    running = {task.remote(inputs, part): part for part in parts}
    with progress:
        while running:
            done, _ = ray.wait(list(running))
            for reference in done:
                ray.get(reference)
                progress.update(_images_of(labelling, [running.pop(reference)]))


def _pickle_inputs(labelling: Labelling) -> bytes:
    """Return what a worker needs: folders, parameters and the number of threads."""
    folder, threads = Path.cwd(), torch.get_num_threads()
    planned = (labelling.prepared, labelling.champion, labelling.round_number, labelling.params)
    return pickle.dumps((folder, threads, labelling.scratch, planned))


def _label_part(inputs: bytes, part: Part) -> None:
    """Label a part, in a worker."""
    _read_inputs(inputs).label(part)


@lru_cache(maxsize=1)
def _read_inputs(inputs: bytes) -> Labelling:
    """Return the labelling that a worker works on; its models stay loaded.

    Raises:
        RayError: the worker sees other files than the process that sent the task.
    """
    folder, threads, scratch, planned = pickle.loads(inputs)  # noqa: S301 - of this project's driver
    os.chdir(folder)
    # As in a single process: other numbers of threads round differently.
    torch.set_num_threads(threads)
    labelling = Labelling.plan(*planned)
    if labelling.scratch != scratch:
        raise RayError(
            f"{folder}: expected the files of the main process, found others on a worker"
        )
    return labelling


def _parts(labelling: Labelling) -> list[Part]:
    """Return as many parts as the largest folder has shards."""
    size = labelling.shard_images
    count = max(-(-len(images) // size) for images in labelling.work.values())
    return [Part(number, count) for number in range(1, count + 1)]


def _is_missing(labelling: Labelling, part: Part) -> bool:
    """Return whether a shard of a part is missing."""
    return any(
        not shard_path(folder, number).exists()
        for folder, images in labelling.work.items()
        for number in part.shards(len(images), labelling.shard_images)
    )


def _images_of(labelling: Labelling, parts: list[Part]) -> int:
    """Return the number of images in parts."""
    size = labelling.shard_images
    return sum(
        min(size, len(images) - number * size)
        for part in parts
        for images in labelling.work.values()
        for number in part.shards(len(images), size)
    )
