"""The lines that the blocks of a run kept, merged in the order of the input."""
