"""Semi-supervised training from a few gold labels and many images, round by round."""

__version__ = "0.1.0"
