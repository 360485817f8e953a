"""A job whose answer is known without running it: unit u counts for key ``u % KEYS``, and adds u to its sum.

So each key has a count and a sum in closed form for any range of units: a block that is lost, counted twice,
or replaced by another one shows in the answer. Other rules give other keys, so that lines of two versions of
the job cannot be mixed unnoticed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from lambda_src.figures import UNKNOWN, Figures
from lambda_src.job import Context, Input, Job, Line, Mapped, Part, ShardBy, Shards, Span
from lambda_src.records import delimited

KEYS = 24
PARTS = ("0", "1", "2", "3")
LINE = delimited("line", b"\n", 1 << 20)

Counts = dict[str, dict[str, list[int]]]
"""By part and key: the count and the sum of its units."""


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """How many times each unit counts."""

    weight: int = 1


def simulated_job(
    rules: str,
    sharded_by: Sequence[ShardBy],
    all_parts: Sequence[str] = PARTS,
    figures: Figures = UNKNOWN,
) -> Job:
    """The job by these rules."""

    def map_block(block: Span, source: Input, context: Context) -> Mapped:
        spans: list[Span] = []
        owned = source.feed(block, LINE, lambda chunk, _at: spans.append(Span(*map(int, chunk.split()))))
        counts = counted(spans, rules, context.options.weight, all_parts)
        shards = context.shards
        of_shards: list[Counts] = [{} for _ in range(shards.count)]
        for part, keys in counts.items():
            for key, found in keys.items():
                of_shards[_shard(shards, part, key, all_parts)].setdefault(part, {})[key] = found
        lines = [_line(counts, all_parts) for counts in of_shards]
        return Mapped(owned, lines, {"units": owned.end - owned.start})

    def summed(_shard: int, lines: Iterable[bytes], _context: Context) -> Line:
        return _line(_sum(lines), all_parts)

    def finish(reduced: Iterable[bytes], context: Context) -> Mapping[str, Part]:
        data = list(reduced)
        counts = _sum(data)
        parts = all_parts if context.shards.by == "key" else counts
        return {part: _part(counts.get(part, {})) for part in parts}

    def summarize(
        _context: Context, extras: Mapping[str, int], parts: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        return {"counts": {part: parts[part]["keys"] for part in all_parts}, "units": extras.get("units", 0)}

    return Job(
        rules=rules,
        part="part",
        parts=all_parts,
        map=map_block,
        combine=summed,
        reduce=summed,
        finish=finish,
        summarize=summarize,
        options=Options,
        sharded_by=sharded_by,
        finds_invalid_utf8=True,
        figures=figures,
    )


def counted(
    spans: Iterable[tuple[int, int]], rules: str, weight: int, parts: Sequence[str] = PARTS
) -> Counts:
    """What is counted in the units of ``spans``.

    >>> counted([Span(0, 20), Span(20, 25)], "r", 1)["0"]["r-0"], counted([Span(0, 30)], "r", 2)["1"]["r-1"]
    ([2, 24], [4, 52])
    """
    counts: Counts = {part: {} for part in parts}
    units = [Span(*span) for span in spans]
    for key in range(KEYS):
        found = [_of_key(span, key) for span in units]
        if number := sum(number for number, _ in found):
            total = sum(total for _, total in found)
            counts[parts[key % len(parts)]][f"{rules}-{key}"] = [number * weight, total * weight]
    return counts


def _of_key(units: Span, key: int) -> tuple[int, int]:
    """How many of ``units`` have this key, and their sum."""
    first = units.start + (key - units.start) % KEYS
    number = max(-(-(units.end - first) // KEYS), 0)
    return number, number * first + KEYS * (number * (number - 1) // 2)


@lru_cache(maxsize=1 << 14)
def _shard(shards: Shards, part: str, key: str, parts: Sequence[str]) -> int:
    return parts.index(part) if shards.by == "part" else shards.of_key(f"{part} {key}".encode())


def _line(counts: Counts, parts: Sequence[str]) -> Line:
    observed = [sum(number for number, _ in counts.get(part, {}).values()) for part in parts]
    return Line(msgspec.json.encode(counts), observed)


def _part(keys: Mapping[str, list[int]]) -> Part:
    return Part(sum(number for number, _ in keys.values()), {"keys": keys})


_decode = msgspec.json.Decoder(Counts).decode


def _sum(lines: Iterable[bytes]) -> Counts:
    numbers: Counter[tuple[str, str]] = Counter()
    totals: Counter[tuple[str, str]] = Counter()
    for line in lines:
        for part, keys in _decode(line).items():
            for key, (number, total) in keys.items():
                numbers[part, key] += number
                totals[part, key] += total
    counts: Counts = {}
    for (part, key), number in sorted(numbers.items()):
        counts.setdefault(part, {})[key] = [number, totals[part, key]]
    return counts
