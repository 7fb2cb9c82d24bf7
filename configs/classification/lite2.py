"""EfficientNet-Lite2, a larger teacher: its pretrained weights come with a package of their own."""

_base_ = ["lite0.py"]

model = {
    "backbone": {
        "arch": "lite2",
        "init_cfg": {"type": "Pretrained", "checkpoint": "package:efficientnet-lite2"},
    },
}
