"""The kit of laws: every job of ours keeps them, and a job that breaks one is seen."""

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from fanfold.testing import LawBroken, check_job
from lambda_src.errors import FanfoldError
from lambda_src.input.objects import ANYWHERE
from lambda_src.job import (
    Concern,
    Context,
    Finding,
    Input,
    Job,
    Line,
    Mapped,
    Measured,
    Owned,
    Part,
    Place,
    RowWriter,
    Span,
    load,
    measure_bytes,
)
from lambda_src.sorted_rows import SortedRows
from tests.parity import HONEST, LINES, PARITIES, finish_lines, line_of, map_lines, reduce_lines, sum_lines

COMBINED = b'1.2.3.4 - - [22/Nov/2026:%02d:59:59 +0530] "GET /%d?b=c HTTP/1.1" %d 12 "-" "curl/8"\n'
INPUTS = {
    "top_words": {"a": "naïve Œuvre—it's a\nword a word ".encode() * 9, "b": b"", "c": b"word"},
    "access_log": {
        "1.log": b"".join(COMBINED % (hour, hour % 5, 500 + hour) for hour in range(24)) + b"junk\n\n\xff",
        "2.log": b"",
        "3.log": COMBINED.rstrip() % (1, 1, 200),
    },
    "column_permutations": {
        "table.csv": b"a,b,c,d,e\n"
        + b"".join(b"%d,%d,3,%d,0.%d\n" % (n, n * n, 7 * n % 5, n) for n in range(9))
    },
}


@pytest.mark.parametrize("name", INPUTS)
def test_every_job_keeps_the_laws(name: str) -> None:
    assert check_job(load(name), INPUTS[name])


OBJECTS = {"a": b"one\ntwo\n\nthree and more", "b": b"four\n", "c": b""}


def test_an_honest_job_keeps_them() -> None:
    assert check_job(HONEST, OBJECTS) == {
        "bytes": 28,
        "objects": 3,
        "blocks_with_lines": 0,
        "lines": {"even": 3, "odd": 2},
    }


def mapping(change: Callable[[Mapped], Mapped]) -> Job:
    """The honest job, with another result of map."""
    return replace(HONEST, map=lambda block, source, context: change(map_lines(block, source, context)))


def first_line(line: Line) -> Job:
    """The honest job, with another line of the first shard."""
    return mapping(lambda mapped: mapped._replace(lines=[line, *mapped.lines[1:]]))


def finishing(result: Callable[[int], Any]) -> Job:
    """The honest job, whose results hold what ``result`` makes of the number of lines."""

    def finish(reduced: Iterable[bytes], context: Context) -> dict[str, Part]:
        found = finish_lines(reduced, context)
        return {part: one._replace(result={"lines": result(one.observations)}) for part, one in found.items()}

    return replace(HONEST, finish=finish)


def reducing(result: Callable[[list[bytes]], Any]) -> Job:
    """The honest job, whose results hold what ``result`` makes of the lines of a shard."""

    def reduce(shard: int, lines: Iterable[bytes], context: Context) -> Line:
        every = list(lines)
        parts = context.shards.parts_of(shard, PARITIES)
        reduced = reduce_lines(shard, every, context)
        counts = msgspec.json.decode(reduced.data)
        return reduced._replace(
            data=msgspec.json.encode({part: [counts[part], result(every)] for part in parts})
        )

    def finish(reduced: Iterable[bytes], _context: Context) -> dict[str, Part]:
        (one,) = reduced
        found = msgspec.json.decode(one)
        return {part: Part(lines, {"lines": shown}) for part, (lines, shown) in found.items()}

    return replace(HONEST, reduce=reduce, finish=finish, sharded_by=("part",))


def combining(change: Callable[[Line], Line]) -> Job:
    """The honest job, with another result of combine."""
    return replace(HONEST, combine=lambda *given: change(sum_lines(*given)))


