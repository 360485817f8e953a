"""The skeleton of a new job: one that counts lines, and its test."""
