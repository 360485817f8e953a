"""What a job promises, as laws that any job can be checked against: ``check_job(JOB, {"name": b"..."})``.

The engine in small: the same steps and checks as a run, on objects in memory.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
from boto3.dynamodb.types import TypeSerializer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fanfold.jobs._headline import names_in, value_of
from fanfold.jobs._tables import find
from fanfold.runs.options import NO_EXAMPLE, options_of
from fanfold.testing.texts import ANY_BYTES
from lambda_src.aws.dynamodb import from_attribute, to_attribute
from lambda_src.errors import ConservationBroken, FanfoldError, JobContractViolated
from lambda_src.input import ownership
from lambda_src.input.findings import Findings
from lambda_src.input.formats import Format
from lambda_src.input.objects import input_of_bytes
from lambda_src.input.ownership import check_chain
from lambda_src.job import (
    BYTES,
    MAX_REDUCED_BYTES,
    MAX_UNPACKED_BYTES,
    Context,
    Input,
    Job,
    Line,
    Mapped,
    Measured,
    Shards,
    Span,
)
from lambda_src.run.map_block import map_watched
from lambda_src.run.summary import ENGINE_FIELDS
from lambda_src.sorted_rows import BETWEEN, SortedRows, counts_of, key_of

MAX_ITEM_BYTES = 400_000
"""Of an item in DynamoDB. A part's result is one, the facts and extras are part of another."""

MAX_ANSWER_BYTES = 6 << 20
"""Of what a Lambda answers."""


class LawBroken(AssertionError):
    """The job does not keep a promise; the text names it."""


class Objects(NamedTuple):
    """Objects in memory, as the engine gives them to a job; ``how`` is what all of them are, if known."""

    texts: Sequence[bytes]
    format: Format | None = None

    def for_all(self) -> Input:
        """As ``measure`` gets them: all."""
        return input_of_bytes(self.texts, self.format)

    def for_block(self, job: Job, block: Span) -> Input:
        """As ``map`` gets them in Lambda: those that ``block`` touches, and no other."""
        return input_of_bytes(self.texts, self.format, job.touched(block, sum(map(len, self.texts))))


class Carried(NamedTuple):
    """A run of a job up to what its blocks give."""

    job: Job
    context: Context
    measured: Measured
    mapped: Sequence[Mapped]


