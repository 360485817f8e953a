"""A job for tests that keeps all laws: how many lines are even, and how many are odd. A key is a line."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from lambda_src.job import Context, Input, Job, Line, Mapped, Part, Place, Span
from lambda_src.records import delimited

PARITIES = ("even", "odd")
LINES = delimited("line", b"\n", 1 << 20)


def map_lines(block: Span, source: Input, context: Context) -> Mapped:
    """The line of a shard has two numbers: how many lines are even, and how many are odd."""
    shards = context.shards
    counts = [[0, 0] for _ in range(shards.count)]

    def add(chunk: bytes, _at: Place) -> None:
        for line in chunk.removesuffix(b"\n").split(b"\n"):
            part = len(line) % 2
            counts[part if shards.by == "part" else shards.of_key(line)][part] += 1

    owned = source.feed(block, LINES, add)
    return Mapped(owned, [line_of(*both) for both in counts], {"blocks_with_lines": 0})


def line_of(even: int, odd: int) -> Line:
    return Line(b"%d %d" % (even, odd), [even, odd])


def sum_lines(_shard: int, lines: Iterable[bytes], _context: Context) -> Line:
    even = odd = 0
    for line in lines:
        more_even, more_odd = map(int, line.split())
        even, odd = even + more_even, odd + more_odd
    return line_of(even, odd)


def reduce_lines(shard: int, lines: Iterable[bytes], context: Context) -> Line:
    """The parts that the shard can hold, with their lines."""
    summed = sum_lines(shard, lines, context)
    parts = context.shards.parts_of(shard, list(zip(PARITIES, summed.observed, strict=True)))
    return summed._replace(data=msgspec.json.encode(dict(parts)))


def finish_lines(reduced: Iterable[bytes], _context: Context) -> dict[str, Part]:
    found: Counter[str] = Counter()
    for one in reduced:
        for part, lines in msgspec.json.decode(one, type=dict[str, int]).items():
            found[part] += lines
    return {part: Part(lines, {"lines": lines}) for part, lines in found.items()}


def summarize(context: Context, extras: Any, results: Any) -> dict[str, Any]:
    lines = {part: result["lines"] for part, result in results.items()}
    return {**context.facts, **extras, "lines": lines}


HONEST = Job(
    rules="1",
    part="parity",
    parts=PARITIES,
    map=map_lines,
    combine=sum_lines,
    reduce=reduce_lines,
    finish=finish_lines,
    summarize=summarize,
    sharded_by=("part", "key"),
)
