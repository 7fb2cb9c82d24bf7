"""Labelling the pool: predictions stream to Parquet shards, and a kill loses at most one shard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from pseudolabel.engines.model_folder import CONFIG, WEIGHTS
from pseudolabel.engines.predicting import Predictor, TrainedModel
from pseudolabel.files import (
    LOCK,
    hash_file,
    move_finished,
    scratch_folder,
    sole_worker,
    write_json,
)
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.params.sections import Params
from pseudolabel.records import Images


def label_pool(pool: Path, teacher: Path, output: Path, round_number: int, params: Params) -> None:
    """Let the teacher label the pool, and put shards and teacher.json into `output`.

    Whatever scores above the floor is written. When called again after a kill, labelling goes on
    at the first shard that is missing.

    Args:
        pool: the pool's folder of prepared data.
        teacher: the model folder of the champion.
        output: the folder to write.
        round_number: the round that is to be written beside each row.
        params: all parameters; `data`, `pseudo_label` and `seed` are used.
    """
    section, file = params.pseudo_label, pool / FILE
    images = read_coco(file).images
    inputs = [round_number, section.model_dump()]
    scratch = scratch_folder("pseudo_label", inputs, [file, teacher / WEIGHTS, teacher / CONFIG])

    def load_teacher() -> TrainedModel:
        root = params.data.root / IMAGES
        return TrainedModel(teacher, root, section, params.data.workers, round_number)

    with sole_worker(scratch):
        label_missing_shards(images, load_teacher, scratch, section.shard_images)
        shards = tables.shard_paths(scratch)
        record = {
            "round": round_number,
            "weights": hash_file(teacher / WEIGHTS),
            "images": len(images),
            "shard_images": section.shard_images,
            "unreadable": [name for path in shards for name in tables.read_unreadable(path)],
        }
        write_json(scratch / tables.TEACHER, record)
        whole = [path.name for path in scratch.iterdir() if path.name != LOCK]
        move_finished(scratch, output, sorted(name for name in whole if name[0] != "."))


def label_missing_shards(
    images: Images, load_predictor: Callable[[], Predictor], folder: Path, shard_images: int
) -> None:
    """Label the images from the first missing shard on; each shard appears when it is whole."""
    done = 0
    while tables.shard_path(folder, done).exists():
        done += 1
    first = done * shard_images
    if first >= len(images):
        return
    bar = tqdm(total=len(images), initial=first, desc="pseudo_label", unit="img", mininterval=2)
    predictor = load_predictor()
    writer = predictor.shard_writer(folder)
    unreadable: list[str] = []
    labelled = first
    with bar:
        for batch in predictor.predict(images, first):
            if batch.found is not None:
                writer.add(batch.found)
            unreadable += [str(images.file_names[row]) for row in batch.unreadable]
            labelled += batch.images
            bar.update(batch.images)
            if labelled % shard_images == 0 or labelled == len(images):
                path = tables.shard_path(folder, (labelled - 1) // shard_images)
                writer.close(path, unreadable)
                unreadable = []
