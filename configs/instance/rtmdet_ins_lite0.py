"""RTMDet-Ins for the CPU, on a pretrained backbone that comes with a package: strides 4 to 32."""

NORM = {"type": "BN"}
ACT = {"type": "SiLU", "inplace": True}

model = {
    "type": "RTMDet",
    "data_preprocessor": {
        "type": "DetDataPreprocessor",
        "mean": [127.5, 127.5, 127.5],
        "std": [127.5, 127.5, 127.5],
        "bgr_to_rgb": True,
        "pad_mask": True,
        "pad_size_divisor": 32,
    },
    "backbone": {
        "type": "EfficientNetLite",
        "arch": "lite0",
        "frozen_stages": 3,
        "out_indices": (2, 3, 4, 5),
        "init_cfg": {"type": "Pretrained", "checkpoint": "package:efficientnet-lite0"},
    },
    "neck": {
        "type": "CSPNeXtPAFPN",
        "in_channels": [24, 40, 112, 320],
        "out_channels": 48,
        "num_csp_blocks": 1,
        "expand_ratio": 0.5,
        "norm_cfg": NORM,
        "act_cfg": ACT,
    },
    "bbox_head": {
        "type": "RTMDetInsFullMaskHead",
        "num_classes": 80,
        "in_channels": 48,
        "stacked_convs": 1,
        "feat_channels": 48,
        "anchor_generator": {"type": "MlvlPointGenerator", "offset": 0, "strides": [4, 8, 16, 32]},
        "bbox_coder": {"type": "DistancePointBBoxCoder"},
        "loss_cls": {
            "type": "QualityFocalLoss",
            "use_sigmoid": True,
            "beta": 2.0,
            "loss_weight": 1.0,
        },
        "loss_bbox": {"type": "GIoULoss", "loss_weight": 2.0},
        "loss_mask": {"type": "DiceLoss", "loss_weight": 2.0, "eps": 5e-6, "reduction": "mean"},
        "share_conv": True,
        "pred_kernel_size": 1,
        "norm_cfg": NORM,
        "act_cfg": ACT,
    },
    "train_cfg": {
        "assigner": {"type": "DynamicSoftLabelAssigner", "topk": 13},
        "allowed_border": -1,
        "pos_weight": -1,
        "debug": False,
    },
    "test_cfg": {
        "nms_pre": 3000,
        "min_bbox_size": 0,
        "score_thr": 0.001,
        "nms": {"type": "nms", "iou_threshold": 0.65},
        "max_per_img": 300,
        "mask_thr_binary": 0.5,
    },
}
