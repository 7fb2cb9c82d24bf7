"""The only place that imports torch or an mm* package: building, training and running models."""
