"""The training curve as CSV, and the progress bar that goes with it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from tqdm import tqdm

from pseudolabel.model_folder import CURVE

POINTS = 100
"""Rows of a finished curve."""


@HOOKS.register_module()
class CurveHook(Hook):  # type: ignore[misc]
    """Writes the mean loss of every hundredth of the training, and shows how far it is."""

    def before_train(self, runner: Runner) -> None:
        """Keep the rows up to the iteration that training resumes from."""
        if not is_main_process():
            return
        self.path = Path(runner.work_dir) / CURVE
        self.every = max(1, runner.max_iters // POINTS)
        self.losses: list[float] = []
        rows = []
        if self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as stream:
                rows = list(csv.reader(stream))[1:]
        with self.path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["iteration", "loss", "learning_rate"])
            writer.writerows(row for row in rows if len(row) == 3 and int(row[0]) <= runner.iter)
        self.progress = tqdm(
            total=runner.max_iters, initial=runner.iter, desc="train", unit="it", mininterval=2
        )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Count one iteration, and write a row where one is due."""
        if not is_main_process():
            return
        self.losses.append(float(outputs["loss"].detach()))
        self.progress.update()
        done = runner.iter + 1
        if done % self.every == 0 or done == runner.max_iters:
            loss = sum(self.losses) / len(self.losses)
            rate = runner.optim_wrapper.get_lr()["lr"][0]
            with self.path.open("a", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow([done, f"{loss:.5f}", f"{rate:.3g}"])
            self.losses.clear()
            self.progress.set_postfix(loss=f"{loss:.3f}", refresh=False)

    def after_train(self, runner: Runner) -> None:
        """Close the progress bar."""
        if is_main_process():
            self.progress.close()
