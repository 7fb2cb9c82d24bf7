"""Readers and writers of the files that stages exchange."""
