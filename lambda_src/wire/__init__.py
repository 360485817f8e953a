"""The messages between functions, and the record of a run."""
