"""One module or folder per job: what it reads, how it maps and reduces, nothing of AWS."""
