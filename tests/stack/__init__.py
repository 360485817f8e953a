"""What the synthesized stack promises."""
