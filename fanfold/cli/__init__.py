"""The commands, and what they show in a terminal."""
