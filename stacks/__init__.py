"""Infrastructure, nothing else."""
