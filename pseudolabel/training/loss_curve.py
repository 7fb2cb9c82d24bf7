"""The loss curve of a training as CSV, and its progress bar."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from tqdm import tqdm

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import write_csv
from pseudolabel.formats.model_folder import CURVE
from pseudolabel.training.loss_check import check_in_all_processes, check_loss

_CURVE_ROWS = 100
"""Number of rows of a finished curve."""
_COLUMNS = ("iteration", "loss", "learning_rate")
_CURVE_STATE = "loss_curve"
"""In a checkpoint: the curve up to its iteration."""


@HOOKS.register_module()
class LossCurveHook(Hook):  # type: ignore[misc]
    """Writes the mean loss of each hundredth of the training, and shows a progress bar."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.losses: list[float] = []
        self.first: float | None = None

    def before_save_checkpoint(
        self,
        runner: Runner,  # noqa: ARG002 - mmengine's signature
        checkpoint: dict[str, Any],
    ) -> None:
        """Keep the curve in the checkpoint, with the losses of the interval that has begun."""
        state = {"rows": self.rows, "losses": self.losses, "first": self.first}
        checkpoint[_CURVE_STATE] = state

    def after_load_checkpoint(
        self,
        runner: Runner,  # noqa: ARG002 - mmengine's signature
        checkpoint: dict[str, Any],
    ) -> None:
        """Continue the curve of a checkpoint; initial weights have none."""
        if _CURVE_STATE in checkpoint:
            state = checkpoint[_CURVE_STATE]
            self.rows, self.losses = list(state["rows"]), list(state["losses"])
            self.first = state["first"]

    def before_train(self, runner: Runner) -> None:
        """Show the progress bar, from the iteration on that training resumes from."""
        if not is_main_process():
            return
        self.interval = max(1, runner.max_iters // _CURVE_ROWS)
        self.progress = tqdm(
            total=runner.max_iters, initial=runner.iter, desc="train", unit="it", mininterval=2
        )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002 - mmengine's signature
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Count one iteration, and add a row at the end of each interval.

        Raises:
            ModelError: the loss is not a number, or explodes.
        """
        loss = float(outputs["loss"].detach())
        self.first = loss if self.first is None else self.first
        try:
            check_in_all_processes(
                outputs["loss"].device,
                partial(check_loss, loss, self.first, runner, outputs, data_batch),
            )
        except ModelError:
            self.after_train(runner)
            raise
        mean = outputs["loss"].detach().clone()
        all_reduce(mean, "mean")
        if not is_main_process():
            return
        self.losses.append(float(mean))
        self.progress.update()
        done = runner.iter + 1
        if done % self.interval == 0 or done == runner.max_iters:
            average = sum(self.losses) / len(self.losses)
            rate = runner.optim_wrapper.get_lr()["lr"][0]
            self.rows.append([str(done), f"{average:.5f}", f"{rate:.3g}"])
            write_csv(
                Path(runner.work_dir) / CURVE,
                [dict(zip(_COLUMNS, row, strict=True)) for row in self.rows],
            )
            self.losses.clear()
            self.progress.set_postfix(loss=f"{average:.3f}", refresh=False)

    def after_train(self, runner: Runner) -> None:  # noqa: ARG002 - mmengine's signature
        """Close the progress bar."""
        if is_main_process():
            self.progress.close()
