"""Generated inputs with known results, and a demo that runs a job on one."""
