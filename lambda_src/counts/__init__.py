"""Counts of keys: what most jobs are made of."""
