"""Sizes, times and text as people read them."""
