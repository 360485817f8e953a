"""What a job states. The engine does everything else, and knows no job.

A run's input is cut into *units* [0, size): bytes of an object, or ranks of permutations. A *block* is a
range of units. The result is divided into *parts*, such as the lengths of words. What a block found is
divided into *shards*, which are disjoint; one reducer reads one shard of every block. Or all reducers read
all of it, and divide what is to be done with it.

``map`` turns a block into one line of bytes per shard. ``combine`` turns lines of a shard into one line, and
``reduce`` turns them into one that is small enough for an answer. ``finish`` turns the reduced shards into
the results of the parts. However the input is cut, however its lines are grouped and ordered, the result must
be the same: that is what makes fan-out, retries and resumption safe.

*Observations* are what a job counts in a part: words, log lines, choices tested. The reducers must arrive at
what the mappers observed, for each shard and for each part, or the run fails: so nothing is lost or counted
twice.
"""

import importlib
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Struct

from lambda_src.errors import InvalidRequest, JobContractViolated, RulesChanged, TooManyDistinct
from lambda_src.fields import Keep, RunId, ShardCount
from lambda_src.figures import Figures
from lambda_src.records import Rule
from lambda_src.sorted_rows import SortedRows

T = TypeVar("T")

BYTES = "bytes"

MAX_LINE_BYTES = 200_000_000
MAX_LINES_BYTES = 600_000_000
"""Of one block: the first is what a reducer can read, the second what ``parse_block`` can store."""

MAX_REDUCED_BYTES = 4_500_000
"""Of a reduced shard, compressed: in base64 it fits Lambda's answer of 6 MB."""

MAX_UNPACKED_BYTES = 64_000_000
"""Of the same before it is compressed: ``get_all_occurrences`` has the memory for it."""

ShardBy = Literal["part", "key", "share"]

_MASK = (1 << 64) - 1


@lru_cache(maxsize=8)
def secret_of(run_id: str) -> tuple[int, int, int, int]:
    """What the hash of a run's keys depends on."""
    import hashlib  # noqa: PLC0415 - 5 ms of a cold start, for runs that hash keys in Python

    return struct.unpack("<4Q", hashlib.blake2b(run_id.encode(), digest_size=32).digest())


def _folded_product(one: int, other: int) -> int:
    product = one * other
    return product & _MASK ^ product >> 64


