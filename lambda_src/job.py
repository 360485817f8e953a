"""What a job states. The engine does everything else, and knows no job.

A run's input is cut into *units* [0, size): bytes of an object, or ranks of permutations. A *block* is a
range of units. ``map`` turns one block into one line of bytes per *part*; ``reduce`` turns the lines of one
part, one per block, into the part's result. However the input is cut, the result must be the same: that is
what makes fan-out, retries and resumption safe.

*Observations* are what a job counts in a part: words, log lines, choices tested. A reducer must arrive at
what the mappers observed in its part, or the run fails: so nothing is lost or counted twice.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from lambda_src.errors import JobContractViolated, RulesChanged, TooManyDistinct
from lambda_src.figures import Figures
from lambda_src.records import Rule

BYTES = "bytes"

MAX_LINE_BYTES = 200_000_000
MAX_LINES_BYTES = 600_000_000
"""Of one block: the first is what a reducer can read, the second what ``parse_block`` can store."""


class Span(NamedTuple):
    """Units ``[start, end)``."""

    start: int
    end: int


class Owned(NamedTuple):
    """The units ``[start, end)`` that a block answers for. A block that owns nothing has ``start == end``,
    anywhere.

    Where its bytes are streams of a compressed object, the first ``skipped`` bytes of their text belong to a
    record of an earlier block, and its own last record takes ``overrun`` bytes of the text behind them.
    """

    start: int
    end: int
    skipped: int = 0
    overrun: int = 0


class Place(NamedTuple):
    """Where a chunk begins: at byte ``offset`` of the text of the object ``key``.

    Where that is a bzip2 object whose streams are shared between blocks, the text before a block's first
    stream is not unpacked: ``offset`` then counts from that stream, which begins at byte ``unpacked_from`` of
    the object as it is stored.
    """

    key: str
    offset: int
    unpacked_from: int = 0

    def name(self) -> str:
        """The place for a person.

        >>> Place("a.log", 5).name(), Place("a.bz2", 5, 900).name()
        ('byte 5 of a.log', 'byte 5 of the text of a.bz2 that is unpacked from byte 900 on')
        """
        if self.unpacked_from:
            text = f"the text of {self.key} that is unpacked from byte {self.unpacked_from} on"
            return f"byte {self.offset} of {text}"
        return f"byte {self.offset} of {self.key}"


Feed = Callable[[bytes, Place], None]
"""``feed(chunk, at)`` takes a chunk of text that begins at ``at``."""


class Input(Protocol):
    """The pinned input of a run, as a job reads it: one object, or several put end to end. ``size_bytes`` is
    its size as it is stored. Compressed objects are read unpacked. Every method raises the engine's named
    errors."""

    size_bytes: int
    objects: int

    def feed(self, block: Span, rule: Rule, feed: Feed) -> Owned:
        """Feed the text of the records that begin in ``block``, bytes ``[start, end)``, in order, in chunks
        that cut none of them and hold the text of one object only, each with its place; what the block
        owned."""

    def whole(self, most_bytes: int) -> bytes:
        """All text of the only object, for jobs whose units are not bytes. Raises SourceTooLarge where there
        is more than ``most_bytes``."""


class Measured(NamedTuple):
    """How many units a run has; what ``measure`` found out about its input that the answer shows; and how
    many units a block has where the request does not say, if the engine's default does not suit."""

    units: int
    facts: Mapping[str, Any]
    block_units: int | None = None


def measure_bytes(source: Input) -> Measured:
    """Units are the bytes of the input."""
    return Measured(source.size_bytes, {"bytes": source.size_bytes, "objects": source.objects})


class FoundIn(NamedTuple):
    """Of the ``total`` things that a block has of the object ``key``, ``found`` are concerned."""

    key: str
    found: int
    total: int


class Finding(NamedTuple):
    """What a block noticed of one kind: ``found`` of ``total`` things, such as lines, the first one at
    ``first``. ``objects`` are where it noticed most, and its first and last one, which other blocks may
    share."""

    found: int
    total: int
    first: Place | None
    objects: Sequence[FoundIn]


class Concern(NamedTuple):
    """How a warning describes a finding: ``3 of 9 lines are not log lines``. ``thing`` is the unit counted;
    ``one`` and ``many`` say what is wrong with it. ``most`` introduces the objects in which the share of such
    things exceeds ``most_share``. ``advice`` says what to do."""

    thing: str
    one: str
    many: str
    most: str = ""
    most_share: float = 0.5
    advice: str = ""


