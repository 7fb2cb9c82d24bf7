"""The argument of commands that is a raw root: a folder, or one in a bucket."""

from __future__ import annotations

import argparse
from pathlib import Path

from pseudolabel.core.bucket import raw_root


def raw_root_argument(text: str) -> Path:
    """Return the folder of a raw root, as `raw_root` does.

    Raises:
        ArgumentTypeError: the address of a bucket is not one.
    """
    try:
        root: Path = raw_root(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected {error}, found {text!r}") from error
    return root
