"""Pages about a loop: an overview, the silver of each round, the errors of the model, the data.

The stage `index` describes one round in files that pages can load. The stage `compare` writes the
pages. The table INDEXERS has the function that describes a shard of each kind of label.
"""

from __future__ import annotations

from pseudolabel.core.tasks import Kind
from pseudolabel.report.classes import index_classes
from pseudolabel.report.entries import IndexShard
from pseudolabel.report.objects import index_objects
from pseudolabel.report.pixels import index_pixels

INDEXERS: dict[Kind, IndexShard] = {
    "objects": index_objects,
    "pixels": index_pixels,
    "classes": index_classes,
}
