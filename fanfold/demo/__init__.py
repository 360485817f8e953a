"""Generated inputs with known answers, and a run of one from start to end."""
