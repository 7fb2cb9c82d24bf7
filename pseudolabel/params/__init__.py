"""params.yaml as validated models: unknown keys fail, all faults are told at once."""
