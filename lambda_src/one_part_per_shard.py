"""Jobs whose shards are parts, and which reduce each part by itself."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lambda_src.job import Context, Line, Part

ReducePart = Callable[[str, Iterable[bytes]], Part]


def lines_of(lines: Sequence[bytes], observations: Sequence[int]) -> list[Line]:
    """One line for each part, which made these ``observations``."""
    return [line_of(number, line, observations) for number, line in enumerate(lines)]


def line_of(number: int, line: bytes, observations: Sequence[int]) -> Line:
    """The line of one part."""
    return Line(line, [count if number == other else 0 for other, count in enumerate(observations)])


def combining(parts: Sequence[str], reduce: ReducePart) -> Callable[[int, Iterable[bytes], Context], Line]:
    """``combine`` of a job whose lines can be joined by tabs."""

    def combine(shard: int, lines: Iterable[bytes], _context: Context) -> Line:
        joined = b"\t".join(sorted(line for line in lines if line != b"{}")) or b"{}"
        observed = [0] * len(parts)
        observed[shard] = reduce(parts[shard], [joined]).observations
        return Line(joined, observed)

    return combine


def reducing(parts: Sequence[str], reduce: ReducePart) -> Callable[[int, Iterable[bytes], Context], Line]:
    """``reduce`` of a job that has ``reduce`` for a part."""

    def reduce_shard(shard: int, lines: Iterable[bytes], _context: Context) -> Line:
        found = reduce(parts[shard], lines)
        observed = [0] * len(parts)
        observed[shard] = found.observations
        return Line(msgspec.json.encode((parts[shard], found)), observed)

    return reduce_shard


def finish(reduced: Iterable[bytes], _context: Context) -> Mapping[str, Part]:
    """``finish`` of such a job."""
    found: dict[str, Part] = {}
    for one in reduced:
        part, (observations, result) = msgspec.json.decode(one, type=tuple[str, tuple[int, dict[str, Any]]])
        found[part] = Part(observations, result)
    return found
