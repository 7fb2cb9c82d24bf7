"""mmengine's runner with checkpoints of tensors and plain values only, read without any code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import is_distributed
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner, load_state_dict
from torch.nn import Module

from pseudolabel.core.errors import ModelError
from pseudolabel.models.checkpoints import load_checkpoint
from pseudolabel.training.shared_batch_norm import share_batch_norms

_KEPT = "keep_ckpt_ids"
"""The only entry of mmengine's message hub that resuming needs: which checkpoints are kept."""


@HOOKS.register_module()
class PlainCheckpointHook(Hook):  # type: ignore[misc]
    """Leaves mmengine's logs out of checkpoints: they are objects, and nothing here reads them."""

    def before_save_checkpoint(
        self,
        runner: Runner,  # noqa: ARG002 - mmengine's signature
        checkpoint: dict[str, Any],
    ) -> None:
        """Replace the message hub of a checkpoint by its plain part."""
        checkpoint["message_hub"] = _plain_hub(checkpoint["message_hub"])


class PlainRunner(Runner):  # type: ignore[misc]
    """A runner that loads checkpoints by this project's reader, and shares batch norms."""

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: Module) -> Module:
        """Return the model for this process; batch norms count the images of all processes."""
        if is_distributed():
            model = share_batch_norms(model)
        return super().wrap_model(model_wrapper_cfg, model)

    def load_checkpoint(
        self,
        filename: str,
        map_location: Any = "cpu",  # noqa: ARG002 - mmengine's signature
        strict: bool = False,
        revise_keys: Any = (),  # noqa: ARG002
    ) -> dict[str, Any]:
        """Load weights into the model, and return the checkpoint.

        At the start of a training, parts that it has no weights for keep their random ones.

        Raises:
            ModelError: the checkpoint is damaged, or contains more than plain values.
        """
        checkpoint = load_checkpoint(filename)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        if not self._resume:
            # mmengine would print the name of each weight that a pretrained backbone lacks.
            checkpoint["state_dict"] = model.state_dict() | checkpoint["state_dict"]
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        load_state_dict(model, checkpoint["state_dict"], strict)
        self._has_loaded = True
        # mmengine would run this text as Python.
        (checkpoint.get("meta") or {}).pop("config", None)
        checkpoint["message_hub"] = _plain_hub(checkpoint.get("message_hub"))
        return checkpoint

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Resume from a checkpoint.

        Raises:
            ModelError: it is damaged, or not one of this training.
        """
        try:
            super().resume(filename, *args, **kwargs)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{filename}: expected a checkpoint of this training, found another "
                f"({type(error).__name__}: {error}): remove {Path(filename).parent} to train again"
            ) from error


def _plain_hub(hub: Any) -> dict[str, Any]:
    """Return a message hub's state with the steps of the kept checkpoints alone."""
    info = hub.get("runtime_info") if isinstance(hub, dict) else None
    kept = info.get(_KEPT) if isinstance(info, dict) else None
    steps = [step for step in kept if type(step) is int] if isinstance(kept, list) else []
    return {"log_scalars": {}, "runtime_info": {_KEPT: steps}, "resumed_keys": {}}
