"""The lines that the blocks of a run kept, put together again in the order of the input."""
