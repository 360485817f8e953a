"""The input of a run: its objects, their formats, and the records that a block owns."""
