"""Structured logs: one JSON object per line on standard output, as CloudWatch Logs Insights reads it."""

import json
import sys
from typing import Any

import msgspec


def log(event: str, /, **fields: Any) -> None:
    """Write one line. Fields hold no text of the input beyond its top words."""
    line = msgspec.json.encode({"event": event} | fields | {"event": event}).decode()
    # JSON lets through what ends a line or steers a terminal elsewhere: U+0085, U+009B, U+2028, U+202E.
    safe = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
    sys.stdout.write(safe + "\n")
    sys.stdout.flush()