class Shards(Struct, frozen=True, array_like=True):
    """How a run divides its pairs of part and key among reducers.

    By part, shard n holds the n-th part, and nothing else. By share, a block has a single line, which every
    reducer reads, and each does its share of the work. By key, a shard holds the keys of all parts that have
    a certain hash. The hash depends on the run, or on the secret of runs that use each other's blobs,
    in place of its id: no text can be crafted so that one shard gets it all.
    """

    by: ShardBy
    count: ShardCount
    run_id: RunId

    def of_key(self, key: bytes) -> int:
        """The shard of ``key`` where shards are by key. The same in C: see counts.h.

        >>> [Shards("key", 4, "run").of_key(key) for key in (b"", b"the", b"a longer key, of 25 bytes")]
        [2, 2, 1]
        """
        first, second, third, fourth = secret_of(self.run_id)
        blocks = max(-(-len(key) // 16), 1)
        words = struct.unpack(f"<{2 * blocks}Q", key.ljust(16 * blocks, b"\0"))
        hashed = _folded_product(words[0] ^ first, words[1] ^ second)
        for at in range(2, len(words), 2):
            hashed = _folded_product(words[at] ^ hashed, words[at + 1] ^ third)
        return (_folded_product(hashed ^ len(key), fourth | 1) >> 32) * self.count >> 32

    @property
    def lines(self) -> int:
        """How many lines a block has."""
        return 1 if self.by == "share" else self.count

    def line_of(self, shard: int) -> int:
        """The line of a block that the reducer of ``shard`` reads.

        >>> Shards("key", 3, "run").line_of(2), Shards("share", 3, "run").line_of(2)
        (2, 0)
        """
        return 0 if self.by == "share" else shard

    def parts_of(self, shard: int, parts: Sequence[T]) -> Sequence[T]:
        """Those of the job's ``parts`` that a shard can hold.

        >>> Shards("part", 3, "run").parts_of(1, "abc"), Shards("key", 2, "run").parts_of(1, "abc")
        ('b', 'abc')
        """
        return parts[shard : shard + 1] if self.by == "part" else parts

    def name(self, shard: int, kind: str, parts: Sequence[str]) -> str:
        """A shard for people, where parts are called ``kind``.

        >>> Shards("part", 2, "run").name(1, "length", ["1", "2"]), Shards("key", 2, "run").name(1, "", [])
        ('length 2', 'shard 1')
        """
        return f"{kind} {parts[shard]}" if self.by == "part" else f"shard {shard}"


FROM_FILE = {"from_file": True}
"""``Meta(extra=FROM_FILE)`` is for an option that is a list of words: ``--set NAME=@FILE`` reads a file."""


class NoOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a job that has none."""


def _no_store(_: bytes) -> None:
    raise JobContractViolated("store is for map, and for jobs that say so: stores_pieces=True.")


class Context(NamedTuple):
    """What a job may use besides its data: the run's shards, the job's ``options``, and the ``facts`` that
    ``measure`` found.

    ``store`` is for ``map`` of jobs with ``stores_pieces``: it stores a piece, any bytes, beside the lines.
    The pieces of a block stay in order. No reducer reads them; who reads the answer can read them, too."""

    shards: Shards
    options: Any
    facts: Mapping[str, Any]
    store: Callable[[bytes], None] = _no_store


class Span(NamedTuple):
    """Units ``[start, end)``."""

    start: int
    end: int


class Crcs(NamedTuple):
    """How the CRC of a bzip2 stream, which is made of those of its blocks, goes on over some of them. If a
    stream ends in them, the CRC of the blocks ``before`` must be that. Else it is turned left by ``turns``
    bits, to which ``after`` is added without carry. Behind an end it is ``after``."""

    before: int | None
    turns: int
    after: int


class Owned(NamedTuple):
    """The units ``[start, end)`` that a block answers for. A block that owns nothing has ``start == end``,
    anywhere.

    Where its bytes are of a compressed object, the first ``skipped`` bytes of their text belong to a
    record of an earlier block, and its own last record takes ``overrun`` bytes of the text behind them.
    """

    start: int
    end: int
    skipped: int = 0
    overrun: int = 0
    crcs: Crcs | None = None


class Place(NamedTuple):
    """Where a chunk begins: at byte ``offset`` of the text of the object ``key``.

    Where that is a bzip2 object that several blocks share, the text before a block's own is not unpacked:
    ``offset`` then counts from there, which is byte ``unpacked_from`` of the object as it is stored.
    """

    key: str
    offset: int
    unpacked_from: int = 0

    def begins_object(self) -> bool:
        """Whether nothing of the object's text is before it.

        >>> Place("a.csv", 0).begins_object(), Place("a.csv", 5).begins_object()
        (True, False)
        """
        return not self.offset and not self.unpacked_from

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

    def first_record(self, rule: Rule) -> bytes:
        """The first record of the input, such as the header of a table; nothing if there is no text."""

    def whole(self, most_bytes: int) -> bytes:
        """All text of the only object, for jobs whose units are not bytes. Raises SourceTooLarge where there
        is more than ``most_bytes``."""


class Measured(NamedTuple):
    """How many units a run has; what ``measure`` found out about its input that the answer shows; and how
    many units a block has, and how many ``shards`` there are, where the request does not say, if the engine's
    default does not suit."""

    units: int
    facts: Mapping[str, Any]
    block_units: int | None = None
    shards: int | None = None


def measure_bytes(source: Input) -> Measured:
    """Units are the bytes of the input."""
    return Measured(source.size_bytes, {"bytes": source.size_bytes, "objects": source.objects})


def as_measured(measured: Measured, _options: Any) -> Measured:
    """For jobs whose options change nothing in what is measured."""
    return measured


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


class Line(NamedTuple):
    """What a shard of one block, or of several, holds. The engine does not look into ``data``. ``observed``
    has the observations in each part, in the job's order."""

    data: bytes
    observed: Sequence[int]


class Mapped(NamedTuple):
    """What ``map`` makes of one block.

    ``owned`` are the units that it answers for: in block order these must chain from 0 to the last unit.
    ``lines`` has one entry per shard, or a single one where all reducers read it. ``extras`` are summed over
    the run. ``findings`` are what a person should know, by the names of the job's ``concerns``.
    """

    owned: Owned
    lines: Sequence[Line]
    extras: Mapping[str, int]
    findings: Mapping[str, Finding] = {}


class Part(NamedTuple):
    """The result of one part. ``result`` is JSON: what the results table and the answer show."""

    observations: int
    result: Mapping[str, Any]


class Shown(Struct, frozen=True):
    """What a person sees first of an answer.

    ``title`` says what the job answers. ``headline`` names numbers and texts of the answer in braces, as in
    ``"{requests:,} requests of {hosts:,} hosts"``: its own fields, or those of the results of its parts,
    which are added up. ``tables`` are the fields whose tables come first; a file such as CSV has only the
    first one.
    """

    title: str = ""
    headline: str = ""
    tables: Sequence[str] = ()


PLAIN = Shown()
"""Of an author who says nothing."""


class RowWriter(Protocol):
    """Stores the rows of a shard. They come in passes; in each, part by part, and in the order of keys."""

    def start_over(self) -> None:
        """Forget all passes: ``reduce`` makes more of them."""

    def begin_pass(self) -> None:
        """What follows is sorted by itself."""

    def add(self, part: int, rows: SortedRows) -> None:
        """Store rows of a part. Raises AccessDenied, Transient."""


class CompleteSums(NamedTuple):
    """How a job stores all that it has summed, for runs with ``keep: all``.

    A row has a key, called ``key`` in tables, and a number for each of ``columns``. The first column is what
    was observed. ``reduce(shard, lines, context, writer)`` gives what the job's ``reduce`` does, and writes
    each pair of part and key once.
    """

    key: str
    columns: Sequence[str]
    reduce: Callable[[int, Iterable[bytes], Context, RowWriter], Line]
    why_not: Callable[[Any], str] = lambda _: ""
    """Why a run with these options has none, and what to do; nothing if it has."""


class Job(Struct, frozen=True):
    """A job as a value.

    ``rules`` names what decides on the result: no run mixes lines that were made by different rules. ``part``
    says what a part is, such as ``length``; ``parts`` are their labels, in order.

    ``combine(shard, lines, context)`` and ``reduce``, which takes the same, may iterate over ``lines`` more
    than once: each pass reads them again, in any order. Both give what the lines observed. ``finish`` gets
    what ``reduce`` made of one shard, where that is a part, else of all shards, in any order. It gives the
    result of each part that these can hold, so a reduced shard must tell which parts it has.
    ``summarize`` gives the job's own fields of the answer, from the summed extras and the results by part.

    ``options`` is the type of the job's options. ``prepare(measured, options)`` completes what was measured
    by what the options of a run ask, or raises InvalidRequest if they do not suit the input. ``sharded_by``
    says how its shards can be made, the default first; without any, a run has one shard. ``unit`` is what
    messages call its units. ``concerns`` describe its findings. The engine looks for bytes that are not
    UTF-8, unless ``finds_invalid_utf8``: then ``map`` does, at less cost. ``figures`` say what the job takes,
    for the plan of a run; they may be a function of the run's options. With ``stores_pieces``, ``map`` may
    store pieces, and no later run uses its blocks. ``shown`` is for reports, terminals and files: no function
    reads it. ``complete`` stores all sums, for runs that keep them. ``largest_block(options)`` is the most
    units of a block that ``map`` surely gets done in time, where options can make it slow.
    """

    rules: str
    part: str
    parts: Sequence[str]
    map: Callable[[Span, Input, Context], Mapped]
    combine: Callable[[int, Iterable[bytes], Context], Line]
    reduce: Callable[[int, Iterable[bytes], Context], Line]
    finish: Callable[[Iterable[bytes], Context], Mapping[str, Part]]
    summarize: Callable[[Context, Mapping[str, int], Mapping[str, Mapping[str, Any]]], dict[str, Any]]
    options: type[Struct] = NoOptions
    sharded_by: Sequence[ShardBy] = ()
    measure: Callable[[Input], Measured] = measure_bytes
    prepare: Callable[[Measured, Any], Measured] = as_measured
    unit: str = BYTES
    concerns: Mapping[str, Concern] = {}
    finds_invalid_utf8: bool = False
    figures: Figures | Callable[[Any], Figures] = {}
    stores_pieces: bool = False
    shown: Shown = PLAIN
    complete: CompleteSums | None = None
    largest_block: Callable[[Any], float] = lambda _: math.inf
    for_options: Callable[[Any], "Job"] | None = None

    def touched(self, block: Span, input_bytes: int) -> Span:
        """The bytes whose objects ``map`` gets to map ``block``: all bytes, where units are others."""
        return block if self.unit == BYTES else Span(0, input_bytes)

    def shards(self, run_id: str, by: ShardBy | None = None, count: int = 1) -> Shards:
        """The shards of a run: ``by`` part or by key, the first way of the job by default; ``count`` is for
        those by key."""
        by = by or (self.sharded_by[0] if self.sharded_by else "key")
        return Shards(by, len(self.parts) if by == "part" else count, run_id)

    def read_options(self, options: Mapping[str, Any]) -> Any:
        """``options`` as the job's type. Raises InvalidRequest."""
        known = [field.encode_name for field in msgspec.structs.fields(self.options)]
        if unknown := sorted(options.keys() - set(known)):
            meant = did_you_mean(unknown[0], known, "options")
            raise InvalidRequest(f"options: this job has no option {unknown[0]!r}: {meant}.")
        try:
            found = msgspec.convert(options, self.options)
            # The run's record and its requests are JSON.
            if msgspec.json.decode(msgspec.json.encode(found), type=self.options) == found:
                return found
        except msgspec.ValidationError as error:
            from lambda_src.options import why_wrong  # noqa: PLC0415 - only a mistake pays for it

            raise InvalidRequest(f"options: {why_wrong(self.options, options, str(error))}") from None
        raise InvalidRequest("options: a number is not finite, so JSON cannot hold it.")

    def with_options(self, options: Mapping[str, Any]) -> "Job":
        """The job that a run with these ``options`` is. Raises InvalidRequest."""
        return self.for_options(self.read_options(options)) if self.for_options else self

    def plain_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of a run for which ``options`` are given, as JSON. Raises InvalidRequest."""
        text = msgspec.json.encode(self.read_options(options), order="sorted")
        plain: dict[str, Any] = msgspec.json.decode(text)
        return plain

    def chosen_options(self, options: Mapping[str, Any]) -> list[str]:
        """The names of ``options`` that differ from the defaults. Raises InvalidRequest."""
        found, names = self.read_options(options), []
        for field in msgspec.structs.fields(self.options):
            made = field.default_factory is not msgspec.NODEFAULT
            if getattr(found, field.name) != (field.default_factory() if made else field.default):
                names.append(field.encode_name)
        return names

    def check_keep(self, keep: Keep | None, options: Any = None) -> None:
        """Raise InvalidRequest if a run of this job cannot ``keep`` that, with these ``options`` if they are
        known."""
        if keep and not self.complete:
            raise InvalidRequest(
                "keep: this job has no complete sums to store, only its answer: leave it out."
            )
        if keep and self.complete and options is not None and (why := self.complete.why_not(options)):
            raise InvalidRequest(f"keep: {why}")

    def check_rules(self, rules: str) -> None:
        """Raise RulesChanged unless a run that began with ``rules`` has these."""
        if rules != self.rules:
            raise RulesChanged(
                f"The run has the rules {rules!r}, but this function has {self.rules!r}: the stack was "
                "deployed while the run was going on. Resume the run: it maps again what the old rules made."
            )

    def check(self, mapped: Mapped, shards: Shards) -> None:
        """Raise JobContractViolated unless ``mapped`` is what a job promises of a block; TooManyDistinct."""
        if len(mapped.lines) != shards.lines:
            raise JobContractViolated(
                f"map gave {len(mapped.lines)} lines: it must give one per shard, and there are "
                f"{shards.lines} shards."
            )
        for shard, line in enumerate(mapped.lines):
            self.check_observed("map", shard, line, shards)
        check_lines([len(line.data) for line in mapped.lines])
        if min((*mapped.extras.values(), 0)) < 0:
            raise JobContractViolated("map gave a negative extra.")

    def check_observed(self, what: str, shard: int, line: Line, shards: Shards) -> None:
        """Raise JobContractViolated unless the observations of ``line``, which ``what`` gave, are those of a
        line of ``shard``."""
        if len(line.observed) != len(self.parts):
            raise JobContractViolated(
                f"{what} gave {len(line.observed)} observations in a line: it must give one per part, and "
                f"there are {len(self.parts)} parts."
            )
        if min(line.observed) < 0:
            raise JobContractViolated(f"{what} gave a negative number of observations.")
        if sum(line.observed) != sum(shards.parts_of(shard, line.observed)):
            raise JobContractViolated(
                f"{what} gave observations of other parts in the line of "
                f"{shards.name(shard, self.part, self.parts)}."
            )


def did_you_mean(unknown: str, known: Sequence[str], kind: str) -> str:
    """What may be meant by a name that is not ``known``, of something that has a ``kind`` of names.

    >>> did_you_mean("tops", ["zone", "top"], "options")
    'did you mean top? Its options are zone, top'
    """
    if not known:
        return "it has none"
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    closest = difflib.get_close_matches(unknown, known, 1)
    its = f"ts {kind} are {', '.join(known)}"
    return f"did you mean {closest[0]}? I{its}" if closest else f"i{its}"


def check_lines(sizes: Sequence[int]) -> None:
    """Raise TooManyDistinct if the lines of a block, of these ``sizes``, are too long. Code that writes
    a line in pieces calls this after each piece."""
    if max(sizes) > MAX_LINE_BYTES or sum(sizes) > MAX_LINES_BYTES:
        raise TooManyDistinct(
            "One block has too many distinct things to count: they take more than "
            f"{MAX_LINE_BYTES:,} bytes in one shard, or more than {MAX_LINES_BYTES:,} in all."
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


def load_deployed(name: str, jobs: Sequence[str]) -> Job:
    """The job ``name`` of a stack that has ``jobs``. Raises InvalidRequest if it is none of them."""
    if name not in jobs:
        raise InvalidRequest(f"job: this stack has no job {name!r}: {did_you_mean(name, jobs, 'jobs')}.")
    return load(name)


def load(name: str) -> Job:
    """The ``JOB`` of the module ``lambda_src.jobs.<name>``. Raises JobContractViolated if it has none."""
    module = importlib.import_module(f"lambda_src.jobs.{name}")
    job = getattr(module, "JOB", None)
    if not isinstance(job, Job):
        raise JobContractViolated(f"lambda_src.jobs.{name} does not define JOB, a Job.")
    return job
