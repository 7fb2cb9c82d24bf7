"""data.root -> data/manifest.json: the number of raw files, and one hash of all their contents."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import KEPT_RAW, MANIFEST
from pseudolabel.core.workdir import output_lock
from pseudolabel.manifest.manifest import write_manifest
from pseudolabel.params.loading import load_params

if __name__ == "__main__":
    with plain_errors():
        data = load_params().data
        with output_lock(MANIFEST):
            print(write_manifest(data.root, MANIFEST, KEPT_RAW, data.cache_bytes))
