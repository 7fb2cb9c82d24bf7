"""An FPN for the CPU, on a pretrained backbone that comes with a package: joined at stride 4."""

NORM = {"type": "BN"}
CHANNELS = 48

model = {
    "type": "EncoderDecoder",
    "data_preprocessor": {
        "type": "SegDataPreProcessor",
        "mean": [127.5, 127.5, 127.5],
        "std": [127.5, 127.5, 127.5],
        "bgr_to_rgb": True,
        "pad_val": 0,
        "seg_pad_val": 255,
    },
    "backbone": {
        "type": "EfficientNetLite",
        "arch": "lite0",
        "frozen_stages": 3,
        "out_indices": (2, 3, 4, 5),
        "init_cfg": {"type": "Pretrained", "checkpoint": "package:efficientnet-lite0"},
    },
    "neck": {
        "type": "FPN",
        "in_channels": [24, 40, 112, 320],
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
