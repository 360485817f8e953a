"""What travels between functions, and the record of a run."""
