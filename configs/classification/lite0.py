"""EfficientNet-Lite0 for the CPU: a pretrained backbone that comes with a package."""

model = {
    "type": "ImageClassifier",
    "data_preprocessor": {
        "mean": [127.5, 127.5, 127.5],
        "std": [127.5, 127.5, 127.5],
        "to_rgb": True,
    },
    "backbone": {
        "type": "EfficientNetLite",
        "arch": "lite0",
        "frozen_stages": 3,
        "out_indices": (6,),
        "init_cfg": {"type": "Pretrained", "checkpoint": "package:efficientnet-lite0"},
    },
    "neck": {"type": "GlobalAveragePooling"},
    "head": {
        "type": "LinearClsHead",
        "num_classes": 1000,
        "in_channels": 1280,
        "loss": {"type": "CrossEntropyLoss", "loss_weight": 1.0},
        "topk": (1,),
    },
}
