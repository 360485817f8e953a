"""Runs on this machine, by the engine of a deployed run: files in place of S3, processes in place of
Lambdas."""
