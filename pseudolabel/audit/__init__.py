"""The gold labels that are most likely wrong, by what models say that never saw their images."""