class Mapped(NamedTuple):
    """What ``map`` makes of one block.

    ``owned`` are the units that it answers for: in block order these must chain from 0 to the last unit.
    ``lines`` and ``observations`` have one entry per part; a line is opaque to the engine, and holds no
    newline. ``extras`` are summed over the run. ``findings`` are what a person should know, by the names of
    the job's ``concerns``.
    """

    owned: Owned
    lines: Sequence[bytes]
    observations: Sequence[int]
    extras: Mapping[str, int]
    findings: Mapping[str, Finding] = {}


class Reduced(NamedTuple):
    """What ``reduce`` makes of one part. ``result`` is JSON: what the results table and the answer show."""

    observations: int
    result: Mapping[str, Any]


class Job(Struct, frozen=True):
    """A job as a value.

    ``rules`` names what decides on the result: no run mixes lines that were made by different rules. ``part``
    says what a part is, such as ``length``; ``parts`` are their labels, in order. ``reduce(part, lines)`` may
    iterate over ``lines`` more than once: each pass reads them again, in any order. ``summarize`` gives the
    job's own fields of the answer, from what ``measure`` found, the summed extras, and the results by part.
    ``unit`` is what messages call its units. ``concerns`` describe its findings. The engine
    looks for bytes that are not UTF-8, unless ``finds_invalid_utf8``: then ``map`` does, at less cost.
    ``figures`` say what the job takes, for the plan of a run.
    """

    rules: str
    part: str
    parts: Sequence[str]
    map: Callable[[Span, Input], Mapped]
    reduce: Callable[[str, Iterable[bytes]], Reduced]
    summarize: Callable[
        [Mapping[str, Any], Mapping[str, int], Mapping[str, Mapping[str, Any]]], dict[str, Any]
    ]
    measure: Callable[[Input], Measured] = measure_bytes
    unit: str = BYTES
    concerns: Mapping[str, Concern] = {}
    finds_invalid_utf8: bool = False
    figures: Figures = {}

    def touched(self, block: Span, input_bytes: int) -> Span:
        """The bytes whose objects ``map`` gets to map ``block``: all bytes, where units are others."""
        return block if self.unit == BYTES else Span(0, input_bytes)

    def check_rules(self, rules: str) -> None:
        """Raise RulesChanged unless a run that began with ``rules`` has these."""
        if rules != self.rules:
            raise RulesChanged(
                f"The run has the rules {rules!r}, but this function has {self.rules!r}: the stack was "
                "deployed while the run was going on. Resume the run: it maps again what the old rules made."
            )

    def check(self, mapped: Mapped) -> None:
        """Raise JobContractViolated unless ``mapped`` is what a job promises of a block; TooManyDistinct."""
        wanted = len(self.parts)
        if (len(mapped.lines), len(mapped.observations)) != (wanted, wanted):
            raise JobContractViolated(
                f"map gave {len(mapped.lines)} lines and {len(mapped.observations)} observations: it must "
                f"give one of each per part, and there are {wanted} parts."
            )
        if any(b"\n" in line for line in mapped.lines):
            raise JobContractViolated("map gave a line that holds a newline.")
        check_lines([len(line) for line in mapped.lines])
        if min((*mapped.observations, *mapped.extras.values(), 0)) < 0:
            raise JobContractViolated("map gave a negative number of observations, or a negative extra.")


def check_lines(sizes: Sequence[int]) -> None:
    """Raise TooManyDistinct if the lines of a block, of these ``sizes``, are too long. Code that writes
    a line in pieces calls this after each piece."""
    if max(sizes) > MAX_LINE_BYTES or sum(sizes) > MAX_LINES_BYTES:
        raise TooManyDistinct(
            "One block has too many distinct things to count: they take more than "
            f"{MAX_LINE_BYTES:,} bytes in one part, or more than {MAX_LINES_BYTES:,} in all."
        )


def pieces_of(line: bytes) -> Iterator[memoryview]:
    """The pieces that a line was written in, with tabs between, without copying them.

    >>> [bytes(piece) for piece in pieces_of(b"{1}\\t{2}")]
    [b'{1}', b'{2}']
    """
    view, start = memoryview(line), 0
    while (end := line.find(b"\t", start)) >= 0:
        yield view[start:end]
        start = end + 1
    yield view[start:]


def names() -> list[str]:
    """The jobs that there are: the modules of ``lambda_src.jobs``."""
    import pkgutil  # noqa: PLC0415 - no function asks, and each would pay for it in its cold starts

    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "jobs")]))


def load(name: str) -> Job:
    """The ``JOB`` of the module ``lambda_src.jobs.<name>``. Raises JobContractViolated if it has none."""
    module = importlib.import_module(f"lambda_src.jobs.{name}")
    job = getattr(module, "JOB", None)
    if not isinstance(job, Job):
        raise JobContractViolated(f"lambda_src.jobs.{name} does not define JOB, a Job.")
    return job
