"""Jobs that count keys, which nearly all jobs are: a job says what is counted, the rest is here.

A counting job adds keys to parts, each with a number for each of its columns, such as paths to hours with
requests and bytes. The result of a part has the totals of its columns, and its first keys by each of them.
Sums that belong to a part and to no key have a name.
"""

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from lambda_src.counts.adding import SPILL, Add, Counted, TextCounter
from lambda_src.counts.figures import COUNTING
from lambda_src.counts.inner import Inner
from lambda_src.counts.library import COUNTS, find_library
from lambda_src.counts.table import MOST_COLUMNS, Column, Summed, Table, Takes, best_of, merged
from lambda_src.errors import JobContractViolated, TooManyDistinct
from lambda_src.job import (
    PLAIN,
    CompleteSums,
    Context,
    Input,
    Job,
    Line,
    Mapped,
    Part,
    Place,
    RowWriter,
    Shards,
    Shown,
    Span,
)
from lambda_src.records import LINES, Rule

__all__ = [
    "LINES",
    "Add",
    "Column",
    "Counted",
    "Counter",
    "Inner",
    "OverParts",
    "Ranked",
    "Shown",
    "Sums",
    "counts_job",
]

MERGED_AT_ONCE = 16
"""Reduced shards: all of a large run may not fit into memory."""


_ALL = ""
"""Stands for all parts in a reducer's line, in place of a part's label."""

ROWS_BYTES = 64 << 10
"""Of rows that are written at once: who merges many shards holds as much of each."""


class OverParts(NamedTuple):
    """Asks for the first keys by a column over the first ``parts`` of a job's parts."""

    column: str
    parts: int


class Ranked(NamedTuple):
    """A key with its counts by column."""

    key: str
    counts: Mapping[str, int]


class Sums(NamedTuple):
    """What a part has: the ``totals`` of its columns over all keys; its sums by name; and by column its first
    keys, the highest ones, or of a minimum the lowest ones. Without keys, only sums have a total."""

    totals: Mapping[str, int]
    named: Mapping[str, int]
    best: Mapping[str, Sequence[Ranked]]
    of_all: Sequence[Ranked] | None = None
    """The first keys over all parts, of a job with ``over_parts``, if its reducers rank them."""


class Counter(Protocol):
    """Counts one block. An error ends it."""

    def add(self, chunk: bytes, at: Place, /) -> None:
        """Count a chunk that holds whole records of one object and begins at a place."""

    def lines(self) -> Counted:
        """What was counted. This ends the counting."""


Show = Callable[[str, Sums], Mapping[str, Any]]
"""``show(part, sums)`` is the result of a part, as JSON."""

Summarize = Callable[[Context, Mapping[str, int], Mapping[str, Mapping[str, Any]]], dict[str, Any]]


def show_all(_part: str, sums: Sums) -> dict[str, Any]:
    """All totals, sums by name and first keys."""
    one = len(sums.best) == 1
    best = {
        "top" if one else f"top_{column}": [{"key": key, **counts} for key, counts in ranked]
        for column, ranked in sums.best.items()
    }
    return {**sums.totals, **sums.named, **best}


