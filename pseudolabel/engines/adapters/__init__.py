"""One file a task: what its models need of mmdet, mmsegmentation or mmpretrain.

Each has an `ADAPTER`. They are imported by name, so that a stage loads the one package it needs.
"""
