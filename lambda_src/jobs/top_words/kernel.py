"""What a kernel does: it counts the words of a block, and sums counts. There is one in C, and one in Python
for when the layer lacks the library. Both give the same bytes."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from lambda_src.input.findings import Invalid

LIBRARY = "fanfold.libs/kernel-3816eb15.so"
"""The path of the compiled kernel.c in the layer, with a hash of the source. During a deployment, new code
can meet an old layer, and then counts in Python."""


class CountedLines(NamedTuple):
    """The counts of one block: ``lines[n - 1]`` is a JSON object of the words of ``n`` code points, which
    occurred ``words[n - 1]`` times together; ``longer_words`` counts all words above ``LONGEST``."""

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
        """Count the stretches of ``chunk``, which cuts no token and no character. Returns the bytes that are
        not UTF-8. Raises TooManyDistinct, OutOfMemory."""

    def lines(self) -> CountedLines:
        """What was counted. This ends the counting. Raises OutOfMemory."""


class Sums(Protocol):
    """Sums lines of counts. An error ends it."""

    def add(self, line: bytes) -> None:
        """Add one line. Raises BlobDamaged, TooManyDistinct, OutOfMemory."""

    def summed(self) -> Summed:
        """The sum. This ends the summing. Raises OutOfMemory."""


class Kernel(NamedTuple):
    """``most_words`` distinct words fit into a reducer's memory at once (docs/memory.md).

    ``sums(most, part, parts)`` sums at most ``most`` distinct words: those of ``part``, one of ``parts``.
    Each word belongs to one part."""

    is_native: bool
    most_words: int
    counting: Callable[[], Counting]
    sums: Callable[[int, int, int], Sums]
