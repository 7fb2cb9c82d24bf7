"""The folders of a project, relative to its root, for all stages and commands."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

LAST_ROUND = 9
"""The last round in rounds/dvc.yaml."""

SAMPLE = Path("data/sample")
MANIFEST = Path("data/manifest.json")
KEPT_RAW = Path(".scratch/raw")
"""What is known of the raw files between runs."""
PREPARED = Path("data/prepared")
ROUNDS = Path("rounds")
FOLD_MODELS = Path("folds/models")
FOLD_PREDICTIONS = Path("folds/predictions")
AUDIT = Path("folds/audit")
FINAL_MODEL = Path("final/model")
FINAL_METRICS = Path("final/metrics.json")
EXPORT = Path("export/results")
TUNE = Path("tune")
METRICS = Path("metrics.json")
REPORT = Path("report")
REVIEW = Path("review")
REVIEWED_GOLD = REVIEW / "gold"


@dataclass(frozen=True)
class RoundFolder:
    """The folders of one round, as rounds/dvc.yaml names them.

    Attributes:
        number: the round, 0 for the teacher that is trained on gold alone.
    """

    number: int

    @classmethod
    def from_command_line(cls, description: str | None) -> RoundFolder:
        """Return the round that the command line names."""
        return cls(cls.parser(description).parse_args().round)

    @staticmethod
    def parser(description: str | None) -> argparse.ArgumentParser:
        """Return a parser of command lines that name a round."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("round", type=int, help="number of the round, 0 for the teacher")
        return parser

    @property
    def previous(self) -> RoundFolder | None:
        """The round before this one; None for round 0."""
        return RoundFolder(self.number - 1) if self.number else None

    @property
    def path(self) -> Path:
        """The folder of the round, which holds all its other folders."""
        return ROUNDS / str(self.number)

    @property
    def predictions(self) -> Path:
        """All predictions of the teacher."""
        return self.path / "predictions"

    @property
    def silver(self) -> Path:
        """The predictions that the filter kept."""
        return self.path / "silver"

    @property
    def merged(self) -> Path:
        """Gold and silver: the training data of the student."""
        return self.path / "merged"

    @property
    def training_data(self) -> Path:
        """The training data of the round's model: prepared gold, or gold merged with silver."""
        return self.merged if self.number else PREPARED

    @property
    def model(self) -> Path:
        """The round's model."""
        return self.path / "model"

    @property
    def evaluation(self) -> Path:
        """The scores of all rounds up to this one."""
        return self.path / "evaluation"

    @property
    def index(self) -> Path:
        """What the report shows of the round: the pool's labels by image, and their changes."""
        return self.path / "index"

    @property
    def champion(self) -> Path:
        """The best model of all rounds up to this one, by val."""
        return self.path / "champion"