def summarize_all(
    context: Context, extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The run's facts, its extras, and all results by part."""
    return {**context.facts, **extras, "results": dict(results)}


def counts_job(
    *,
    part: str,
    parts: Sequence[str],
    rules: str,
    records: Rule | Callable[[Any], Rule] = LINES,
    count: Callable[[bytes, Add], None] | None = None,
    counter: Callable[[Context], Counter] | None = None,
    key: str = "key",
    columns: Sequence[str | Column] = ("count",),
    top: int | Callable[[Any], int] = 10,
    ranked_by: Sequence[str] | None = None,
    unranked: Callable[[Any], Collection[str]] | None = None,
    inner: Inner | None = None,
    over_parts: OverParts | None = None,
    show: Show = show_all,
    summarize: Summarize = summarize_all,
    shown: Shown = PLAIN,
    **more: Any,
) -> Job:
    """A job that counts keys.

    ``count(text, add)`` gets whole ``records`` of one object and adds what they hold. Native code has a
    ``counter`` instead, which makes what counts one block. ``key`` says what a key is. The first of
    ``columns`` is a sum, and is what is observed. Results have the ``top`` first keys by each column, or by
    those that are named in ``ranked_by``. The headline, unless ``shown`` has one, is the total of the first
    column.

    With ``inner``, keys may have inner ones, whose count in the first column is 0 (``table``).

    With ``over_parts``, ``show`` is given the first keys over several parts, too (``Sums.of_all``). Reducers
    are by key then, for one that is by part sees no other.

    ``records`` and ``top`` may depend on the run's options. So do the keys that are counted, but in no
    ranking: ``unranked``.

    Raises JobContractViolated for columns that cannot be counted, and unless there is one of ``count`` and
    ``counter``.
    """
    all_columns = [column if isinstance(column, Column) else Column(column) for column in columns]
    names = [column.name for column in all_columns]
    kinds = [column.kind for column in all_columns]
    _check_columns(names, kinds)
    if count and not counter:
        counter = functools.partial(_text_counter, count, parts, kinds)
    elif count or not counter:
        raise JobContractViolated("A counting job has either count or counter.")
    counting = _Counting(
        parts=parts,
        records=records,
        kinds=kinds,
        columns=names,
        ranked=[names.index(name) for name in (names if ranked_by is None else ranked_by)],
        top=top,
        unranked=unranked,
        inner=inner,
        over_parts=over_parts,
        show=show,
        counter=counter,
    )
    if not shown.headline and show is show_all and summarize is summarize_all:
        what = "counted" if names[0] == "count" else names[0]
        shown = Shown(shown.title, f"{{{names[0]}:,}} {what}", shown.tables)
    return Job(
        rules=rules,
        part=part,
        parts=parts,
        map=counting.map,
        combine=counting.combine,
        reduce=counting.reduce,
        finish=counting.finish,
        summarize=summarize,
        shown=shown,
        **{
            "sharded_by": ("key",) if over_parts else ("part", "key"),
            "figures": COUNTING,
            "complete": CompleteSums(key, names, counting.reduce_and_write),
            **more,
        },
    )


def _check_columns(names: Sequence[str], kinds: Sequence[str]) -> None:
    if not 1 <= len(names) <= MOST_COLUMNS:
        raise JobContractViolated(f"A counting job has 1 to {MOST_COLUMNS} columns, not {len(names)}.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise JobContractViolated(
            f"A counting job's columns differ, but two columns have the name {twice[0]!r}."
        )
    if kinds[0] != "sum":
        raise JobContractViolated(f"A counting job's first column must be a sum, not a {kinds[0]}.")


class _Counting(Struct, frozen=True):
    parts: Sequence[str]
    records: Rule | Callable[[Any], Rule]
    kinds: Sequence[str]
    columns: Sequence[str]
    ranked: Sequence[int]
    top: int | Callable[[Any], int]
    unranked: Callable[[Any], Collection[str]] | None
    inner: Inner | None
    over_parts: OverParts | None
    show: Show
    counter: Callable[[Context], Counter]

    def map(self, block: Span, source: Input, context: Context) -> Mapped:
        """Count what ``block`` owns. Raises TooManyDistinct, OutOfMemory, SourceNotText."""
        counter = self.counter(context)
        records = self.records if isinstance(self.records, Rule) else self.records(context.options)
        owned = source.feed(block, records, counter.add)
        counted = counter.lines()
        return Mapped(owned, counted.lines, counted.extras, counted.findings)

    def combine(self, shard: int, lines: Iterable[bytes], context: Context) -> Line:
        """One line of the keys of all ``lines``. Raises BlobDamaged, TooManyDistinct, OutOfMemory."""
        by_part = context.shards.by == "part"
        alone = context.shards if by_part else Shards("key", 1, context.shards.run_id)
        table = table_type()(len(self.parts), self.kinds, Takes(context.shards, shard), bool(self.inner))
        for line in lines:
            table.add(line, *self._span(shard, context))
            if table.is_full(SPILL):
                table.write(alone)
        return table.lines(alone)[shard if by_part else 0]

    def _span(self, shard: int, context: Context) -> tuple[int, int]:
        """The first part that a shard can hold, and how many these are."""
        return (shard, 1) if context.shards.by == "part" else (0, len(self.parts))

    def reduce(self, shard: int, lines: Iterable[bytes], context: Context) -> Line:
        """The totals and the first keys of each part of a shard. Raises BlobDamaged, OutOfMemory."""
        return self.reduce_and_write(shard, lines, context, None)

    def reduce_and_write(
        self, shard: int, lines: Iterable[bytes], context: Context, writer: RowWriter | None
    ) -> Line:
        """``reduce``; all keys go to ``writer``, too. Raises as both."""
        passes = 1
        while True:
            try:
                return self._reduced(shard, lines, context, passes, writer)
            except TooManyDistinct:
                passes *= 4
                if writer:
                    writer.start_over()

    def _reduced(
        self, shard: int, lines: Iterable[bytes], context: Context, passes: int, writer: RowWriter | None
    ) -> Line:
        """``reduce``, from ``passes`` over the lines, each over some of the keys. Raises TooManyDistinct if
        one has too many."""
        first, parts = self._span(shard, context)
        top = self._top(context)
        unranked = self.unranked(context.options) if self.unranked else ()
        found, of_all = [], []
        for number in range(passes):
            takes = Takes(context.shards, shard, number, passes)
            table = table_type()(len(self.parts), self.kinds, takes, bool(self.inner))
            for line in lines:
                table.add(line, first, parts)
            if writer:
                writer.begin_pass()
                for part in range(first, first + parts):
                    for rows in table.rows(part, ROWS_BYTES):
                        writer.add(part, rows)
            if self.over_parts and context.shards.by == "key":
                column = self.columns.index(self.over_parts.column)
                of_all.append(table.best_of_all(range(self.over_parts.parts), column, top))
            summed = self._summed(table, range(first, first + parts), top + len(unranked))
            found.append([_without(unranked, one, top) for one in summed] if unranked else summed)
        summed = [self._merged(of_part, top) for of_part in zip(*found, strict=True)]
        observed = [0] * len(self.parts)
        observed[first : first + parts] = [one.totals[0] if one.totals else 0 for one in summed]
        told = dict(zip(self.parts[first : first + parts], summed, strict=True))
        if of_all:
            told[_ALL] = Summed([], {}, [self._first_of_all(of_all, top)])
        return Line(msgspec.json.encode(told), observed)

    def _first_of_all(
        self, found: Iterable[Mapping[str, Sequence[int]]], top: int
    ) -> dict[str, Sequence[int]]:
        """The first keys over all parts, of those of several passes or shards."""
        assert self.over_parts  # noqa: S101 - who has none does not ask
        column = self.columns.index(self.over_parts.column)
        return best_of(
            {key: counts for of_one in found for key, counts in of_one.items()},
            column,
            self.kinds[column],
            top,
        )

    def _summed(self, table: Table, parts: range, top: int) -> list[Summed]:
        """What ``table`` has, with figures in place of inner keys."""
        if not self.inner:
            return table.summed(parts, self.ranked, top)
        if not self.inner.rank:
            summed = table.summed(parts, self.ranked, top)
            return [one._replace(best=[self.inner.told(best) for best in one.best]) for one in summed]
        best = [self.inner.first_of_rows(table.rows(part, ROWS_BYTES), top) for part in parts]
        return [
            one._replace(best=[of_part])
            for one, of_part in zip(table.summed(parts, [], 0), best, strict=True)
        ]

    def _top(self, context: Context) -> int:
        return self.top if isinstance(self.top, int) else self.top(context.options)

    def _merged(self, summed: Sequence[Summed], top: int) -> Summed:
        if len(summed) == 1:
            return summed[0]
        if not (self.inner and self.inner.rank):
            return merged(summed, self.kinds, self.ranked, top)
        best = self.inner.first((pair for one in summed for pair in one.best[0].items()), top)
        return merged(summed, self.kinds, [], top)._replace(best=[best])

    def finish(self, reduced: Iterable[bytes], context: Context) -> dict[str, Part]:
        """The results of the parts that ``reduced`` shards can hold."""
        top = self._top(context)
        found: dict[str, list[Summed]] = {}
        of_all: dict[str, Sequence[int]] | None = None
        for data in reduced:
            for part, summed in msgspec.json.decode(data, type=dict[str, Summed]).items():
                if part == _ALL:
                    of_all = self._first_of_all([of_all or {}, *summed.best], top)
                    continue
                of_part = found.setdefault(part, [])
                of_part.append(summed)
                if len(of_part) == MERGED_AT_ONCE:
                    found[part] = [self._merged(of_part, top)]
        return {
            part: self._shown(part, self._merged(found[part], top), of_all)
            for part in self.parts
            if part in found
        }

    def _shown(self, part: str, summed: Summed, of_all: Mapping[str, Sequence[int]] | None) -> Part:
        totals = summed.totals or [0 for _ in self.kinds]
        columns = (*self.columns, *(self.inner.names if self.inner else ()))
        sums = Sums(
            {
                name: total
                for name, kind, total in zip(self.columns, self.kinds, totals, strict=True)
                if summed.totals or kind == "sum"
            },
            summed.sums,
            {
                self.columns[column]: _ranked(best, columns)
                for column, best in zip(self.ranked, summed.best, strict=True)
            },
            None if of_all is None else _ranked(of_all, self.columns),
        )
        return Part(totals[0], self.show(part, sums))


def _ranked(found: Mapping[str, Sequence[int]], columns: Sequence[str]) -> list[Ranked]:
    return [Ranked(key, dict(zip(columns, counts, strict=True))) for key, counts in found.items()]


def _without(unranked: Collection[str], summed: Summed, top: int) -> Summed:
    """``summed`` with the ``top`` first of its keys that may be ranked. It has all keys that come first."""
    best = [
        dict(itertools.islice(((key, of_key) for key, of_key in keys.items() if key not in unranked), top))
        for keys in summed.best
    ]
    return summed._replace(best=best)


def _text_counter(
    count: Callable[[bytes, Add], None], parts: Sequence[str], kinds: Sequence[str], context: Context
) -> Counter:
    return TextCounter(count, Add(parts, kinds, context, table_type()(len(parts), kinds)))


def table_type() -> type[Table]:
    """What sums counts in this process. The other one is not imported: every cold start would pay for it."""
    if find_library(COUNTS):
        from lambda_src.counts import c_counts  # noqa: PLC0415

        return c_counts.Table
    from lambda_src.counts import python_counts  # noqa: PLC0415

    return python_counts.Table
