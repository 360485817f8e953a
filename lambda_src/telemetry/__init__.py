"""What each call used: counted, logged, traced."""
