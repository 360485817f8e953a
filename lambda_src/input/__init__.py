"""What a run reads: its objects, their formats, and which records a block owns."""
