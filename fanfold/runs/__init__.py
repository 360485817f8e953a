"""Runs: uploading inputs, starting, following, listing, cleaning up."""
