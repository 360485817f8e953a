"""Structured logs: one JSON object per line on standard output, as CloudWatch Logs Insights reads it."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

_about: dict[str, Any] = {}


def log(event: str, /, **fields: Any) -> None:
    """Write one line. Fields hold no text of the input beyond its top words."""
    line = msgspec.json.encode({"event": event} | _about | fields | {"event": event}).decode()
    # JSON lets through what ends a line or steers a terminal elsewhere: U+0085, U+009B, U+2028, U+202E.
    safe = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
    sys.stdout.write(safe + "\n")
    sys.stdout.flush()


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Inside, each line has these fields, too: so that those of one invocation, and of one run, are found."""
    _about.update(fields)
    try:
        yield
    finally:
        _about.clear()
