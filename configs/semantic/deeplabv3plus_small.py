"""A small DeepLabV3+ for the CPU: a narrow ResNet-18 that keeps a quarter of the resolution."""

NORM = {"type": "BN"}

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
        "type": "ResNetV1c",
        "depth": 18,
        "stem_channels": 24,
        "base_channels": 24,
        "num_stages": 4,
        "out_indices": (0, 1, 2, 3),
        "strides": (1, 2, 2, 1),
        "dilations": (1, 1, 1, 2),
        "norm_cfg": NORM,
        "norm_eval": False,
        "contract_dilation": True,
    },
    "decode_head": {
        "type": "DepthwiseSeparableASPPHead",
        "in_channels": 192,
        "in_index": 3,
        "channels": 48,
        "dilations": (1, 3, 6),
        "c1_in_channels": 24,
        "c1_channels": 16,
        "dropout_ratio": 0.1,
        "num_classes": 19,
        "norm_cfg": NORM,
        "align_corners": False,
        "loss_decode": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
    },
    "train_cfg": {},
    "test_cfg": {"mode": "whole"},
}