def says_where(block: Span, source: Input, context: Context) -> Mapped:
    """Its lines end with a space for each byte that lies before the block, which says nothing to reducers."""
    mapped = map_lines(block, source, context)
    lines = [line._replace(data=line.data + b" " * block.start) for line in mapped.lines]
    return mapped._replace(lines=lines)


def takes_a_name(reduced: Iterable[bytes], context: Context) -> dict[str, Part]:
    found = finish_lines(reduced, context)
    return {part: one._replace(result={"parity": 1}) for part, one in found.items()}


def finds_first_shard(reduced: Iterable[bytes], context: Context) -> dict[str, Part]:
    for one in reduced:
        return finish_lines([one], context)
    return {}


CALLS = count(1)


def keeps_state(mapped: Mapped) -> Mapped:
    return mapped._replace(lines=[line_of(next(CALLS), 0), *mapped.lines[1:]])


def counts_blocks(mapped: Mapped) -> Mapped:
    return mapped._replace(extras={"blocks_with_lines": 1})


def finds_blocks(mapped: Mapped) -> Mapped:
    return mapped._replace(findings={"odd": Finding(1, 0, None, [])})


def cuts_lines(block: Span, source: Input, context: Context) -> Mapped:
    lines = 0

    def add(chunk: bytes, _at: Place) -> None:
        nonlocal lines
        lines += len(chunk.splitlines())

    owned = source.feed(block, ANYWHERE, add)
    return Mapped(owned, [line_of(lines, 0), *[line_of(0, 0)] * (context.shards.count - 1)], {})


def fails_on_hostile_bytes(block: Span, source: Input, context: Context) -> Mapped:
    def add(chunk: bytes, _at: Place) -> None:
        chunk.decode()

    source.feed(block, LINES, add)
    return map_lines(block, source, context)


def refuses_hostile_bytes(block: Span, source: Input, context: Context) -> Mapped:
    try:
        return fails_on_hostile_bytes(block, source, context)
    except UnicodeDecodeError:
        raise FanfoldError("This is not UTF-8 text.") from None


def looks_at_the_first_byte(block: Span, source: Input, context: Context) -> Mapped:
    """Which is another object's, unless the block touches the first one."""
    header: list[bytes] = []
    source.feed(Span(0, 1), LINES, lambda chunk, _: header.append(chunk))
    assert header
    return map_lines(block, source, context)


def by_place(lines: Iterable[bytes]) -> int:
    return sum(sum(map(int, line.split())) * place for place, line in enumerate(lines))


def facts_of(value: Any) -> Callable[[Input], Measured]:
    return lambda source: measure_bytes(source)._replace(facts={"bytes": value(source)})


def test_hostile_bytes_may_be_refused_by_name() -> None:
    check_job(replace(HONEST, map=refuses_hostile_bytes), OBJECTS)


