"""How many bytes of a text are letters, digits, white space and others: a job that is not a counting job."""

import string
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lambda_src.job import Context, Input, Job, Line, Mapped, Part, Place, Span
from lambda_src.records import delimited

KINDS = {
    "letters": string.ascii_letters.encode(),
    "digits": string.digits.encode(),
    "space": string.whitespace.encode(),
}
PARTS = (*KINDS, "others")
LINES = delimited("line", b"\n", longest_bytes=1 << 20)


def map_block(block: Span, source: Input, _context: Context) -> Mapped:
    """Count the bytes of the lines that begin in the block."""
    found = [0] * len(PARTS)

    def add(chunk: bytes, _at: Place) -> None:
        left = len(chunk)
        for number, kind in enumerate(KINDS.values()):
            of_kind = len(chunk) - len(chunk.translate(None, kind))
            found[number] += of_kind
            left -= of_kind
        found[-1] += left

    owned = source.feed(block, LINES, add)
    return Mapped(owned, [Line(msgspec.json.encode(found), found)], {})


def sum_up(_shard: int, lines: Iterable[bytes], _context: Context) -> Line:
    """One line instead of many: the job's ``combine`` and its ``reduce``."""
    found = [0] * len(PARTS)
    for line in lines:
        found = [one + more for one, more in zip(found, msgspec.json.decode(line), strict=True)]
    return Line(msgspec.json.encode(found), found)


def finish(reduced: Iterable[bytes], _context: Context) -> dict[str, Part]:
    """The results of the parts. There is a single shard, so there is one reduced line."""
    [line] = reduced
    return {
        kind: Part(count, {"bytes": count})
        for kind, count in zip(PARTS, msgspec.json.decode(line), strict=True)
    }


def summarize(
    context: Context, _extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The answer: the size of the input, and the bytes of each kind."""
    return {**context.facts, "kinds": {kind: result["bytes"] for kind, result in results.items()}}


JOB = Job(
    rules="1",
    part="kind",
    parts=PARTS,
    map=map_block,
    combine=sum_up,
    reduce=sum_up,
    finish=finish,
    summarize=summarize,
)
