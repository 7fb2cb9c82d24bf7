"""The packages that are kept out: labelling never imports them, training still can."""

import subprocess
import sys

import pytest

from pseudolabel.core.errors import ModelError
from pseudolabel.training.augmentations import check_names

LABELLING = """
import sys
import pseudolabel.predictions.predictor
assert "torch._dynamo" not in sys.modules
assert getattr(sys.modules["imgaug"], "__file__", None) is None
from torchvision.ops import roi_align as operators
assert operators.__module__ == "torchvision.ops.roi_align"
asked = sys.modules["torchvision.ops.roi_align"].is_compile_supported("cpu")
assert asked == sys.modules["torch._dynamo.utils"].is_compile_supported("cpu")
assert sys.modules["torch._dynamo"].__file__
"""


@pytest.mark.slow
def test_labelling_does_not_import_them_and_torchs_compiler_is_there_once_it_is_asked():
    done = subprocess.run(
        [sys.executable, "-c", LABELLING], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_transform_for_lanes_is_refused(trained_tasks):
    resize = {"name": "Resize", "p": 1.0, "parameters": {"size": {"height": 96, "width": 96}}}
    lanes = {"type": "ImageAug", "pipeline": [resize]}
    changes = {"augmentations": [lanes]}
    with pytest.raises(ModelError, match="ImageAug: imgaug.augmenters.*lane detection"):
        check_names(trained_tasks("detection").params(train=changes))
