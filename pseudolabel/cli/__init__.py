"""The commands of `python -m pseudolabel`: one file per command."""
