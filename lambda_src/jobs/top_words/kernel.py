"""Counting the words of a block, and summing counts: in C where the layer has it, else in Python.

Both kernels give the same bytes.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from lambda_src.input.findings import Invalid

LIBRARY = "fanfold.libs/kernel-f7894b20.so"
"""Where the layer has what is compiled from kernel.c, by a hash of it: while a deployment is under way, new
code can meet an old layer, and then works in Python."""

VARIABLE = "FANFOLD_KERNEL"
"""With ``python`` in this environment variable, the library is left alone."""


class CountedLines(NamedTuple):
    """The counts of one block: ``lines[n - 1]`` is a JSON object of the words of ``n`` code points, which
    occurred ``words[n - 1]`` times in sum; ``longer_words`` are all words above ``LONGEST``."""

    lines: list[bytes]
    words: list[int]
    longer_words: int


class Summed(NamedTuple):
    """The most frequent words of a sum, and how often all its words occurred."""

    top: list[tuple[str, int]]
    words: int


class Counting(Protocol):
    """Counts the words of one block. An error ends it."""

    def add(self, chunk: bytes) -> Invalid:
        """Count the stretches of ``chunk``, which cuts no token and no character; what of
        it is not UTF-8. Raises TooManyDistinct, OutOfMemory."""

    def lines(self) -> CountedLines:
        """What was counted, which ends the counting. Raises OutOfMemory."""


class Sums(Protocol):
    """Sums lines of counts. An error ends it."""

    def add(self, line: bytes) -> None:
        """Add one line. Raises BlobDamaged, TooManyDistinct, OutOfMemory."""

    def summed(self) -> Summed:
        """The sum, which ends the summing. Raises OutOfMemory."""


class Kernel(NamedTuple):
    """``most_words`` is how many distinct words a reducer's memory is made for, summed at once
    (docs/memory.md).

    ``sums(most, part, parts)`` sums at most ``most`` distinct words, those that belong to ``part`` of
    ``parts``; each word belongs to one."""

    is_native: bool
    most_words: int
    counting: Callable[[], Counting]
    sums: Callable[[int, int, int], Sums]


def find_library() -> Path | None:
    """``LIBRARY`` in the first folder of ``sys.path`` that has it."""
    return next(filter(Path.is_file, (Path(folder, LIBRARY) for folder in sys.path)), None)


def choose() -> Kernel:
    """The kernel of this process. Imports no other, for every cold start would pay for it."""
    if os.environ.get(VARIABLE) == "python" or not find_library():
        from lambda_src.jobs.top_words.python_kernel import KERNEL  # noqa: PLC0415
    else:
        from lambda_src.jobs.top_words.c_kernel import KERNEL  # noqa: PLC0415
    return KERNEL
