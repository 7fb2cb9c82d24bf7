"""All that is known before labelling begins: the teachers, the images, the folder of the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pseudolabel.core.datasets import PARTIAL, TUNING
from pseudolabel.core.errors import ModelError
from pseudolabel.core.per_round import list_in_round
from pseudolabel.core.records import Images
from pseudolabel.core.tasks import TASKS, Kind
from pseudolabel.core.workdir import scratch_folder
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.split_folder import COCO_FILE, SplitFolder
from pseudolabel.formats.teacher_files import KnownPredictions
from pseudolabel.params.common import Params
from pseudolabel.predictions.batches import Predictor
from pseudolabel.predictions.file_predictor import FilePredictor
from pseudolabel.predictions.kept_predictions import KeptPredictions, key_of_predictions
from pseudolabel.predictions.label_shards import WHOLE, Part, label_missing_shards
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.teachers import Teachers, teachers_of_round

NEW = ".new"
"""In the scratch folder: the shards of the pool's new images, if others have predictions."""


@dataclass(frozen=True)
class Labelling:
    """The labelling of a round. Equal inputs give the same scratch folder in every process.

    Attributes:
        prepared: the folder of prepared data.
        champion: the model folder of the previous round's champion.
        round_number: the round to write beside each prediction.
        params: all parameters.
        teachers: the teachers.
        files: the predictions of those teachers that are files.
        scratch: the folder of the unfinished work.
        key: what the predictions depend on beside the images; None if they cannot be kept.
    """

    prepared: Path
    champion: Path
    round_number: int
    params: Params
    teachers: Teachers
    files: Sequence[KnownPredictions]
    scratch: Path
    key: str | None

    @classmethod
    def plan(cls, prepared: Path, champion: Path, round_number: int, params: Params) -> Labelling:
        """Return the labelling of a round.

        Args:
            prepared: the folder of prepared data.
            champion: the model folder of the previous round's champion.
            round_number: the round.
            params: all parameters; `data` and `pseudo_label` are used.

        Raises:
            ModelError: a teacher is missing, or teachers differ in task or classes.
            DataError: a teacher was trained on val, tuning or test, or a file has faults.
        """
        named = list_in_round(params.pseudo_label.teachers, round_number)
        teachers = teachers_of_round(named, champion, prepared)
        files = teachers.read_files(prepared, params.task, round_number)
        section = params.pseudo_label.model_copy(update={"teachers": named})
        # Who does the work changes no prediction.
        values = section.model_dump(mode="json", exclude={"workers"})
        inputs = _splits_used(prepared, files) + teachers.inputs
        scratch = scratch_folder("pseudo_label", [round_number, values], inputs)
        # Predictions in files are found by name, not by content.
        key = None if files else key_of_predictions([round_number, values], teachers.inputs)
        return cls(prepared, champion, round_number, params, teachers, files, scratch, key)

    @property
    def kind(self) -> Kind:
        """The kind of label."""
        return TASKS[self.params.task].kind

    @property
    def shard_images(self) -> int:
        """The number of images per shard."""
        return self.params.pseudo_label.shard_images

    @cached_property
    def pool(self) -> Images:
        """The images of the pool."""
        return SplitFolder(self.prepared / "pool").read().images

    @cached_property
    def kept(self) -> KeptPredictions | None:
        """The predictions of an earlier run that can be taken again."""
        return KeptPredictions.find(self.round_number, self.key) if self.key is not None else None

    @cached_property
    def labels_tuning(self) -> bool:
        """Whether all teachers have predictions for tuning."""
        return not any(file.lacking(self._tuning).any() for file in self.files)

    @cached_property
    def work(self) -> dict[Path, Images]:
        """The images to label, by the folder of their shards."""
        partial = SplitFolder(self.prepared / PARTIAL).read().images
        is_new = self.kept.is_new(self.pool) if self.kept is not None else None
        if is_new is None or is_new.all():
            pool = {self.scratch: self.pool}
        else:
            pool = {self.scratch / NEW: self.pool[is_new]}
        tuning = self._tuning if self.labels_tuning else self._tuning[:0]
        return pool | {self.scratch / TUNING: tuning, self.scratch / PARTIAL: partial}

    def label(self, part: Part = WHOLE) -> None:
        """Label the missing shards of a part.

        Raises:
            ModelError: the models differ in task or classes.
        """
        for folder, images in self.work.items():
            label_missing_shards(
                images, lambda: self._teachers, folder, self.shard_images, part=part
            )

    def check_files(self) -> None:
        """Print what files have predictions for.

        Raises:
            DataError: a file is joined with other teachers, and lacks images of the pool.
        """
        for file in self.files:
            print(file.describe({"the pool": self.pool, TUNING: self._tuning}), flush=True)
            if len(self.teachers.folders) + len(self.files) > 1:
                file.require(self.pool, "the pool")

    @cached_property
    def _tuning(self) -> Images:
        return SplitFolder(self.prepared / TUNING).read().images

    @cached_property
    def _teachers(self) -> Predictor:
        """The predictor of all teachers together.

        Raises:
            ModelError: models differ in task or classes, or stability is to be measured with files.
        """
        section, workers = self.params.pseudo_label, self.params.data.workers
        root = self.params.data.root / IMAGES
        if self.files and section.stability is not None:
            raise ModelError(
                f"pseudo_label.stability: expected null with a file as a teacher, found "
                f"{section.stability}"
            )
        number = self.round_number
        if self.teachers.folders:
            compared, folders = section.stability, self.teachers.folders
            return TrainedModels(
                folders, root, section, workers, number, compared, files=self.files
            )
        categories = SplitFolder(self.prepared / "gold").read().categories
        return FilePredictor(
            self.files, self.params.task, categories, root, section, workers, number
        )


def _splits_used(prepared: Path, files: Sequence[KnownPredictions]) -> list[Path]:
    """Return the COCO files that labels depend on: names in files are looked up in all splits."""
    names = ["*"] if files else ["pool", TUNING, PARTIAL]
    return [path for name in names for path in sorted(prepared.glob(f"{name}/{COCO_FILE}"))]
