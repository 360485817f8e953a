"""An AWS on this machine: MiniStack on loopback, with IAM and TLS enforced."""
