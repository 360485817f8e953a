"""Structured logs: one JSON object per line on standard output, for CloudWatch Logs Insights."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

_about: dict[str, Any] = {}


def log(event: str, /, **fields: Any) -> None:
    """Write one line. Fields must not contain text of the input, except for top words."""
    line = msgspec.json.encode({"event": event} | _about | fields | {"event": event}).decode()
    # JSON does not escape everything that ends a line or controls a terminal: U+0085, U+009B, U+2028, U+202E.
    safe = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
    sys.stdout.write(safe + "\n")
    sys.stdout.flush()


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Add these fields to every line written inside, to find the lines of an invocation or a run."""
    _about.update(fields)
    try:
        yield
    finally:
        _about.clear()
