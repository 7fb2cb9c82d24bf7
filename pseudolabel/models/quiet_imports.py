"""Importing the mm* packages without their messages about optional packages and old calls."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

for message in ("torch.meshgrid", "Only use 'alpha' for pillow backend"):
    warnings.filterwarnings("ignore", message=message)


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Discard the output that packages print while they are imported."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
