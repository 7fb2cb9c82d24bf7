"""A small UNet for the CPU: full resolution, too narrow to learn a few images by heart."""

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
        "type": "UNet",
        "in_channels": 3,
        "base_channels": 12,
        "num_stages": 4,
        "strides": (1, 1, 1, 1),
        "enc_num_convs": (1, 2, 2, 2),
        "dec_num_convs": (1, 2, 2),
        "downsamples": (True, True, True),
        "enc_dilations": (1, 1, 1, 1),
        "dec_dilations": (1, 1, 1),
        "norm_cfg": NORM,
        "act_cfg": {"type": "ReLU"},
        "upsample_cfg": {"type": "InterpConv"},
        "norm_eval": False,
    },
    "decode_head": {
        "type": "FCNHead",
        "in_channels": 12,
        "in_index": 3,
        "channels": 12,
        "num_convs": 0,
        "concat_input": False,
        "dropout_ratio": 0.0,
        "num_classes": 19,
        "norm_cfg": NORM,
        "align_corners": False,
        "loss_decode": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
    },
    "train_cfg": {},
    "test_cfg": {"mode": "whole"},
}
