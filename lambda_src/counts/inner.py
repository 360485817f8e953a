"""Keys that have inner ones (``table``): what a reducer reports about those, and ranking by it."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lambda_src.counts.table import INNER
from lambda_src.sorted_rows import BETWEEN, SortedRows, counts_of, key_of

Counts = Sequence[int]


class Inner(NamedTuple):
    """What a job whose keys have inner ones says of them.

    A reducer has all inner keys of a key, by name, and ``figures`` makes a few numbers of them. These follow
    the key's counts, as columns that are called ``names``. With ``rank``, keys come in the order of what it
    makes of all these, highest first; one with None is left out.
    """

    names: Sequence[str]
    figures: Callable[[Mapping[str, Counts]], Counts]
    rank: Callable[[Counts], int | None] | None = None

    def told(self, best: Mapping[str, Counts]) -> dict[str, Counts]:
        """``best`` with figures in place of inner keys."""
        inner: dict[str, dict[str, Counts]] = {}
        for key, counts in best.items():
            if INNER in key:
                outer, _, name = key.partition(INNER)
                inner.setdefault(outer, {})[name] = counts
        return {
            key: [*counts, *self.figures(inner.get(key, {}))]
            for key, counts in best.items()
            if INNER not in key
        }

    def first_of_rows(self, rows: Iterable[SortedRows], top: int) -> dict[str, Counts]:
        """The ``top`` first keys of all ``rows``, with their figures."""
        return self.first(
            ((key, [*counts, *self.figures(inner)]) for key, counts, inner in _keys_in(rows)), top
        )

    def first(self, keys: Iterable[tuple[str, Counts]], top: int) -> dict[str, Counts]:
        """The ``top`` first ones of ``keys``, by ``rank``; ties by code point."""
        assert self.rank  # noqa: S101 - who ranks by columns has no use for this
        ranks = ((self.rank(counts), key, counts) for key, counts in keys)
        ranked = ((-rank, key, counts) for rank, key, counts in ranks if rank is not None)
        return {key: counts for _, key, counts in heapq.nsmallest(top, ranked, key=lambda one: one[:2])}


def _keys_in(rows: Iterable[SortedRows]) -> Iterator[tuple[str, Counts, dict[str, Counts]]]:
    """Each key with its counts and its inner keys, which come right behind it."""
    held: tuple[str, Counts, dict[str, Counts]] | None = None
    for chunk in rows:
        for row in chunk.data.split(BETWEEN):
            key, _, name = key_of(row).decode().partition(INNER)
            if not name:
                if held:
                    yield held
                held = key, counts_of(row), {}
            elif held:
                held[2][name] = counts_of(row)
    if held:
        yield held
