"""The skeleton of a new job: one that counts the messages of a log, and its test."""
