"""A small FPN for the CPU: half of ResNet-18, its scales joined at a quarter of the resolution."""

NORM = {"type": "BN"}
CHANNELS = 48

model = {
    "type": "EncoderDecoder",
    "data_preprocessor": {
        "type": "SegDataPreProcessor",
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
        "bgr_to_rgb": True,
        "pad_val": 0,
        "seg_pad_val": 255,
    },
    "backbone": {
        "type": "ResNet",
        "depth": 18,
        "stem_channels": 32,
        "base_channels": 32,
        "num_stages": 4,
        "out_indices": (0, 1, 2, 3),
        "strides": (1, 2, 2, 2),
        "dilations": (1, 1, 1, 1),
        "norm_cfg": NORM,
        "norm_eval": False,
    },
    "neck": {
        "type": "FPN",
        "in_channels": [32, 64, 128, 256],
        "out_channels": CHANNELS,
        "num_outs": 4,
        "norm_cfg": NORM,
    },
    "decode_head": {
        "type": "FPNHead",
        "in_channels": [CHANNELS] * 4,
        "in_index": [0, 1, 2, 3],
        "feature_strides": [4, 8, 16, 32],
        "channels": CHANNELS,
        "dropout_ratio": 0.1,
        "num_classes": 19,
        "norm_cfg": NORM,
        "align_corners": False,
        "loss_decode": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
    },
    "train_cfg": {},
    "test_cfg": {"mode": "whole"},
}