def run_job(
    job: Job,
    stored: Objects,
    cuts: Iterable[int] = (),
    shards: Shards | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The job's fields of the answer, from the blocks of ``stored`` that end at ``cuts``."""
    job = job.with_options(options or {})
    run = _carry_out(job, stored, cuts, shards=shards, options=options)
    return job.summarize(run.context, _extras(run), _reduce_all(run))


def check_job(
    job: Job, objects: Mapping[str, bytes], examples: int = 50, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The answer of ``job`` on ``objects``, put end to end in the order of their names, if the job keeps the
    laws on them and on ``examples`` cuttings and hostile inputs. Raises LawBroken, and what the job raises.

    - *Any cutting* of the input into blocks gives the answer of one block, and the same observations. So does
      *any division into shards* that the job allows.
    - *Observations are conserved*: the reducer of a shard arrives at what the blocks observed in it, and so
      does each part over all shards.
    - *Combining changes nothing*: lines may be combined in any groups before they are reduced, and what they
      observed stays.
    - *Owned spans chain* from 0 to the last unit.
    - *A block is mapped from its own objects*: of an input of several objects, ``map`` gets no other, as in
      Lambda.
    - *What lies before does not matter*: an object gives the same lines wherever it lies in the input, so
      later runs can reuse them. Its key and offsets are those of the places that ``feed`` gives.
    - *Order does not matter*: reducers get lines in any order, and may read them again in another; ``finish``
      gets shards in any order.
    - *Same again*: what is measured, mapped or reduced again, after whatever else, is the same to the byte.
      So a retry's line can replace the first one, and a resumed run gives the answer of another.
    - *What is stored comes back*: results, facts and extras are what a table of DynamoDB holds, and an answer
      is the same whether they come from there or from the job.
    - *Complete sums*, of a job that has them, are the same for any cutting: each pair of part and key once,
      in order, and in each part what the blocks observed.
    - *What is shown first is there*: the names in the headline, and the tables, of ``shown``.
    - *Hostile input* is answered by the same laws, or refused by one of the errors of ``lambda_src.errors``.
    """
    _check_form(job)
    job = job.with_options(options or {})
    in_order = [objects[name] for name in sorted(objects)]
    stored = Objects(in_order)
    whole = _carry_out(job, stored, options=options)
    answer = _answer(whole)
    _check_shown(job, answer)
    _check_again(whole, stored)
    _check_position(whole, in_order)
    units = whole.measured.units

    rounds = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    cuts = st.lists(st.integers(1, max(units, 1)), max_size=8)

    @rounds
    @given(cuts, st.sampled_from([16, 50, 8 << 20]), _shards(job), st.integers(0, 4))
    def cut_anywhere(cuts: list[int], window_bytes: int, shards: Shards, group: int) -> None:
        with patch.object(ownership, "WINDOW_BYTES", window_bytes):  # as large blocks are fed, in many chunks
            run = _carry_out(job, stored, cuts, shards=shards, options=options)
        _equal("the answer of any cutting is that of one block", answer, _answer(run, group))
        _equal("any cutting observes the same", _observed(whole), _observed(run))
        _equal("any cutting finds the same", _found(whole), _found(run))
        kept = job.complete and not job.complete.why_not(run.context.options)
        if kept and group == 1:  # some of them are enough: all are reduced once more for it
            _equal("the complete sums of any cutting are those of one block", _kept(whole), _kept(run))

    @rounds
    @given(_hostile(in_order), st.integers(1, 1 << 40), _shards(job))
    @example([b""], 1, _default(job))
    def hostile(data: list[bytes], cut: int, shards: Shards) -> None:
        try:
            whole = _carry_out(job, Objects(data), options=options)
            expected = _answer(whole)
            cuts = [cut % max(whole.measured.units, 1)]
            run = _carry_out(job, Objects(data), cuts, shards=shards, options=options)
            _equal("the answer of any cutting is that of one block", expected, _answer(run))
        except FanfoldError:
            pass  # refused by name
        except LawBroken:
            raise
        except Exception as error:
            raise LawBroken(
                "Hostile input is answered, or refused with an error of lambda_src.errors: the job raised "
                f"{type(error).__name__}: {error}"
            ) from error

    cut_anywhere()
    hostile()
    return answer


def _default(job: Job) -> Shards:
    return job.shards("run")


def _shards(job: Job) -> st.SearchStrategy[Shards]:
    """The shards that a run of ``job`` can have."""
    ways = [st.just(_default(job))]
    if "part" in job.sharded_by:
        ways.append(st.just(job.shards("run", "part")))
    if "key" in job.sharded_by:
        ways.append(st.builds(Shards, st.just("key"), st.integers(1, 9), st.sampled_from(["run", "b", "c"])))
    if "share" in job.sharded_by:
        ways.append(st.builds(Shards, st.just("share"), st.integers(1, 9), st.just("run")))
    return st.one_of(ways)


class _Lines:
    """Lines that each reading gives in another order."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines, self._random = list(lines), Random(len(lines))  # noqa: S311 - no secret

    def __iter__(self) -> Iterator[bytes]:
        self._random.shuffle(self._lines)
        yield from list(self._lines)


def _carry_out(
    job: Job,
    stored: Objects,
    cuts: Iterable[int] = (),
    *,
    shards: Shards | None = None,
    options: Mapping[str, Any] | None = None,
) -> Carried:
    """What is measured and mapped, in the order of blocks, each checked as the engine does."""
    asked = job.read_options(options or {})
    measured = job.prepare(job.measure(stored.for_all()), asked)
    facts = json.loads(_canonical("the run's facts", measured.facts))
    if facts != measured.facts:
        raise LawBroken("Facts are JSON: lists, no tuples, and keys that are strings.")
    context = Context(shards or _default(job), asked, facts)
    if job.stores_pieces:
        context = context._replace(store=_check_piece)
    mapped = [_map(job, block, stored, context) for block in _blocks(measured.units, cuts)]
    try:
        check_chain([each.owned for each in mapped], measured.units, job.unit)
    except ConservationBroken as error:
        raise LawBroken(f"Owned spans chain: {error}") from error
    return Carried(job, context, measured, mapped)


def _check_piece(piece: bytes) -> None:
    if type(piece) is not bytes:
        raise LawBroken("A piece is bytes.")


def _blocks(units: int, cuts: Iterable[int]) -> list[Span]:
    edges = sorted({0, units, *(cut for cut in cuts if 0 < cut < units)})
    return [Span(start, end) for start, end in pairwise(edges)]


def _map(job: Job, block: Span, stored: Objects, context: Context) -> Mapped:
    try:
        mapped = map_watched(job, block, stored.for_block(job, block), context)
    except ConservationBroken as error:
        raise LawBroken(f"map reads the objects of its own block, and no other: {error}") from error
    except JobContractViolated as error:
        raise LawBroken(str(error)) from error
    if not all(type(line.data) is bytes for line in mapped.lines):
        raise LawBroken("A line is bytes.")
    observed = [number for line in mapped.lines for number in line.observed]
    if not all(type(number) is int for number in (*mapped.owned[:4], *observed, *mapped.extras.values())):
        raise LawBroken("Observations, extras and the units owned are of type int, which JSON can hold.")
    try:
        job.check(mapped, context.shards)
    except JobContractViolated as error:
        raise LawBroken(str(error)) from error
    return mapped


def _summed(lines: Sequence[Line], parts: int) -> list[int]:
    return [sum(line.observed[number] for line in lines) for number in range(parts)]


def _observed(run: Carried) -> dict[str, int]:
    lines = [line for each in run.mapped for line in each.lines]
    return dict(zip(run.job.parts, _summed(lines, len(run.job.parts)), strict=True))


def _found(run: Carried) -> Any:
    findings = Findings()
    for each in run.mapped:
        findings.add(each.findings)
    return msgspec.to_builtins(findings.summed())


def _extras(run: Carried) -> dict[str, int]:
    extras: Counter[str] = Counter()
    for each in run.mapped:
        extras.update(each.extras)
    return dict(extras)


def _reduce_all(run: Carried, group: int = 0) -> dict[str, dict[str, Any]]:
    """Results by part. With ``group``, so many lines are combined before they are reduced."""
    job, context = run.job, run.context
    ends = [_reduce(run, shard, group) for shard in range(context.shards.count)]
    if context.shards.by == "part":
        found = {part: one for end in ends for part, one in job.finish([end], context).items()}
    else:
        found = dict(job.finish(_Lines(ends), context))
    if sorted(found) != sorted(job.parts):
        raise LawBroken(f"finish gives the results of all parts, and of no other: {sorted(found)}.")
    for part, observed in _observed(run).items():
        if found[part].observations != observed:
            raise LawBroken(
                f"Observations are conserved: the blocks observed {observed} in {job.part} {part}, and "
                f"finish arrived at {found[part].observations}."
            )
        if taken := {"event", "run_id", job.part} & found[part].result.keys():
            raise LawBroken(f"A result's names are its own: {min(taken)} is in every log line already.")
    return {part: dict(found[part].result) for part in job.parts}


def _reduce(run: Carried, shard: int, group: int) -> bytes:
    """A shard, reduced."""
    lines = [each.lines[run.context.shards.line_of(shard)] for each in run.mapped]
    if group:
        lines = [
            _checked(run, shard, "combine", lines[first : first + group])
            for first in range(0, len(lines), group)
        ]
    reduced = _checked(run, shard, "reduce", lines)
    if run.context.shards.by != "part":
        if len(reduced.data) > MAX_UNPACKED_BYTES:
            raise LawBroken(f"A reduced shard has at most {MAX_UNPACKED_BYTES} bytes.")
        if len(zlib.compress(reduced.data, 1)) > MAX_REDUCED_BYTES:
            raise LawBroken(f"A reduced shard has at most {MAX_REDUCED_BYTES} bytes, compressed.")
    return reduced.data


class _Rows:
    """The passes of a shard, each with its parts and rows. Implements ``job.RowWriter``."""

    def __init__(self) -> None:
        self.passes: list[list[tuple[int, bytes]]] = []

    def start_over(self) -> None:
        self.passes.clear()

    def begin_pass(self) -> None:
        self.passes.append([])

    def add(self, part: int, rows: SortedRows) -> None:
        self.passes[-1] += ((part, row) for row in rows.data.split(BETWEEN))


def _kept(run: Carried) -> list[list[Any]]:
    """Complete sums: parts, keys and counts, in order."""
    complete, parts = run.job.complete, len(run.job.parts)
    found: dict[tuple[int, bytes], Sequence[int]] = {}
    for shard in range(run.context.shards.count if complete else 0):
        assert complete
        writer, lines = _Rows(), _Lines([each.lines[shard].data for each in run.mapped])
        complete.reduce(shard, lines, run.context, writer)
        for rows in writer.passes:
            if rows != sorted(rows):
                raise LawBroken("Complete sums come in the order of part and key, in each pass.")
            for part, row in rows:
                if (part, key_of(row)) in found:
                    raise LawBroken("Complete sums have each pair of part and key once.")
                found[part, key_of(row)] = counts_of(row)
    observed = [sum(counts[0] for (at, _), counts in found.items() if at == part) for part in range(parts)]
    _equal("complete sums have what was observed", list(_observed(run).values()), observed)
    return [[part, key.decode(), list(counts)] for (part, key), counts in sorted(found.items())]


def _checked(run: Carried, shard: int, what: str, lines: Sequence[Line]) -> Line:
    """What ``combine`` or ``reduce`` makes of ``lines``, if it observed what they did."""
    job = run.job
    made: Line = getattr(job, what)(shard, _Lines([line.data for line in lines]), run.context)
    wanted = _summed(lines, len(job.parts))
    for part, expected, observed in zip(job.parts, wanted, made.observed, strict=True):
        if expected != observed:
            raise LawBroken(
                f"Observations are conserved: the blocks observed {expected} in {job.part} {part}, and "
                f"{what} of shard {shard} arrived at {observed}."
            )
    return made


def _answer(run: Carried, group: int = 0) -> dict[str, Any]:
    """The answer, if reducing and what is stored keep the laws."""
    job, context = run.job, run.context
    results, extras = _reduce_all(run), _extras(run)
    _equal(
        "the order of lines does not matter, and reducing again gives the same",
        results,
        _reduce_all(run._replace(mapped=run.mapped[::-1])),
    )
    if group:
        _equal("lines may be combined in any groups", results, _reduce_all(run, group))
    answer = job.summarize(context, extras, results)
    if taken := ENGINE_FIELDS & answer.keys():
        raise LawBroken(f"An answer's names are its own: {min(taken)} is one of the engine's.")
    record = _stored("the run's facts and extras", {"facts": dict(context.facts), "extras": extras})
    _equal(
        "an answer from the results table is that of the job",
        answer,
        job.summarize(
            context._replace(facts=record["facts"]),
            record["extras"],
            {part: _stored(f"the result of {job.part} {part}", results[part]) for part in results},
        ),
    )
    if len(_canonical("the answer", answer)) > MAX_ANSWER_BYTES:
        raise LawBroken(f"An answer has at most {MAX_ANSWER_BYTES} bytes.")
    return answer


def _check_form(job: Job) -> None:
    if not job.rules or not job.part:
        raise LawBroken("rules and part have names.")
    if not job.parts or len({part.lstrip("0") or "0" for part in job.parts}) < len(job.parts):
        raise LawBroken("Each part needs a label of its own; leading zeros do not count as a difference.")
    if not all(1 <= len(part) <= 64 for part in job.parts):
        raise LawBroken("The label of a part has 1 to 64 characters.")
    for option in options_of(job):
        if not option.sentence:
            raise LawBroken(f"The option {option.name} has a sentence: Meta(description=...).")
        if option.example == NO_EXAMPLE:
            raise LawBroken(
                f"The option {option.name}, which must be given, has an example: Meta(examples=[...])."
            )


def _check_shown(job: Job, answer: Mapping[str, Any]) -> None:
    for name in names_in(job.shown.headline):
        if value_of(name, answer, job.parts) is None:
            raise LawBroken(
                f"A headline is made of numbers and texts of the answer: there is no {name}, nor has any of "
                f"its parts such a number."
            )
    tables = {table.field for table in find(answer, job.part, job.parts).tables}
    for field in job.shown.tables:
        if field not in tables:
            raise LawBroken(f"The tables that come first are in the answer: no table is in a field {field}.")


def _check_again(run: Carried, stored: Objects) -> None:
    """Blocks are mapped once more in another order, and between others."""
    job, measured = run.job, run.measured
    if job.prepare(job.measure(stored.for_all()), run.context.options) != measured:
        raise LawBroken("Measuring again gives the same.")
    blocks = _blocks(measured.units, range(0, measured.units, -(-measured.units // 5) or 1))
    first = {block: _map(job, block, stored, run.context) for block in blocks}
    for block in [*reversed(blocks), *blocks]:
        if _map(job, block, stored, run.context) != first[block]:
            raise LawBroken("Mapping a block again gives the same, whatever was mapped in between.")


def _check_position(run: Carried, texts: Sequence[bytes]) -> None:
    """Map the last object behind one that is empty, and behind one that is not."""
    if run.job.unit != BYTES or not any(texts):
        return
    text = next(text for text in reversed(texts) if text)
    lines = []
    for before in (b"", text):
        block = Span(len(before), len(before) + len(text))
        mapped = _map(run.job, block, Objects([before, text]), run.context)
        lines.append([line.data for line in mapped.lines])
    if lines[0] != lines[1]:
        raise LawBroken(
            "What lies before does not matter: map gave other lines for the same object, because of the "
            "addresses of its block or the size of the input. Use the key and offset that feed gives."
        )


def _stored(what: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """``value`` as it comes back from the results table."""
    text = _canonical(what, value)
    try:
        TypeSerializer().serialize(json.loads(text, parse_float=Decimal))  # which knows DynamoDB's bounds
    except (TypeError, ArithmeticError) as error:
        raise LawBroken(f"DynamoDB cannot hold {what}: {error}") from error
    if len(text.encode()) > MAX_ITEM_BYTES:
        raise LawBroken(f"DynamoDB cannot hold {what}: an item has at most {MAX_ITEM_BYTES} bytes.")
    stored: dict[str, Any] = from_attribute(to_attribute(json.loads(text)))
    _equal(f"{what} comes back from the results table as it is", value, stored)
    return stored


def _canonical(what: str, value: Any) -> str:
    """``value`` as JSON that is the same for equal values, however their keys are ordered."""
    _check_keys(what, value)
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=True)
        text.encode()
    except (TypeError, ValueError) as error:
        raise LawBroken(f"JSON in UTF-8 cannot hold {what}: {error}") from error
    return text


def _check_keys(what: str, value: Any) -> None:
    match value:
        case Mapping():
            if not all(isinstance(key, str) and key for key in value):
                raise LawBroken(f"Keys are strings, and none is empty: one of {what} breaks that.")
            for entry in value.values():
                _check_keys(what, entry)
        case list() | tuple():
            for entry in value:
                _check_keys(what, entry)


def _equal(law: str, expected: Any, found: Any) -> None:
    """1.0 equals 1: numbers come back from the table without their type."""
    texts = [_canonical("what is compared", value) for value in (expected, found)]
    if json.loads(texts[0]) != json.loads(texts[1]):
        raise LawBroken(f"{law[0].upper()}{law[1:]}:\n{texts[0][:1000]}\nis not\n{texts[1][:1000]}")


def _hostile(objects: Sequence[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Bytes of all kinds, and the objects themselves with some of their bytes cut out or written over."""
    changed = st.builds(
        lambda data, at, cut, noise: (
            data[: at % (len(data) + 1)] + noise + data[at % (len(data) + 1) + cut :]
        ),
        st.sampled_from(list(objects) or [b""]),
        st.integers(0, 1 << 30),
        st.integers(0, 100) | st.just(1 << 30),
        ANY_BYTES,
    )
    return st.lists(ANY_BYTES | changed, min_size=1, max_size=3)
