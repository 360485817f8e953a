"""The AWS account that a command works on, and the stacks in it."""
