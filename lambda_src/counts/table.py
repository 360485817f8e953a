"""What sums counts of keys: there is one in C, and one in Python for where the layer lacks the library. Both
give the same bytes.

A block has a *line* for each part of each shard. A line has pieces with tabs between: objects that map a key
to its counts, ``{"key":1}`` or, of several columns, ``{"key":[1,2]}``; and arrays of sums by name,
``["name",1]``, which belong to the part and to no key. By key, those are in the first shard. A key or a name
may be in several pieces, and is once in each. The lines of a shard by key have newlines between; by part, a
shard is one line.

A table may have *inner keys*: ``outer\\0name``, the numbers of something that belongs to the key ``outer``,
such as a step of its histogram. They go to the shard and the pass of that key, and are shown with it.
Their count in the first column is 0. No other key of such a table has a NUL.
"""

import functools
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from lambda_src.errors import JobContractViolated
from lambda_src.job import Line, Shards
from lambda_src.sorted_rows import SortedRows

MOST_COLUMNS = 16
MOST_NAMES = 10_000
"""Of sums of a part. There may be any number of keys."""

MOST_ROW_KEY_BYTES = 1000
MOST_DIGITS = 18
"""Of a number in a row, with its point."""

LEAST, MOST = -(1 << 63), (1 << 63) - 1
"""Counts have 64 bits."""


class Column(NamedTuple):
    """One of the numbers that a key has, and what two of them make."""

    name: str
    kind: Literal["sum", "min", "max"] = "sum"


KINDS = ("sum", "min", "max")
"""In the order of the numbers that counts.c gives them."""


class Limits(NamedTuple):
    """What a table may hold: keys, and bytes of their texts."""

    keys: int
    text_bytes: int


class Takes(NamedTuple):
    """Which keys a table takes: those of pass ``number`` of ``passes``, each over some of the keys. With
    ``shards``, all keys must be of ``shard``. At most ``limits``, by default what fits into the memory of a
    reducer (docs/memory.md)."""

    shards: Shards | None = None
    shard: int = 0
    number: int = 0
    passes: int = 1
    limits: Limits | None = None


FEW = Limits(1000, 1 << 20)
"""What ``best_of_all`` may always take beside a table: the parts of one key could leave less."""

EVERY_KEY = Takes()


class Summed(NamedTuple):
    """What a part has: ``totals`` over all its keys, by column (none if it has no keys); ``sums`` by name;
    and for each column that was asked for, the first keys in its order, with their counts by column."""

    totals: Sequence[int]
    sums: Mapping[str, int]
    best: Sequence[Mapping[str, Sequence[int]]]


class Rows(NamedTuple):
    """Rows of ``text``: a key, the byte ``separator``, and a number with ``decimals``, which counts without
    its point."""

    text: bytes
    separator: bytes
    decimals: int


class RowsAdded(NamedTuple):
    """Where the next row begins, and rows of another form, which were not added."""

    next_at: int
    others: list[bytes]


class Table(Protocol):
    """Sums of the keys of all parts. An error ends it."""

    def __init__(
        self, parts: int, kinds: Sequence[str], takes: Takes = EVERY_KEY, has_inner: bool = False
    ) -> None:
        """``kinds`` are those of the columns. With ``has_inner``, keys may have inner ones."""

    def add(self, data: bytes, first: int, parts: int) -> None:
        """Add the lines of ``parts`` parts, from number ``first`` on, with newlines between. Raises
        BlobDamaged, TooManyDistinct, OutOfMemory."""

    def add_rows(self, part: int, rows: Rows, at: int, limits: Limits) -> RowsAdded:
        """Add ``rows`` from ``at`` on until all are added or the table holds ``limits``. A row counts 1 in
        the first column, and its number in all others. Raises BlobDamaged, OutOfMemory."""

    def is_full(self, limits: Limits) -> bool:
        """Whether it holds as much as ``limits``."""

    def write(self, shards: Shards) -> None:
        """Write what it holds to the lines of ``shards``, as one more piece of each, and forget it. Raises
        TooManyDistinct where lines are too long to be read, OutOfMemory."""

    def lines(self, shards: Shards) -> list[Line]:
        """Write what it holds; the lines of all ``shards``. This ends the table. Raises as ``write``."""

    def rows(self, part: int, most_bytes: int) -> Iterator[SortedRows]:
        """All keys of ``part`` in the order of their bytes, in chunks of about ``most_bytes``. Nothing can be
        added afterwards, or written to lines. Raises OutOfMemory."""

    def summed(self, parts: range, columns: Sequence[int], top: int) -> list[Summed]:
        """The sums of ``parts``, with the ``top`` first keys of each by each of ``columns``: highest first,
        of a minimum lowest first, ties by code point. A key that has 0 of a sum is in no ranking by it. Inner
        keys follow them, in any order. This ends the table. Raises OutOfMemory."""

    def best_of_all(self, parts: range, column: int, top: int) -> Mapping[str, Sequence[int]]:
        """The ``top`` first keys over all ``parts`` by ``column``, as ``summed`` ranks them, of a table
        without inner keys: what a key has in several parts is combined. Raises TooManyDistinct where that
        takes more than ``limits``, OutOfMemory, BlobDamaged."""


