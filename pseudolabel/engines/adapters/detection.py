"""Object detection by mmdet: boxes."""

from __future__ import annotations

from pseudolabel.engines.adapters.objects import ObjectAdapter

ADAPTER = ObjectAdapter()
