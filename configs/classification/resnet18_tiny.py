"""A tiny ResNet-18 for the CPU: an eighth as wide, a student for bigger teachers."""

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
        "stem_channels": 8,
        "base_channels": 8,
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
        "in_channels": 64,
        "loss": {"type": "CrossEntropyLoss", "loss_weight": 1.0},
        "topk": (1,),
    },
}