COMBINE: Mapping[str, Callable[[int, int], int]] = {"sum": int.__add__, "min": min, "max": max}


INNER = "\0"
"""Stands between a key and the name of an inner one."""


def outer_of(key: str) -> str:
    """The key that an inner one belongs to; any other belongs to itself.

    >>> outer_of("a\\0b"), outer_of("a")
    ('a', 'a')
    """
    return key.partition(INNER)[0]


def with_inner(
    best: Mapping[str, Sequence[int]], keys: Mapping[str, Sequence[int]]
) -> dict[str, Sequence[int]]:
    """``best`` with the inner ones of ``keys``.

    >>> with_inner({"a": [2]}, {"a": [2], "b": [1], "a\\0x": [0], "b\\0x": [0]})
    {'a': [2], 'a\\x00x': [0]}
    """
    inner = {key: counts for key, counts in keys.items() if INNER in key and outer_of(key) in best}
    return {**best, **inner}


def best_of(keys: Mapping[str, Sequence[int]], column: int, kind: str, top: int) -> dict[str, Sequence[int]]:
    """The ``top`` first ones of ``keys``, as ``Table.summed`` ranks them.

    >>> best_of({"b": [1], "a": [1], "c": [2], "d": [0]}, 0, "sum", 3)
    {'c': [2], 'a': [1], 'b': [1]}
    """
    sign = 1 if kind == "min" else -1
    ranked = (key for key, counts in keys.items() if counts[column] or kind != "sum")
    best = heapq.nsmallest(top, ranked, key=lambda key: (sign * keys[key][column], key))
    return {key: keys[key] for key in best}


def merged(summed: Sequence[Summed], kinds: Sequence[str], columns: Sequence[int], top: int) -> Summed:
    """What ``summed``, of different keys of one part, are together."""
    totals = [
        functools.reduce(COMBINE[kind], numbers)
        for kind, numbers in zip(
            kinds, zip(*(one.totals for one in summed if one.totals), strict=True), strict=False
        )
    ]
    sums: dict[str, int] = {}
    for one in summed:
        for name, number in one.sums.items():
            sums[name] = sums.get(name, 0) + number
    best = []
    for place, column in enumerate(columns):
        keys = {key: counts for one in summed for key, counts in one.best[place].items()}
        best.append(best_of(keys, column, kinds[column], top))
    return Summed(totals, sums, best)


def text_bytes_of(key: str) -> int:
    """The bytes of a key that counts.c holds beside its entry."""
    size = len(key.encode())
    return size if size > 16 else 0


def check_names(count: int) -> None:
    """Raise JobContractViolated if ``count`` sums by name are too many for a part."""
    if count > MOST_NAMES:
        raise JobContractViolated(
            f"A part has more than {MOST_NAMES:,} sums by name: add keys instead; their number is not "
            "limited."
        )


def by_shard(shards: Shards, parts: int, lines: Sequence[bytes], observed: Sequence[int]) -> list[Line]:
    """``lines`` by shard and part, which observed that, as the lines of shards.

    >>> by_shard(Shards("part", 2, "run"), 2, [b"{1}", b""], [1, 0])
    [Line(data=b'{1}', observed=[1, 0]), Line(data=b'', observed=[0, 0])]
    >>> by_shard(Shards("key", 1, "run"), 2, [b"{1}", b""], [1, 0])
    [Line(data=b'{1}\\n', observed=[1, 0])]
    """
    if shards.by == "part":
        nothing = [0] * parts
        return [
            Line(line, [*nothing[:part], observed[part], *nothing[part + 1 :]])
            for part, line in enumerate(lines)
        ]
    return [
        Line(b"\n".join(lines[start : start + parts]), list(observed[start : start + parts]))
        for start in range(0, len(lines), parts)
    ]


def sizes_by_shard(shards: Shards, parts: int, sizes: Sequence[int]) -> list[int]:
    """The sizes of the lines of shards, of lines by shard and part that have these."""
    if shards.by == "part":
        return list(sizes)
    return [sum(sizes[start : start + parts]) + parts - 1 for start in range(0, len(sizes), parts)]
