"""Bytes to words to counts per length.

A word is a letter, then letters and combining marks (``\\p{L}[\\p{L}\\p{M}]*``), as long as possible, then
lower case, then NFC. Its length is its number of code points after that. An invalid UTF-8 byte is a
separator. What is a letter comes from the ``regex`` package, not from the running Python's older tables, so
that the same words are counted on every machine (docs/decisions/0001).
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from lambda_src.jobs.top_words.letters import VERSION

RULES = f"3 {VERSION} unicode {unicodedata.unidata_version}"
"""Identifies the rules for words and their owners: counts made by other rules must not be summed with
ours."""

LONGEST = 20
"""Words of 1 to ``LONGEST`` code points are ranked; longer ones are only counted."""

MAX_RANKED_SPELLING = 4 * LONGEST
"""NFC joins at most four code points into one, so a longer word exceeds ``LONGEST`` in any form. It is not
normalized, because NFC takes quadratic time to sort marks."""

_SEPARATOR = 0x20
_FOLD = bytes(
    byte if byte >= 0x80 else ord(chr(byte).lower()) if chr(byte).isalpha() else _SEPARATOR
    for byte in range(256)
)


class WordCounts(NamedTuple):
    """``by_length[n - 1]`` counts each word of ``n`` code points; ``longer_words`` all words above
    ``LONGEST``."""

    by_length: list[dict[str, int]]
    longer_words: int


SETTLE_BYTES = 64 << 20
SETTLE_STRETCHES = 1_000_000
"""A block turns its stretches into words after this much text, or this many distinct stretches. Where a whole
sentence is one stretch, hardly any stretch repeats."""

SPILL_WORDS = 2_000_000
SPILL_BYTES = 64 << 20
"""Distinct words that are counted together in memory. If a block has more, they are written to its lines and
counting starts over, so a word may be in several objects of a line."""


def is_full(text_bytes: int, stretches: int) -> bool:
    """Whether to turn the stretches of a block, found in ``text_bytes`` of text, into words."""
    return text_bytes >= SETTLE_BYTES or stretches >= SETTLE_STRETCHES


def are_many(words: int, word_bytes: int) -> bool:
    """Whether to write the settled words, of ``word_bytes`` together, to lines."""
    return words >= SPILL_WORDS or word_bytes >= SPILL_BYTES


def count_stretches(chunk: bytes, stretches: Counter[bytes]) -> None:
    """Add the stretches of ``chunk``, which cuts no token, to ``stretches``, ASCII letters in lower case. A
    stretch is the text between two ASCII separators: one token in most texts.

    Stays on bytes: splitting and counting run in C. Lower case first is safe, for it changes neither what
    is a letter nor how the other letters of a word are lowered.
    """
    stretches.update(chunk.translate(_FOLD).split())


def count_words(stretches: Mapping[bytes, int]) -> WordCounts:
    """The words of ``stretches``, each counted as often as its stretch: Unicode's rules are applied once per
    distinct stretch, and only to those with a byte >= 0x80."""
    by_length: list[dict[str, int]] = [{} for _ in range(LONGEST)]
    longer_words = 0
    for stretch, count in stretches.items():
        for word in (stretch.decode("ascii"),) if stretch.isascii() else words_of(stretch):
            if len(word) > LONGEST:
                longer_words += count
            else:
                counts = by_length[len(word) - 1]
                counts[word] = counts.get(word, 0) + count
    return WordCounts(by_length, longer_words)


@cache
def _word() -> Any:
    import regex  # noqa: PLC0415 - the kernel in C does without, and without the 40 ms that this takes

    return regex.compile(r"\p{L}[\p{L}\p{M}]*")


def words_of(stretch: bytes) -> list[str]:
    """The words of one stretch, in order. Those above ``LONGEST`` are not normalized: they are only counted.

    >>> words_of("naïve—Œuvre".encode())
    ['naïve', 'œuvre']
    """
    words = _word().findall(stretch.decode("utf-8", errors="replace"))
    return [
        unicodedata.normalize("NFC", word.lower()) if len(word) <= MAX_RANKED_SPELLING else word
        for word in words
    ]
