"""Structured logs: one JSON object a line on standard output, as CloudWatch Logs Insights reads it."""

import sys
from typing import Any

import msgspec


def log(event: str, **fields: Any) -> None:
    """Write one line. Fields hold no text of the input beyond its top words."""
    sys.stdout.write(msgspec.json.encode({"event": event, **fields}).decode() + "\n")
    sys.stdout.flush()
