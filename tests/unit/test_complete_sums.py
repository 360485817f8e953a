"""Complete sums: what reducers store is what is read back, in order, or an error."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fanfold.errors import RunError
from fanfold.runs.complete import CompleteSums, Row
from lambda_src.counts import Add, Column, c_counts, counts_job, python_counts
from lambda_src.counts.table import Limits, Table
from lambda_src.errors import ConservationBroken, InvalidRequest, RunConflict, Transient
from lambda_src.fan_out import map_reduce
from lambda_src.input.addresses import Placed, Portion
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Measured, Shards, load, names
from lambda_src.run.map_block import map_block
from lambda_src.run.ranges import ranges_of
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.run.reduce_shards import finish_shards
from lambda_src.store.keys import complete_key, results_of
from lambda_src.wire.reports import (
    AllPartsReport,
    BlockReport,
    LogResultsReport,
    PartReport,
    ShardReport,
)
from lambda_src.wire.requests import (
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    ParseBlockRequest,
    ParseFileRequest,
    RunContext,
)
from lambda_src.wire.source import Source
from tests.unit.test_left_out import Blobs
from tests.unit.test_orchestrator import Table as FakeTable
from tests.unit.test_run_by_key import KeyRun, raising

PARTS = ("a", "b", "c")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "BACKOFF_S", 0.0)


COLUMNS = ("count", "bytes", "least")


def count(text: bytes, add: Add) -> None:
    """Lines of a part, a key and a number."""
    for line in text.decode().removesuffix("\n").split("\n"):
        if line:
            part, key, number = line.split("\t")
            add(part, key, 1, int(number), int(number))


JOB = counts_job(
    rules="1",
    part="part",
    parts=PARTS,
    columns=("count", "bytes", Column("least", "min")),
    count=count,
)

KEY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n"), max_size=6) | st.text(
    "ab\x00", max_size=20
)
LINES = st.lists(st.tuples(st.sampled_from(PARTS), KEY, st.integers(-9, 9)), max_size=60)
SHARDS = st.sampled_from([Shards("part", 3, "run"), *(Shards("key", number, "run") for number in (1, 2, 5))])
TABLES = st.sampled_from([c_counts.Table, python_counts.Table])
Lines = Sequence[tuple[str, str, int]]


def oracle(lines: Lines) -> list[Row]:
    found: dict[tuple[int, str], list[int]] = {}
    for part, key, number in lines:
        held = found.setdefault((PARTS.index(part), key), [0, 0, number])
        held[:] = [held[0] + 1, held[1] + number, min(held[2], number)]
    return [
        Row(PARTS[part], key, dict(zip(COLUMNS, counts, strict=True)))
        for (part, key), counts in sorted(found.items())
    ]


def mapped(lines: Lines, block_bytes: int, shards: Shards, blobs: Blobs) -> list[BlockReport]:
    text = "".join(f"{part}\t{key}\t{number}\n" for part, key, number in lines).encode()
    reports = []
    for number, start in enumerate(range(0, len(text), block_bytes)):
        request = ParseBlockRequest(
            "run",
            Source("bucket", "key", "etag", len(text)),
            number,
            start,
            min(start + block_bytes, len(text)),
            Portion([Placed(0, "0", len(text), "", "plain")], None),
            JOB.rules,
            RunContext("job", shards, {}, {}),
        )
        reports.append(map_block(JOB, request, input_of_bytes([text], "plain"), blobs))
    return reports


def reduced(blocks: list[BlockReport], shards: Shards, blobs: Blobs) -> list[PartReport]:
    context = RunContext("job", shards, {}, {})
    reports = [
        reduce_shard(
            JOB,
            GetOccurrencesRequest(
                "run", "owner", shard, "1", context, None, ranges_of(blocks, shard), keep="all"
            ),
            blobs,
        )
        for shard in range(shards.count)
    ]
    parts = [report for report in reports if isinstance(report, PartReport)]
    if parts:
        return parts
    request = GetAllOccurrencesRequest("run", "owner", 9, "1", context, keep="all")
    return finish_shards(JOB, request, [report for report in reports if isinstance(report, ShardReport)])


def read_from(blobs: Blobs) -> Callable[[str, int, int], bytes]:
    def get(name: str, start: int, end: int) -> bytes:
        if (body := blobs.stored.get(complete_key("run", name))) is None:
            raise RunError(f"{name} is missing")
        return body[start:end]

    return get


def rows_of(parts: Sequence[PartReport], blobs: Blobs) -> list[Row]:
    return list(CompleteSums("the run", parts, read_from(blobs)).rows(COLUMNS))


def small(table: type[Table], keys: int) -> ExitStack:
    """Everything is so small that there are several of each: passes, rows, objects, windows."""
    stack = ExitStack()
    for name, value in {
        "lambda_src.counts.table_type": lambda: table,
        "lambda_src.counts.ROWS_BYTES": 40,
        "lambda_src.counts.c_counts.limits": lambda _: Limits(keys, 1000),
        "lambda_src.counts.python_counts.LIMITS": Limits(keys * len(COLUMNS), 1000),
        "lambda_src.store.complete.OBJECT_BYTES": 150,
        "fanfold.runs.complete.SMALLEST_WINDOW": 30,
        "fanfold.runs.complete.WINDOWS_BYTES": 100,
    }.items():
        stack.enter_context(mock.patch(name, value))
    return stack


# A pass has room for the sums of one key at least, which may be in every part.
@given(LINES, st.integers(5, 400), SHARDS, TABLES, st.integers(len(PARTS), 30))
@settings(max_examples=150)
def test_all_that_was_counted_comes_back_in_order(
    lines: Lines, block_bytes: int, shards: Shards, table: type[Table], keys: int
) -> None:
    blobs = Blobs()
    blocks = mapped(lines, block_bytes, shards, blobs)
    with small(table, keys):
        parts = reduced(blocks, shards, blobs)
        assert rows_of(parts, blobs) == oracle(lines)
    assert [report.part for report in parts] == list(PARTS)
    for report in parts:
        assert report.observations == sum(part == report.part for part, *_ in lines)
        assert sum(section.observed for section in report.complete) == report.observations


MANY: Lines = [(PARTS[number % 3], f"key {number % 70}", number) for number in range(300)]
BY_KEY = Shards("key", 3, "run")


@pytest.fixture
def kept() -> Iterator[tuple[list[PartReport], Blobs]]:
    blobs = Blobs()
    blocks = mapped(MANY, 500, BY_KEY, blobs)
    with small(c_counts.Table, 30):
        parts = reduced(blocks, BY_KEY, blobs)
        for key in [key for key in blobs.stored if not key.startswith(results_of("run"))]:
            del blobs.stored[key]
        assert len(blobs.stored) > 6
        yield parts, blobs


def test_each_byte_is_verified(kept: tuple[list[PartReport], Blobs]) -> None:
    parts, blobs = kept
    for key, body in sorted(blobs.stored.items()):
        for at in range(0, len(body), 7):
            blobs.stored[key] = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            with pytest.raises(RunError, match="are damaged"):
                rows_of(parts, blobs)
        for shorter in (body[:-1], b""):
            blobs.stored[key] = shorter
            with pytest.raises(RunError, match="are damaged"):
                rows_of(parts, blobs)
        del blobs.stored[key]
        with pytest.raises(RunError, match="is missing"):
            rows_of(parts, blobs)
        blobs.stored[key] = body
    assert rows_of(parts, blobs) == oracle(MANY)


def test_objects_that_changed_places_are_noticed(kept: tuple[list[PartReport], Blobs]) -> None:
    parts, blobs = kept
    one, other, *_ = sorted(blobs.stored)
    blobs.stored[one], blobs.stored[other] = blobs.stored[other], blobs.stored[one]
    with pytest.raises(RunError, match="are damaged"):
        rows_of(parts, blobs)


def test_a_report_that_lost_a_section_is_noticed(kept: tuple[list[PartReport], Blobs]) -> None:
    parts, blobs = kept
    lost = [replace(parts[0], complete=parts[0].complete[1:]), *parts[1:]]
    with pytest.raises(RunError, match=r"those of a have [0-9]+ of 100 observations"):
        rows_of(lost, blobs)


def test_attempts_do_not_mix(kept: tuple[list[PartReport], Blobs]) -> None:
    """A second one, with other blocks even, leaves what the first has stored as it was."""
    parts, blobs = kept
    before = dict(blobs.stored)
    again = reduced(mapped(MANY[:50], 200, BY_KEY, blobs), BY_KEY, blobs)
    assert before.items() <= blobs.stored.items()
    assert rows_of(parts, blobs) == oracle(MANY)
    assert rows_of(again, blobs) == oracle(MANY[:50])


def test_a_reducer_that_stores_less_than_it_counted_fails() -> None:
    blobs = Blobs()
    blocks = mapped(MANY, 500, BY_KEY, blobs)

    def forgets(self: Any, part: int, most: int) -> Iterator[Any]:
        yield from list(rows(self, part, most))[1:]

    rows = c_counts.Table.rows
    with (
        mock.patch.object(c_counts.Table, "rows", forgets),
        small(c_counts.Table, 300),
        pytest.raises(ConservationBroken, match="complete sums of shard 0"),
    ):
        reduced(blocks, BY_KEY, blobs)


class PartsTable(FakeTable):
    """Keeps parts by their number."""

    def put_parts(self, reports: Any, owner: str) -> None:
        assert self.record is not None
        assert self.record.owner == owner
        self.lengths.update({PARTS.index(report.part): report for report in reports})

    def get_parts(self) -> list[PartReport]:
        return [self.lengths[number] for number in sorted(self.lengths)]


class KeepingRun(KeyRun):
    """A run of ``JOB`` on ``MANY``."""

    text = "".join(f"{part}\t{key}\t{number}\n" for part, key, number in MANY).encode()

    def __init__(self) -> None:
        super().__init__(JOB)
        self.bytes, self.table = len(self.text), PartsTable()

    def block(self, request: ParseBlockRequest) -> BlockReport:
        self.parsed.append(request.block)
        return map_block(self.job, request, input_of_bytes([self.text], "plain"), self.blobs)

    def measure(self, *_: object) -> Measured:
        return Measured(len(self.text), {})

    def log(self, _: object) -> LogResultsReport:
        return LogResultsReport(len(PARTS))


@pytest.mark.parametrize("shards", [{"shard_by": "part"}, {"shards": 4, "shard_by": "key"}])
def test_a_run_that_keeps_everything_says_so_and_has_it(shards: dict[str, Any]) -> None:
    run = KeepingRun()
    answer = run.start(ParseFileRequest(key="key", block_bytes=1000, keep="all", **shards))
    record = run.table.records[-1]
    parts = run.table.get_parts()
    assert rows_of(parts, run.blobs) == oracle(MANY)
    size = sum(len(body) for key, body in run.blobs.stored.items() if key.startswith("results/run/"))
    assert answer.all_results == {"prefix": "results/run/", "keys": len(oracle(MANY)), "bytes": size}
    assert (record.keep, record.kept) == ("all", {"keys": len(oracle(MANY)), "bytes": size})
    plain = KeepingRun()
    without = plain.start(ParseFileRequest(key="key", block_bytes=1000, **shards))
    assert without.results == answer.results
    assert not hasattr(without, "all_results")
    assert not any(key.startswith("results/") for key in plain.blobs.stored)


def test_a_resumed_run_keeps_what_it_began_with() -> None:
    run = KeepingRun()
    with pytest.raises(Transient):
        run.start(ParseFileRequest(key="key", keep="all"), log_results=raising(Transient("no log")))
    assert run.start(ParseFileRequest(key="key")).all_results["keys"] == len(oracle(MANY))
    without = KeepingRun()
    with pytest.raises(Transient):
        without.start(ParseFileRequest(key="key"), log_results=raising(Transient("no log")))
    with pytest.raises(RunConflict, match="keep: the run began without 'all'"):
        without.start(ParseFileRequest(key="key", keep="all"))


def test_a_job_without_complete_sums_is_refused() -> None:
    with_sums = {name for name in names() if load(name).complete}
    assert with_sums == {"access_log", "grep", "top_words"}
    for name in names():
        load(name).check_keep(None)
        if name in with_sums:
            load(name).check_keep("all")
        else:
            with pytest.raises(InvalidRequest, match="keep: this job has no complete sums"):
                load(name).check_keep("all")


def test_a_late_reducer_of_a_run_that_fails_the_proof_is_noticed() -> None:
    """All that is stored is added up once more, over all shards."""
    run = KeepingRun()

    def loses(request: Any) -> AllPartsReport:
        found = run.all_lengths(request)
        return replace(found, parts=[replace(found.parts[0], complete=[]), *found.parts[1:]])

    with pytest.raises(ConservationBroken, match="complete sums of part a that were stored have 0"):
        run.start(ParseFileRequest(key="key", keep="all", shards=2), get_all_occurrences=loses)
