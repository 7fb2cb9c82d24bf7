"""The mm* packages without their noise: which optional packages they lack, old ways of calling."""

import contextlib
import io
import warnings
from collections.abc import Iterator

for message in ("torch.meshgrid", "Only use 'alpha' for pillow backend"):
    warnings.filterwarnings("ignore", message=message)


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Keep what is printed while packages are imported from the user."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
