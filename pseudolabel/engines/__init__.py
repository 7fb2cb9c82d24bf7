"""The only place that imports torch or an mm* package: building, training and running models."""

import os

# Albumentations, which the packages import, would ask its server for a newer version of itself.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
