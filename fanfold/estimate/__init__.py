"""Estimates the time and the cost of a run before anything is spent."""
