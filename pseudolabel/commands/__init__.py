"""What `python -m pseudolabel` can do beside the DVC stages: one file a command."""
