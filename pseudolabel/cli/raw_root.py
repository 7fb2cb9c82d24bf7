"""Arguments of commands that are raw roots: one to read, also in a bucket, and one to write."""

from __future__ import annotations

import argparse
from pathlib import Path

from pseudolabel.core.bucket import address_of, raw_root


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


def new_root_argument(text: str) -> Path:
    """Return the path of a raw root to write.

    Raises:
        ArgumentTypeError: it is the address of a bucket.
    """
    root = raw_root_argument(text)
    if address_of(root) is not None:
        expected = "a folder, to be copied to the bucket with `aws s3 sync`"
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
    return root
