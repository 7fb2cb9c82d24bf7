"""RTMDet on EfficientNet-Lite2, a larger teacher: the weights come with a package of their own."""

_base_ = ["rtmdet_lite0.py"]

model = {
    "backbone": {
        "arch": "lite2",
        "init_cfg": {"type": "Pretrained", "checkpoint": "package:efficientnet-lite2"},
    },
    "neck": {"in_channels": [24, 48, 120, 352]},
}
