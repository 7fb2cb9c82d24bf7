"""How good predictions are, by the definitions that each field uses."""
