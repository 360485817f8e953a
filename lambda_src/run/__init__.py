"""A run, stage by stage: its state, its owner, its cost and its proof."""
