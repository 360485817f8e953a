"""Counts, logs and traces what each call uses."""
