"""Summing counts, and the most frequent words of a sum."""

import heapq
from collections.abc import Mapping

TOP = 10


def add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    """Add ``more`` to ``counts`` in place."""
    for word, count in more.items():
        counts[word] = counts.get(word, 0) + count


def top(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The ``TOP`` most frequent words: count descending, then word ascending by code point.

    >>> top({"b": 1, "a": 1, "c": 2})
    [('c', 2), ('a', 1), ('b', 1)]
    """
    return heapq.nsmallest(TOP, counts.items(), key=lambda entry: (-entry[1], entry[0]))
