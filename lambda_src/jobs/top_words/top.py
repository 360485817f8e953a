"""Summing counts, and the most frequent words of a sum."""

import heapq
import zlib
from collections.abc import Mapping

TOP = 10


def add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    """Add ``more`` to ``counts`` in place."""
    for word, count in more.items():
        counts[word] = counts.get(word, 0) + count


def part_of(counts: Mapping[str, int], part: int, parts: int) -> dict[str, int]:
    """The words of ``counts`` that belong to ``part``; each word belongs to one of ``parts``.

    >>> counts = {"a": 1, "b": 2, "c": 3}
    >>> part_of(counts, 0, 2) | part_of(counts, 1, 2) == counts
    True
    """
    return {word: count for word, count in counts.items() if zlib.crc32(word.encode()) % parts == part}


def top(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The ``TOP`` most frequent words: count descending, then word ascending by code point.

    >>> top({"b": 1, "a": 1, "c": 2})
    [('c', 2), ('a', 1), ('b', 1)]
    """
    return heapq.nsmallest(TOP, counts.items(), key=lambda entry: (-entry[1], entry[0]))
