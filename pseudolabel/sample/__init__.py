"""The generated sample: raw data to try the loop on, with the pool's true labels beside it."""
