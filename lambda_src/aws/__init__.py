"""Clients of AWS services. Only this package knows AWS."""
