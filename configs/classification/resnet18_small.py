"""A small ResNet-18 for the CPU: half as wide, with a stem for small images."""

model = {
    "type": "ImageClassifier",
    "data_preprocessor": {
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
        "to_rgb": True,
    },
    "backbone": {
        "type": "ResNet",
        "depth": 18,
        "stem_channels": 32,
        "base_channels": 32,
        "num_stages": 4,
        "out_indices": (3,),
        "deep_stem": False,
        "strides": (1, 2, 2, 2),
        "norm_cfg": {"type": "BN"},
    },
    "neck": {"type": "GlobalAveragePooling"},
    "head": {
        "type": "LinearClsHead",
        "num_classes": 1000,
        "in_channels": 256,
        "loss": {"type": "CrossEntropyLoss", "loss_weight": 1.0},
        "topk": (1,),
    },
}
