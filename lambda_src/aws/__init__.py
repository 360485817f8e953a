"""The services of AWS, and what an invocation uses of them."""
