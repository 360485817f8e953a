"""The kit of laws: every job of ours keeps them, and a job that breaks one is seen."""

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from lambda_src.errors import FanfoldError
from lambda_src.input.objects import ANYWHERE
from lambda_src.job import (
    Concern,
    Finding,
    Input,
    Job,
    Mapped,
    Measured,
    Owned,
    Place,
    Reduced,
    Span,
    load,
    measure_bytes,
)
from lambda_src.records import delimited
from tests.laws import LawBroken, check_job

LINES = delimited("line", b"\n", 1 << 20)

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


def map_lines(block: Span, source: Input) -> Mapped:
    lines = [0, 0]

    def add(chunk: bytes, _at: Place) -> None:
        for line in chunk.removesuffix(b"\n").split(b"\n"):
            lines[len(line) % 2] += 1

    owned = source.feed(block, LINES, add)
    return Mapped(owned, [b"%d" % number for number in lines], lines, {"blocks_with_lines": 0})


def reduce_lines(_part: str, lines: Iterable[bytes]) -> Reduced:
    summed = sum(map(int, lines))
    return Reduced(summed, {"lines": summed})


def summarize(facts: Any, extras: Any, results: Any) -> dict[str, Any]:
    return {**facts, **extras, "lines": {part: result["lines"] for part, result in results.items()}}


HONEST = Job("1", "parity", ["even", "odd"], map_lines, reduce_lines, summarize)
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
    return replace(HONEST, map=lambda block, source: change(map_lines(block, source)))


def reducing(result: Callable[[list[bytes]], Any]) -> Job:
    """The honest job, whose results hold what ``result`` makes of the lines."""

    def reduce(part: str, lines: Iterable[bytes]) -> Reduced:
        every = list(lines)
        return Reduced(sum(map(int, every)), {"lines": result(every)})

    return replace(HONEST, reduce=reduce)


def takes_a_name(_part: str, lines: Iterable[bytes]) -> Reduced:
    summed = sum(map(int, lines))
    return Reduced(summed, {"parity": summed})


CALLS = count(1)


def keeps_state(mapped: Mapped) -> Mapped:
    calls = next(CALLS)
    return mapped._replace(lines=[b"%d" % calls, b"0"], observations=[calls, 0])


def counts_blocks(mapped: Mapped) -> Mapped:
    return mapped._replace(extras={"blocks_with_lines": 1})


def finds_blocks(mapped: Mapped) -> Mapped:
    return mapped._replace(findings={"odd": Finding(1, 0, None, [])})


def cuts_lines(block: Span, source: Input) -> Mapped:
    lines = [0, 0]

    def add(chunk: bytes, _at: Place) -> None:
        lines[0] += len(chunk.splitlines())

    owned = source.feed(block, ANYWHERE, add)
    return Mapped(owned, [b"%d" % number for number in lines], lines, {})


def fails_on_hostile_bytes(block: Span, source: Input) -> Mapped:
    def add(chunk: bytes, _at: Place) -> None:
        chunk.decode()

    source.feed(block, LINES, add)
    return map_lines(block, source)


def refuses_hostile_bytes(block: Span, source: Input) -> Mapped:
    try:
        return fails_on_hostile_bytes(block, source)
    except UnicodeDecodeError:
        raise FanfoldError("This is not UTF-8 text.") from None


def looks_at_the_first_byte(block: Span, source: Input) -> Mapped:
    """Which is another object's, unless the block touches the first one."""
    header: list[bytes] = []
    source.feed(Span(0, 1), LINES, lambda chunk, _: header.append(chunk))
    assert header
    return map_lines(block, source)


def by_place(lines: Iterable[bytes]) -> int:
    return sum(int(line) * place for place, line in enumerate(lines))


def facts_of(value: Any) -> Callable[[Input], Measured]:
    return lambda source: measure_bytes(source)._replace(facts={"bytes": value(source)})


def test_hostile_bytes_may_be_refused_by_name() -> None:
    check_job(replace(HONEST, map=refuses_hostile_bytes), OBJECTS)


@pytest.mark.parametrize(
    ("job", "law"),
    [
        (replace(HONEST, rules=""), "rules and part have names"),
        (replace(HONEST, parts=["odd", "odd"]), "Parts have labels, each its own"),
        (replace(HONEST, parts=["1", "01"]), "Parts have labels, each its own"),
        (replace(HONEST, parts=["even", "o" * 65]), "1 to 64 characters"),
        (replace(HONEST, reduce=takes_a_name), "A result's names are its own: parity is in every log line"),
        (replace(HONEST, summarize=lambda *_: {"blocks": 1}), "An answer's names are its own: blocks is one"),
        (mapping(lambda mapped: mapped._replace(lines=mapped.lines[:1])), "1 lines and 2 observations"),
        (mapping(lambda mapped: mapped._replace(lines=[b"1\n", b"0"])), "holds a newline"),
        (mapping(lambda mapped: mapped._replace(observations=[-1, 0])), "negative number of observations"),
        (mapping(lambda mapped: mapped._replace(lines=["1", "2"])), "A line is bytes"),  # type: ignore[list-item]
        (
            mapping(lambda mapped: mapped._replace(observations=list(np.array(mapped.observations)))),
            "of type int",
        ),
        (
            mapping(lambda mapped: mapped._replace(observations=[mapped.observations[0], 0])),
            "Observations are conserved: the blocks observed 0 in parity odd, and its reducer arrived at 2",
        ),
        (mapping(lambda mapped: mapped._replace(lines=[b"0", b"0"])), "Observations are conserved"),
        (mapping(lambda mapped: mapped._replace(owned=Owned(0, 7))), "Owned spans chain"),
        (
            replace(HONEST, map=looks_at_the_first_byte),
            "map reads the objects of its own block",
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
        (reducing(lambda lines: float("nan")), "JSON in UTF-8 cannot hold"),
        (reducing(lambda lines: {1, 2}), "JSON in UTF-8 cannot hold"),
        (reducing(lambda lines: "\ud800"), "JSON in UTF-8 cannot hold"),
        (reducing(lambda lines: {1: 2}), "Keys are strings"),
        (reducing(lambda lines: 10**39), "DynamoDB cannot hold the result of parity even"),
        (reducing(lambda lines: 1e-200), "DynamoDB cannot hold the result of parity even"),
        (reducing(lambda lines: "a" * 400_000), "an item has at most 400000 bytes"),
        (replace(HONEST, measure=facts_of(lambda source: {1, 2})), "cannot hold the run's facts"),
        (replace(HONEST, measure=facts_of(lambda _: next(CALLS))), "Measuring again"),
        (replace(HONEST, map=fails_on_hostile_bytes), "this was UnicodeDecodeError"),
    ],
)
def test_a_broken_law_is_seen_and_named(job: Job, law: str) -> None:
    with pytest.raises(LawBroken, match=law):
        check_job(job, OBJECTS)
