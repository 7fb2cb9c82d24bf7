"""The only place that reads and writes annotation files."""
