"""Search for parameters with Optuna: stage `tune`."""
