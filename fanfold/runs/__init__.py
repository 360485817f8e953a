"""Runs, from the outside: uploading, starting, following, listing, cleaning up."""
