"""Generated input whose correct result is known."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Result = Mapping[str, Any]


class Sample(NamedTuple):
    """An input at ``path``, a file or a folder. ``wrong`` names the fields of a result that are not correct;
    ``what`` describes what it compares."""

    path: Path
    wrong: Callable[[Result], list[str]]
    what: str


Generate = Callable[[Path, int, int, Callable[[int], None]], Sample]
"""``generate(folder, bytes, seed, progress)``; ``progress`` is called with the bytes written so far."""


def differences(result: Result, right: Mapping[str, Any]) -> list[str]:
    """The fields of ``right`` that have another value in ``result``."""
    return [name for name, value in right.items() if result[name] != value]
