"""The only place that imports torch or an mm* package: building, training and running models."""

import contextlib
import io
import warnings

# Noise that no user can act on: mmdet says which optional packages it lacks, and calls meshgrid
# the old way.
warnings.filterwarnings("ignore", message="torch.meshgrid")
with contextlib.redirect_stdout(io.StringIO()):
    import mmdet.datasets  # noqa: F401
