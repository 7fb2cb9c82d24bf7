"""A tiny RTMDet for the CPU: half as wide as the small one, a student for bigger teachers."""

_base_ = ["rtmdet_small.py"]

model = {
    "backbone": {"widen_factor": 0.09375},
    "neck": {"in_channels": [12, 24, 48], "out_channels": 24},
    "bbox_head": {"in_channels": 24, "feat_channels": 24},
}
