"""What a kernel does: it counts the words of a block. There is one in C, and one in Python for when the layer
lacks the library. Both give the same bytes."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from lambda_src.input.findings import Invalid
from lambda_src.job import Line

LIBRARY = "fanfold.libs/kernel-13607c46.so"
"""The path of the compiled kernel.c in the layer, with a hash of the source. During a deployment, new code
can meet an old layer, and then counts in Python."""


LONGEST = 20
"""Words of 1 to ``LONGEST`` code points are ranked, unless options say otherwise."""


class Spelling(NamedTuple):
    """What a word is, how it is spelled, and how long one is that is ranked: see ``words``."""

    keeps_case: bool = False
    is_unicode: bool = False
    longest: int = LONGEST


PLAIN = Spelling()


class CountedWords(NamedTuple):
    """The counts of one block, as lines of counts whose parts are lengths; ``longer_words`` counts all words
    above the longest."""

    lines: list[Line]
    longer_words: int


class Joined(NamedTuple):
    """The number of joiners next to letters, and the place of the first: soft hyphens, ZWNJ, ZWJ and word
    joiners, which only Unicode's words have inside."""

    found: int
    first: int


class Noted(NamedTuple):
    """What a chunk has besides words. Nothing is ``joined`` where words are those of Unicode."""

    invalid: Invalid
    joined: Joined


class Counting(Protocol):
    """Counts the words of one block. An error ends it."""

    def add(self, chunk: bytes) -> Noted:
        """Count the stretches of ``chunk``, which cuts no token and no character. Raises TooManyDistinct,
        OutOfMemory."""

    def lines(self) -> CountedWords:
        """What was counted. This ends the counting. Raises OutOfMemory."""


class Kernel(NamedTuple):
    """``counting(shards, spelling)`` counts a block into lines of ``shards``."""

    is_native: bool
    counting: Callable[..., Counting]