@pytest.mark.parametrize(
    ("job", "law"),
    [
        (replace(HONEST, rules=""), "rules and part have names"),
        (replace(HONEST, parts=["odd", "odd"]), "Each part needs a label of its own"),
        (replace(HONEST, parts=["1", "01"]), "Each part needs a label of its own"),
        (replace(HONEST, parts=["even", "o" * 65]), "1 to 64 characters"),
        (replace(HONEST, finish=takes_a_name), "A result's names are its own: parity is in every log line"),
        (replace(HONEST, summarize=lambda *_: {"blocks": 1}), "An answer's names are its own: blocks is one"),
        (
            mapping(lambda mapped: mapped._replace(lines=mapped.lines[:1])),
            "1 lines: it must give one per sha",
        ),
        (first_line(Line(b"1 0", [1])), "1 observations in a line: it must give one per part"),
        (first_line(line_of(-1, 0)), "negative number of observations"),
        (first_line(line_of(2, 1)), "observations of other parts in the line of parity even"),
        (first_line(Line("1 0", [1, 0])), "A line is bytes"),  # type: ignore[arg-type]
        (first_line(Line(b"1 0", list(np.array([1, 0])))), "of type int"),
        (
            first_line(Line(b"2 0", [0, 0])),
            "Observations are conserved: the blocks observed 0 in parity even, and reduce of shard 0 arrived "
            "at 2",
        ),
        (combining(lambda line: line_of(0, 0)), "and combine of shard"),
        (combining(lambda line: Line(b"0 0", line.observed)), "and reduce of shard"),
        (replace(finishing(lambda _: next(CALLS))), "reducing again gives the same"),
        (replace(HONEST, finish=finds_first_shard), "Observations are conserved"),
        (replace(HONEST, finish=lambda *_: {}), "finish gives the results of all parts"),
        (mapping(lambda mapped: mapped._replace(owned=Owned(0, 7))), "Owned spans chain"),
        (
            replace(HONEST, map=looks_at_the_first_byte),
            "map reads the objects of its own block",
        ),
        (
            replace(HONEST, map=says_where),
            "What lies before does not matter: map gave other lines for the same",
        ),
        (mapping(finds_blocks), "map gave the finding odd, which is not in the job's concerns"),
        (
            replace(mapping(finds_blocks), concerns={"odd": Concern("block", "is odd", "are odd")}),
            "Any cutting finds the same",
        ),
        (replace(HONEST, map=cuts_lines), "The answer of any cutting is that of one block"),
        (mapping(keeps_state), "Mapping a block again gives the same"),
        (mapping(counts_blocks), "The answer of any cutting is that of one block"),
        (reducing(len), "The answer of any cutting is that of one block"),
        (reducing(lambda lines: lines[0].decode()), "The order of lines does not matter"),
        (reducing(by_place), "The order of lines does not matter"),
        (reducing(lambda lines: next(CALLS)), "reducing again gives the same"),
        (finishing(lambda _: float("nan")), "JSON in UTF-8 cannot hold"),
        (finishing(lambda _: {1, 2}), "JSON in UTF-8 cannot hold"),
        (finishing(lambda _: "\ud800"), "JSON in UTF-8 cannot hold"),
        (finishing(lambda _: {1: 2}), "Keys are strings"),
        (finishing(lambda _: 10**39), "DynamoDB cannot hold the result of parity even"),
        (finishing(lambda _: 1e-200), "DynamoDB cannot hold the result of parity even"),
        (finishing(lambda _: "a" * 400_000), "an item has at most 400000 bytes"),
        (replace(HONEST, measure=facts_of(lambda source: {1, 2})), "cannot hold the run's facts"),
        (replace(HONEST, measure=facts_of(lambda _: next(CALLS))), "Measuring again"),
        (replace(HONEST, map=fails_on_hostile_bytes), "the job raised UnicodeDecodeError"),
    ],
)
def test_a_broken_law_is_seen_and_named(job: Job, law: str) -> None:
    with pytest.raises(LawBroken, match=law):
        check_job(job, OBJECTS)


def test_complete_sums_that_differ_from_what_was_counted_break_a_law() -> None:
    job = load("access_log")
    complete = job.complete
    assert complete

    class Twice:
        def __init__(self, writer: RowWriter) -> None:
            self.start_over, self.begin_pass = writer.start_over, writer.begin_pass
            self._add = writer.add

        def add(self, part: int, rows: SortedRows) -> None:
            self._add(part, rows)
            self._add(part, rows)

    def forgets(shard: int, lines: Iterable[bytes], context: Context, writer: RowWriter) -> Line:
        writer.begin_pass()
        return job.reduce(shard, lines, context)

    def repeats(shard: int, lines: Iterable[bytes], context: Context, writer: RowWriter) -> Line:
        return complete.reduce(shard, lines, context, Twice(writer))

    for reduce, law in ((forgets, "Complete sums have what was observed"), (repeats, "Complete sums ")):
        broken = msgspec.structs.replace(job, complete=complete._replace(reduce=reduce))
        with pytest.raises(LawBroken, match=law):
            check_job(broken, INPUTS["access_log"], examples=20)
