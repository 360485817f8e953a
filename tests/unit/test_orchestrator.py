"""A run with fake services: it is exact or FAILED, and leaves nothing that is half true."""

import contextlib
import copy
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lambda_src.errors import (
    AccessDenied,
    BlobDamaged,
    BudgetExceeded,
    CapacityExhausted,
    ConservationBroken,
    FanfoldError,
    FanOutFailed,
    InvalidRequest,
    NoProgress,
    RulesChanged,
    RunCancelled,
    RunConflict,
    SourceChanged,
    SourceNotFound,
    Throttled,
    Transient,
    by_name,
)
from lambda_src.fan_out import map_reduce
from lambda_src.fan_out.drivers import Threads
from lambda_src.input import addresses
from lambda_src.input.addresses import Listing, Placed
from lambda_src.input.formats import Format
from lambda_src.job import Finding, FoundIn, Measured, Owned, Place
from lambda_src.jobs.top_words import JOB
from lambda_src.run import lease, ledger, reduce_stage, state, warming
from lambda_src.run.orchestrator import execute
from lambda_src.run.ports import Ports
from lambda_src.run.summary import plain_warnings
from lambda_src.telemetry.calls import Call, Trace, Usage
from lambda_src.wire.record import RunRecord, RunWarning
from lambda_src.wire.reports import (
    AllPartsReport,
    BlockReport,
    LogResultsReport,
    Manifest,
    PartReport,
    Warmed,
)
from lambda_src.wire.requests import (
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    HandOverRequest,
    LogResultsRequest,
    ParseBlockRequest,
    ParseFileRequest,
    Pinned,
)
from lambda_src.wire.source import Source


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "BACKOFF_S", 0.0)


USAGE = Usage(1024, 0.0, 10.0, 0.0, 0.0, {})


class Table:
    """The results table of one run, in memory."""

    def __init__(self) -> None:
        self.record: RunRecord | None = None
        self.records: list[RunRecord] = []
        self.lengths: dict[int, PartReport] = {}
        self.cancelled = False

    def get_run(self) -> RunRecord | None:
        return self.record

    def claim(self, record: RunRecord, found: RunRecord | None) -> None:
        assert found is self.record
        at_rest = found is None or found.status in ("FAILED", "CANCELLED")
        abandoned = found and found.status == "RUNNING" and found.lease_until < time.time()
        if not (at_rest or abandoned):
            raise RunConflict("another")
        self.end_run(record)

    def take_over(self, record: RunRecord, released_by: str) -> None:
        found = self.record
        released = found and found.status == "RUNNING" and found.released and found.owner == released_by
        if not released:
            raise RunConflict("another")
        self.end_run(record)

    def put_run(self, record: RunRecord) -> None:
        if self.cancelled:
            raise RunCancelled("The run was cancelled.")
        self.end_run(record)

    def end_run(self, record: RunRecord) -> None:
        self.record = copy.deepcopy(record)
        self.records.append(self.record)

    def get_parts(self) -> list[PartReport]:
        return list(self.lengths.values())

    def count_parts(self) -> int:
        return len(self.lengths)

    def put_parts(self, reports: Sequence[PartReport], owner: str) -> None:
        assert self.record is not None
        assert self.record.owner == owner
        self.lengths.update({int(report.part): report for report in reports})

    def delete_parts(self, owner: str) -> None:
        assert self.record is not None
        assert self.record.owner == owner
        self.lengths = {}


BY_LENGTH = msgspec.structs.replace(JOB, sharded_by=("part",))


class Run:
    """An object of ``blocks`` blocks of ten bytes, each with one word of three letters and one of four."""

    def __init__(self, blocks: int) -> None:
        self.table = Table()
        self.job = BY_LENGTH
        self.bytes = 10 * blocks
        self.logged = 0
        self.warmed: list[str] = []
        self.ended: list[RunRecord] = []
        self.etag = "etag"
        self.parsed: list[int] = []
        self.stored: dict[int, BlockReport] = {}
        self.checked = 0
        self.deleted: list[int] = []
        self.damaged: set[int] = set()
        self.handed_over: list[HandOverRequest] = []
        self.manifest: Manifest | None = None
        self.trace: Trace | None = None

    def block(self, request: ParseBlockRequest) -> BlockReport:
        words = [0, 0, 1, 1] + [0] * 16
        self.parsed.append(request.block)
        self.stored[request.block] = BlockReport(
            request.block, Owned(request.start, request.end), 1024, [3] * 20, words, {"longer_words": 1}
        )
        return self.stored[request.block]

    def find(self, request: ParseBlockRequest, check_lines: bool) -> BlockReport | None:
        self.checked += check_lines
        return None if check_lines and request.block in self.damaged else self.stored.get(request.block)

    def length(self, length: int) -> PartReport:
        counted = sum(block.observations[length - 1] for block in self.stored.values())
        top = [{"word": "w" * length, "count": counted}] if counted else []
        result = {"words": counted, "top_words": top}
        return PartReport(str(length), len(self.stored), counted, result)

    def all_lengths(self, _: object) -> AllPartsReport:
        for length in range(1, 21):
            self.table.lengths[length] = self.length(length)
        return AllPartsReport([self.table.lengths[length] for length in range(1, 21)])

    def log(self, _: LogResultsRequest) -> LogResultsReport:
        self.logged += 1
        return LogResultsReport(20)

    def pin(self, _: RunRecord) -> Pinned:
        objects = [Placed(0, "key", self.bytes, self.etag, "plain")]
        return Pinned(Source("bucket", "key", self.etag, self.bytes), Listing(objects))

    def warm(self, function: str) -> Warmed:
        self.warmed.append(function)
        return Warmed(USAGE)

    def put_manifest(self, manifest: bytes) -> None:
        self.manifest = msgspec.json.decode(manifest, type=Manifest)

    def nearly_over(self) -> float:
        """The remaining time of an invocation that runs out of it while blocks are mapped."""
        return 900.0 if len(self.parsed) < 20 else lease.HANDOVER_S - 1

    def run(self, request: ParseFileRequest | None = None, **changed: Any) -> Any:
        services: dict[str, Any] = {
            "remaining_s": lambda: 900.0,
            "usage": lambda: USAGE,
            "publish": lambda record: self.ended.append(copy.deepcopy(record)),
            "pin": self.pin,
            "measure": lambda source, _: Measured(source.bytes, {"bytes": source.bytes}),
            "parse_block": self.block,
            "get_all_occurrences": self.all_lengths,
            "get_occurrences": lambda request: self.length(request.shard + 1),
            "log_results": self.log,
            "warm": self.warm,
            "hand_over": self.handed_over.append,
            "put_listing": lambda _: None,
            "find_report": self.find,
            "get_family": lambda *_: None,
            "put_family": lambda *_: None,
            "put_manifest": self.put_manifest,
            "get_trace": lambda: self.trace,
            "put_trace": lambda trace: setattr(self, "trace", trace),
            "delete": lambda reports: self.deleted.append(len(reports)),
        }
        assert changed.keys() <= services.keys()
        port = SimpleNamespace(**services | changed)
        ports = Ports(port, port, port, port, self.table)
        request = request or ParseFileRequest(key="key", block_bytes=10, max_concurrency=4)
        return SimpleNamespace(**execute(self.job, "run", "bucket", request, ports))


def test_a_run_answers_and_records_success() -> None:
    job = Run(blocks=3)
    summary = job.run()
    assert (summary.status, summary.blocks, summary.words, summary.longer_words) == ("SUCCEEDED", 3, 6, 3)
    assert summary.top_words["3"] == [{"word": "www", "count": 3}]
    assert summary.top_words["20"] == []
    assert list(summary.top_words) == [str(length) for length in range(1, 21)]
    assert set(summary.seconds) == {"claim", "parse", "reduce", "log"}
    last = job.table.records[-1]
    assert (last.status, last.stage, last.blocks_done, last.blocks_kept) == ("SUCCEEDED", "done", 3, 0)
    assert job.logged == 1


@pytest.mark.parametrize("slow", ["pin", "measure", "put_listing", "put_manifest"])
def test_the_lease_is_renewed_while_something_takes_long(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 pages are listed, a table is measured, or S3 takes a minute for a manifest."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.001)
    monkeypatch.setattr(addresses, "INLINE_BYTES", 0)  # so that the listing is stored
    job = Run(blocks=3)
    work: dict[str, Callable[..., Any]] = {
        "pin": job.pin,
        "measure": lambda source, _: Measured(source.bytes, {}),
        "put_listing": lambda _: None,
        "put_manifest": job.put_manifest,
    }

    def takes_long(*given: Any) -> Any:
        renewed = len(job.table.records) + 2
        ends_at = time.monotonic() + 5
        while len(job.table.records) < renewed:
            assert time.monotonic() < ends_at, "nobody renews the lease"
            time.sleep(0.001)
        return work[slow](*given)

    assert job.run(None, **{slow: takes_long}).status == "SUCCEEDED"


def test_the_lease_is_renewed_while_the_trace_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.001)
    job = Run(blocks=3)

    def takes_long(trace: Trace) -> None:
        renewed, ends_at = len(job.table.records) + 2, time.monotonic() + 5
        while len(job.table.records) < renewed:
            assert time.monotonic() < ends_at, "nobody renews the lease"
            time.sleep(0.001)
        assert {record.status for record in job.table.records} == {"RUNNING"}  # the trace belongs to the rest
        job.trace = trace

    assert job.run(put_trace=takes_long).status == "SUCCEEDED"
    assert job.trace
    assert job.table.record
    assert job.table.record.status == "SUCCEEDED"


def test_the_trace_is_stored_while_the_results_are_logged() -> None:
    job, stored = Run(blocks=3), threading.Event()

    def put_trace(trace: Trace) -> None:
        job.trace = trace
        stored.set()

    def log_results(_: LogResultsRequest) -> LogResultsReport:
        assert stored.wait(5), "nobody stores the trace"
        return LogResultsReport(20)

    assert job.run(put_trace=put_trace, log_results=log_results).status == "SUCCEEDED"
    assert job.trace
    assert job.table.record
    assert {call.function for call in job.trace.calls} == {"parse_block", "get_all_occurrences"}
    assert [call.function for call in job.table.record.last_calls] == ["log_results", "parse_file"]


def test_the_trace_is_stored_once_more_if_the_run_fails_while_the_results_are_logged() -> None:
    """What is stored last is whole, though S3 is slow with what was stored before."""
    job, traces, failed = Run(blocks=3), list[Trace](), threading.Event()

    def put_trace(trace: Trace) -> None:
        if not traces:
            assert failed.wait(5)
        traces.append(trace)

    def log_results(_: LogResultsRequest) -> LogResultsReport:
        failed.set()
        raise AccessDenied("no")

    with pytest.raises(AccessDenied):
        job.run(put_trace=put_trace, log_results=log_results)
    assert [len(trace.calls) for trace in traces] == [4, 6]
    assert [call.function for call in traces[1].calls[-2:]] == ["log_results", "parse_file"]
    assert job.table.record
    assert job.table.record.last_calls == []


def test_a_trace_that_s3_does_not_take_at_first_is_stored_again() -> None:
    job, faults = Run(blocks=3), [Transient("again")] * 2

    def put_trace(trace: Trace) -> None:
        if faults:
            raise faults.pop()
        job.trace = trace

    assert job.run(put_trace=put_trace).status == "SUCCEEDED"
    assert job.trace
    assert len(trace_of(job)) == 6


def test_a_trace_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invocation that hands over has a minute left, and must not spend it on a trace."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    monkeypatch.setattr(state, "TRACE_S", 0.01)
    released = threading.Event()
    job = Run(blocks=100)
    answer = job.run(remaining_s=job.nearly_over, put_trace=lambda _: released.wait(5))
    released.set()
    assert (answer.status, len(job.handed_over)) == ("RUNNING", 1)
    assert '"event":"trace_not_written"' in capsys.readouterr().out


class Shaky(Table):
    """Every call fails at first: the table is slow for a moment."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.failures: Counter[str] = Counter()
        self.times = times

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found):
            return found

        def call(*given: Any) -> Any:
            if self.failures[name] < self.times:
                self.failures[name] += 1
                raise Transient("The connection to DynamoDB failed: timed out")
            return found(*given)

        return call


@pytest.mark.parametrize("slow", ["nothing", "parse_block", "get_all_occurrences"])
def test_a_table_that_is_slow_for_a_moment_fails_no_run(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.001)
    job = Run(blocks=3)
    job.table = Shaky(2)
    work = {"parse_block": job.block, "get_all_occurrences": job.all_lengths}

    def takes_long(request: Any) -> Any:
        time.sleep(0.02)  # ten ticks
        return work[slow](request)

    changed = {slow: takes_long} if slow in work else {}
    assert job.run(None, **changed).status == "SUCCEEDED"
    assert job.table.failures["claim"] == 2


def test_a_run_is_handed_over_when_the_table_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    failures = [Transient("The connection to DynamoDB failed: timed out")] * 2

    class Slow(Table):
        def put_run(self, record: RunRecord) -> None:
            if record.released and failures:
                raise failures.pop()
            super().put_run(record)

    job = Run(blocks=100)
    job.table = Slow()
    assert job.run(remaining_s=job.nearly_over).status == "RUNNING"
    assert len(job.handed_over) == 1


def test_a_lost_answer_is_asked_for_at_a_table_that_is_slow() -> None:
    job = Run(blocks=3)
    job.table = Shaky(2)

    def lost(request: object) -> AllPartsReport:
        job.all_lengths(request)
        raise Transient("the connection was lost")

    assert job.run(get_all_occurrences=lost).status == "SUCCEEDED"


@pytest.mark.parametrize(("renewals_s", "ends"), [([0.0, 29.0, 29.0], False), ([0.0, 29.0, 29.0, 9.5], True)])
def test_a_renewal_is_tried_again_for_as_long_as_nobody_needs_the_run(
    renewals_s: list[float], ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call takes so long; the first one succeeds."""
    now, times = [1e9], iter(renewals_s)

    class Slow(Table):
        def put_run(self, record: RunRecord) -> None:
            spent_s = next(times)
            now[0] += spent_s
            if spent_s:
                raise Transient("timed out")
            super().put_run(record)

    def clock() -> float:
        return now[0]

    monkeypatch.setattr(lease, "time", SimpleNamespace(time=clock, monotonic=clock))
    record = RunRecord(run_id="run", owner="me", started_at=1e9)
    kept = lease.Lease(record, Slow(), lambda: 900.0)
    for _ in renewals_s[:-1]:
        kept.renew()
        now[0] += map_reduce.TICK_S
    with pytest.raises(Transient) if ends else contextlib.nullcontext():
        kept.renew()


def test_blobs_are_deleted_once_the_record_is_final() -> None:
    job = Run(blocks=3)

    def delete_blobs(reports: Sequence[BlockReport]) -> None:
        assert (job.table.records[-1].status, job.ended[-1].status) == ("SUCCEEDED", "SUCCEEDED")
        job.deleted.append(len(reports))

    with pytest.raises(FanOutFailed):
        job.run(parse_block=fails_at(job, 1), delete=delete_blobs)
    assert job.deleted == []  # to be resumed with
    job.run(delete=delete_blobs)
    job.run(delete=delete_blobs)  # answers from the table
    assert job.deleted == [3]


@pytest.mark.parametrize(
    "error", [AccessDenied("by S3"), Transient("S3 did not serve it"), Throttled("by S3")]
)
def test_blobs_that_cannot_be_deleted_fail_no_run(
    error: FanfoldError, capsys: pytest.CaptureFixture[str]
) -> None:
    def delete_blobs(_: Sequence[BlockReport]) -> None:
        raise error

    assert Run(blocks=3).run(delete=delete_blobs).status == "SUCCEEDED"
    assert (
        f'"event":"blobs_not_deleted","run_id":"run","error":"{type(error).__name__}"'
        in capsys.readouterr().out
    )


def test_an_empty_object_is_a_run_with_empty_lists_and_a_warning() -> None:
    summary = Run(blocks=0).run()
    assert [(warning["code"], warning["message"]) for warning in summary.warnings] == [
        ("empty_input", "s3://bucket/key is empty, so every count is zero.")
    ]
    assert (summary.status, summary.blocks, summary.words) == ("SUCCEEDED", 0, 0)
    assert all(words == [] for words in summary.top_words.values())


def test_an_archive_of_nothing_is_reported_as_an_empty_object_is() -> None:
    job = Run(blocks=3)

    def of_nothing(request: ParseBlockRequest) -> BlockReport:
        return msgspec.structs.replace(job.block(request), findings={"invalid_utf8": Finding(0, 0, None, [])})

    (warning,) = job.run(parse_block=of_nothing).warnings
    assert (warning["code"], warning["message"]) == (
        "empty_input",
        "s3://bucket/key holds no text, so every count is zero.",
    )


def test_a_run_keeps_its_job() -> None:
    run = Run(3)
    asked = ParseFileRequest(key="key", block_bytes=10, job="access_log")
    with pytest.raises(FanOutFailed):
        run.run(asked, parse_block=fails_at(run, 1))
    with pytest.raises(RunConflict, match="job: the run began with access_log: leave it out to resume"):
        run.run(msgspec.structs.replace(asked, job="top_words"))
    assert run.run(ParseFileRequest(key="key", job="access_log")).status == "SUCCEEDED"
    assert run.table.record
    assert run.table.record.job == "access_log"


def test_what_was_skipped_is_reported_and_names_that_are_included_stay_so() -> None:
    job = Run(blocks=3)
    warning = RunWarning("skipped_names", "Skipped 1 object.", "a/_b", count=1)
    seen: list[bool] = []

    def pin(record: RunRecord) -> Pinned:
        seen.append(record.include_hidden)
        return job.pin(record)._replace(warnings=[warning])

    asked = ParseFileRequest(key="key", block_bytes=10, include_hidden=True)
    with pytest.raises(FanOutFailed):
        job.run(asked, pin=pin, parse_block=fails_at(job, 1))
    resumed = ParseFileRequest(key="key")
    with pytest.raises(RunConflict, match="include_hidden: the run began with it: leave it out to resume"):
        job.run(msgspec.structs.replace(resumed, include_hidden=False), pin=pin)
    summary = job.run(resumed, pin=pin)
    assert summary.warnings == plain_warnings([warning])
    assert seen == [True, True]
    assert job.table.record
    assert job.table.record.include_hidden


def wrong_span(job: Run, start: int, end: int) -> Callable[[ParseBlockRequest], BlockReport]:
    def parse_block(request: ParseBlockRequest) -> BlockReport:
        report = job.block(request)
        if request.block == 1:
            return BlockReport(
                1, Owned(start, end), 1024, report.line_bytes, report.observations, report.extras
            )
        return report

    return parse_block


def wrong_length(job: Run, **changes: Any) -> Callable[[object], AllPartsReport]:
    def get_all_occurrences(request: object) -> AllPartsReport:
        reports = job.all_lengths(request).parts
        reports[3] = msgspec.structs.replace(reports[3], **changes)
        return AllPartsReport(reports)

    return get_all_occurrences


def missing_source(_: RunRecord) -> Pinned:
    raise SourceNotFound("s3://bucket/key does not exist: check bucket and key, or upload it.")


def unforeseen(_: object) -> AllPartsReport:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (lambda _: {"pin": missing_source}, SourceNotFound, "does not exist"),
        (
            lambda job: {"parse_block": wrong_span(job, 9, 20)},
            ConservationBroken,
            "overlaps byte 10, where the block before it ended. Start a new run.",
        ),
        (lambda job: {"parse_block": wrong_span(job, 11, 20)}, ConservationBroken, "gap after byte 10"),
        (
            lambda job: {"get_all_occurrences": wrong_length(job, blobs_read=2)},
            ConservationBroken,
            "length 4 read 2 of 3 blobs",
        ),
        (
            lambda job: {"get_all_occurrences": wrong_length(job, observations=2)},
            ConservationBroken,
            "The blocks observed 3 in length 4, but its reducer counted 2",
        ),
        (lambda job: {"get_all_occurrences": wrong_length(job, part="5")}, ConservationBroken, "lengths"),
        (lambda _: {"get_all_occurrences": unforeseen}, ZeroDivisionError, "a bug"),
    ],
)
def test_a_run_that_fails_says_why_and_leaves_no_top_words(
    changed: Callable[[Run], dict[str, Any]], error: type[Exception], message: str
) -> None:
    job = Run(blocks=3)
    with pytest.raises(error, match=message):
        job.run(**changed(job))
    last = job.table.records[-1]
    assert last.status == "FAILED"
    assert message in last.error
    assert job.table.lengths == {}
    assert job.logged == 0


def test_the_block_size_used_is_in_the_record() -> None:
    job = Run(blocks=0)
    job.bytes = 10**7
    summary = job.run()
    assert summary.block_bytes == 100  # 100,000 blocks at most
    assert summary.blocks == 100_000


def test_with_room_for_two_the_reducers_are_called_from_here() -> None:
    def no_room(_: object) -> AllPartsReport:
        raise CapacityExhausted("Every call was throttled")

    job = Run(blocks=3)
    summary = job.run(get_all_occurrences=no_room)
    assert (summary.status, summary.words) == ("SUCCEEDED", 6)
    assert summary.top_words["3"] == [{"word": "www", "count": 3}]


@pytest.mark.parametrize("stored", [20, 13, 0])
def test_what_is_stored_need_not_be_answered(stored: int) -> None:
    job = Run(blocks=3)
    calls: list[object] = []
    reduced: list[int] = []

    def get_all_occurrences(request: object) -> AllPartsReport:
        calls.append(request)
        job.all_lengths(request)
        for length in range(stored + 1, 21):
            del job.table.lengths[length]
        raise Transient("The connection to Lambda failed")

    def get_occurrences(request: GetOccurrencesRequest) -> PartReport:
        reduced.append(request.shard + 1)
        return job.length(request.shard + 1)

    summary = job.run(get_all_occurrences=get_all_occurrences, get_occurrences=get_occurrences)
    assert (summary.status, summary.words) == ("SUCCEEDED", 6)
    assert summary.top_words["3"] == [{"word": "www", "count": 3}]
    assert len(calls) == 1
    assert sorted(reduced) == list(range(stored + 1, 21))


def test_an_answer_that_is_lost_without_a_sign_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.01)
    monkeypatch.setattr(reduce_stage, "ANSWER_S", 0.05)
    job = Run(blocks=3)
    over = threading.Event()

    def get_all_occurrences(request: object) -> AllPartsReport:
        reports = job.all_lengths(request)
        assert over.wait(30)
        return reports

    try:
        summary = job.run(get_all_occurrences=get_all_occurrences, get_occurrences=unforeseen)
        assert not over.is_set()
    finally:
        over.set()
    assert (summary.status, summary.words) == ("SUCCEEDED", 6)


def test_what_is_stored_must_be_whole_too() -> None:
    job = Run(blocks=3)

    def get_all_occurrences(request: object) -> AllPartsReport:
        job.all_lengths(request)
        job.table.lengths[4] = PartReport("4", 3, 2, {"words": 2, "top_words": []})
        raise Transient("The connection to Lambda failed")

    with pytest.raises(ConservationBroken, match="observed 3 in length 4, but its reducer counted 2"):
        job.run(get_all_occurrences=get_all_occurrences)
    assert job.table.lengths == {}


def test_a_throttled_call_is_no_lost_answer() -> None:
    job = Run(blocks=3)
    throttles = iter([Throttled("slow down")] * 3)

    def get_all_occurrences(request: object) -> AllPartsReport:
        for throttle in throttles:
            raise throttle
        return job.all_lengths(request)

    assert job.run(get_all_occurrences=get_all_occurrences, get_occurrences=unforeseen).words == 6


def fails_at(job: Run, block: int) -> Callable[[ParseBlockRequest], BlockReport]:
    def parse_block(request: ParseBlockRequest) -> BlockReport:
        if request.block == block:
            raise InvalidRequest("poisoned")
        return job.block(request)

    return parse_block


@pytest.mark.parametrize("poisoned", [0, 3, 9])
def test_a_failed_run_is_resumed_with_the_blocks_that_are_missing(poisoned: int) -> None:
    job = Run(blocks=10)
    with pytest.raises(FanOutFailed, match=f"block {poisoned} .* poisoned"):
        job.run(parse_block=fails_at(job, poisoned))
    before = list(job.parsed)
    summary = job.run(ParseFileRequest(key="key"))
    assert summary.words == 20
    assert sorted(job.parsed) == list(range(10))
    last = job.table.records[-1]
    assert (last.status, last.blocks_kept, last.block_units, last.error) == ("SUCCEEDED", len(before), 10, "")


def test_the_only_block_that_fails_is_named() -> None:
    job = Run(blocks=1)
    with pytest.raises(FanOutFailed, match=r"block 0 \(bytes 0 to 10\): InvalidRequest: poisoned"):
        job.run(parse_block=fails_at(job, 0))
    assert job.table.records[-1].failures == ["block 0 (bytes 0 to 10): InvalidRequest: poisoned"]


def noting(requests: list[Any], work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``work``, which notes each of its requests."""

    def noted(request: Any) -> Any:
        requests.append(request)
        return work(request)

    return noted


def test_every_request_carries_the_rules() -> None:
    job = Run(blocks=2)
    requests: list[Any] = []

    def answer_lost(_: object) -> AllPartsReport:
        raise Transient("lost")

    job.run(
        parse_block=noting(requests, job.block),
        get_all_occurrences=noting(requests, job.all_lengths),
        log_results=noting(requests, job.log),
    )
    by_hand = noting(requests, lambda request: job.length(request.shard + 1))
    job.table.record = None
    job.run(get_all_occurrences=answer_lost, get_occurrences=by_hand)
    rules = {type(request): getattr(request, "rules", "") or request.record.rules for request in requests}
    assert rules == dict.fromkeys(
        [ParseBlockRequest, GetAllOccurrencesRequest, LogResultsRequest, GetOccurrencesRequest], JOB.rules
    )


def rules_changed(_: object) -> Any:
    raise RulesChanged("The run has other rules.")


@pytest.mark.parametrize("function", ["parse_block", "get_all_occurrences", "log_results"])
def test_a_deployment_in_the_middle_ends_the_run_by_that_name(function: str) -> None:
    job = Run(blocks=3)
    calls: list[Any] = []
    with pytest.raises(RulesChanged):
        job.run(None, **{function: noting(calls, rules_changed)})
    assert len(calls) == (3 if function == "parse_block" else 1)  # it is not tried again
    record = job.table.records[-1]
    assert (record.status, record.error) == ("FAILED", "RulesChanged: The run has other rules.")
    assert job.table.lengths == {}
    assert job.run().status == "SUCCEEDED"


def test_a_reducer_of_other_rules_ends_the_run_too() -> None:
    job = Run(blocks=3)

    def answer_lost(_: object) -> AllPartsReport:
        raise Transient("lost")

    with pytest.raises(RulesChanged):
        job.run(get_all_occurrences=answer_lost, get_occurrences=rules_changed)


def test_what_was_cut_off_by_other_rules_is_asked_for_by_those_that_are_deployed() -> None:
    job = Run(blocks=3)
    asked: list[Any] = []
    job.job = msgspec.structs.replace(BY_LENGTH, rules="older")
    with pytest.raises(FanOutFailed):
        job.run(parse_block=fails_at(job, 1))
    assert job.table.records[-1].rules == "older"
    job.job, job.stored = JOB, {}
    job.run(parse_block=noting(asked, job.block))
    assert [request.rules for request in asked] == [JOB.rules] * 3
    assert job.table.records[-1].rules == JOB.rules


def test_a_finished_run_is_no_answer_by_other_rules() -> None:
    job = Run(blocks=3)
    job.job = msgspec.structs.replace(BY_LENGTH, rules="older")
    job.run()
    job.job = JOB
    with pytest.raises(RulesChanged, match=r"run_id: the run run has the rules 'older', and the deployed"):
        job.run()
    assert job.table.record is not None
    job.table.record.rules = ""  # as in old records
    assert job.run().status == "SUCCEEDED"


def test_what_damaged_blobs_ended_is_resumed_with_a_look_at_every_line() -> None:
    job = Run(blocks=4)

    def damaged(_: object) -> AllPartsReport:
        raise BlobDamaged("blobs/x was changed: line 3 of block 2 is not the one that was written.")

    with pytest.raises(BlobDamaged):
        job.run(get_all_occurrences=damaged)
    assert job.table.records[-1].error.startswith("BlobDamaged: ")
    job.damaged = {2}
    assert job.run().status == "SUCCEEDED"
    assert (job.checked, job.parsed[4:]) == (4, [2])


def test_a_reducer_that_read_other_lines_ends_the_run() -> None:
    job = Run(blocks=3)
    with pytest.raises(ConservationBroken, match=r"length 4 read are not those of the blocks"):
        job.run(get_all_occurrences=wrong_length(job, lines_read="abc"))


def test_a_finished_run_answers_from_the_table() -> None:
    job = Run(blocks=3)
    summary = job.run()
    assert job.run(parse_block=fails_at(job, 0)) == summary
    # S3 need not be asked for the version that is named.
    named = ParseFileRequest(key="key", etag="etag")
    assert job.run(named, pin=missing_source, parse_block=fails_at(job, 0)) == summary
    assert len(job.parsed) == 3
    assert job.logged == 1


def test_a_finished_run_is_no_answer_for_another_version() -> None:
    job = Run(blocks=3)
    job.run()
    before = job.table.record
    refused = (
        r"^run_id: the run run is of s3://bucket/key as version etag, not another: leave run_id out to run "
        r"on that version; to read the result of the run: fanfold results run$"
    )
    with pytest.raises(SourceChanged, match=refused):
        job.run(ParseFileRequest(key="key", etag="another"), pin=missing_source)
    job.etag = "another"
    with pytest.raises(SourceChanged, match=refused):
        job.run()
    assert job.table.record is before
    assert len(job.table.lengths) == 20
    assert job.run(ParseFileRequest(key="key", etag="etag")).status == "SUCCEEDED"


def test_a_run_that_is_resumed_goes_on_with_the_version_that_it_began_with() -> None:
    """Even if the object was replaced; but a request for a finished run means the current object."""
    job, asked = Run(blocks=3), []

    def pin(record: RunRecord) -> Pinned:
        asked.append(record.version_id)
        pinned = job.pin(record)
        return pinned._replace(source=msgspec.structs.replace(pinned.source, version_id="V1"))

    with pytest.raises(FanOutFailed):
        job.run(parse_block=fails_at(job, 0), pin=pin)
    assert job.run(pin=pin).status == job.run(pin=pin).status == "SUCCEEDED"
    assert asked == ["", "V1", ""]
    assert job.table.records[-1].version_id == "V1"


@pytest.mark.parametrize("error", [SourceNotFound, AccessDenied])
def test_a_finished_run_whose_object_is_gone_says_so(error: type[Exception]) -> None:
    """Without an ETag a request means the current object, and there is none."""
    job = Run(blocks=3)
    job.run()

    def gone(_: RunRecord) -> Pinned:
        raise error("s3://bucket/key does not exist.")

    with pytest.raises(
        error, match=r"does not exist\. The run run of it has finished; .* fanfold results run$"
    ):
        job.run(pin=gone)
    assert len(job.table.lengths) == 20


def test_a_run_id_is_of_one_object_and_one_block_size() -> None:
    job = Run(blocks=3)
    with pytest.raises(FanOutFailed):
        job.run(parse_block=fails_at(job, 1))
    with pytest.raises(
        RunConflict, match="it is the run of s3://bucket/key; choose another for s3://bucket/other"
    ):
        job.run(ParseFileRequest(key="other"))
    with pytest.raises(RunConflict, match="blocks of 10 bytes, not 20"):
        job.run(ParseFileRequest(key="key", block_bytes=20))
    job.etag = "another"
    with pytest.raises(SourceChanged, match="replaced since the run began"):
        job.run()
    assert job.parsed in ([0], [0, 2], [2, 0])


def test_a_request_can_mean_one_version_of_the_object() -> None:
    job = Run(blocks=3)
    with pytest.raises(SourceChanged, match=r"^etag: s3://bucket/key is etag now, not another"):
        job.run(ParseFileRequest(key="key", etag="another", block_bytes=10))
    assert job.parsed == []
    assert job.run(ParseFileRequest(key="key", etag="etag", block_bytes=10)).words == 6


def test_an_event_that_comes_twice_begins_a_run_once() -> None:
    """The second one, even if it is late, neither repeats the run nor resumes it."""
    job = Run(blocks=3)
    request = ParseFileRequest(key="key", block_bytes=10, must_be_new=True)
    with pytest.raises(FanOutFailed):
        job.run(request, parse_block=fails_at(job, 1))
    parsed, record = list(job.parsed), job.table.records[-1]
    with pytest.raises(RunConflict, match="the run run already exists"):
        job.run(request)
    assert (job.parsed, job.table.records[-1]) == (parsed, record)
    assert job.run(ParseFileRequest(key="key", block_bytes=10)).status == "SUCCEEDED"


def test_of_two_at_once_one_is_told_so() -> None:
    job = Run(blocks=3)

    def second(request: ParseBlockRequest) -> BlockReport:
        with pytest.raises(RunConflict, match="another invocation works on the run run"):
            job.run()
        return job.block(request)

    assert job.run(parse_block=second).words == 6


def test_a_run_whose_owner_died_is_taken_over() -> None:
    job = Run(blocks=3)

    def killed(_: bytes) -> None:
        raise SystemExit  # no Exception: nothing is written after it

    with pytest.raises(SystemExit):
        job.run(put_manifest=killed)
    assert job.table.record is not None
    assert job.table.record.status == "RUNNING"
    with pytest.raises(RunConflict):
        job.run()
    job.table.record.lease_until = 0.0
    assert job.run().status == "SUCCEEDED"
    assert sorted(job.parsed) == [0, 1, 2]


def test_a_cancelled_run_starts_no_more_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    job = Run(blocks=1000)

    def parse_block(request: ParseBlockRequest) -> BlockReport:
        if request.block == 50:
            job.table.cancelled = True
        return job.block(request)

    with pytest.raises(RunCancelled):
        job.run(parse_block=parse_block)
    assert job.table.records[-1].status == "CANCELLED"
    assert len(job.parsed) < 100
    job.table.cancelled = False
    assert job.run().status == "SUCCEEDED"
    assert sorted(job.parsed) == list(range(1000))


def test_out_of_time_a_fresh_invocation_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    job = Run(blocks=100)
    summary = job.run(remaining_s=job.nearly_over)
    assert summary.status == "RUNNING"
    (request,) = job.handed_over
    released = job.table.record
    assert released is not None
    assert request == HandOverRequest(
        job="", key="key", run_id="run", block_bytes=10, max_concurrency=4, handed_over_by=released.owner
    )
    assert 0 < len(job.parsed) < 100
    finished = job.run(request)
    assert (finished.status, finished.words, finished.block_bytes) == ("SUCCEEDED", 200, 10)
    assert len(job.parsed) <= 100 + 4  # those under way were parsed once more


def test_an_invocation_that_brings_no_progress_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that never ends would be handed over, and billed, for ever."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    job = Run(blocks=3)
    released = threading.Event()

    def parse_block(request: ParseBlockRequest) -> BlockReport:
        if request.block == 1:
            released.wait(30)
        return job.block(request)

    def almost_over() -> float:
        parsed = job.table.record is not None and job.table.record.blocks_done == 2
        return lease.HANDOVER_S - 1 if parsed else 900.0

    try:
        assert job.run(parse_block=parse_block, remaining_s=almost_over).status == "RUNNING"
        with pytest.raises(NoProgress, match="finished no further block"):
            job.run(job.handed_over[0], parse_block=parse_block, remaining_s=almost_over)
    finally:
        released.set()
    assert job.table.records[-1].status == "FAILED"
    assert len(job.handed_over) == 1


def test_a_hand_over_that_fails_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    job = Run(blocks=100)

    def denied(_: ParseFileRequest) -> None:
        raise AccessDenied("AccessDenied by Lambda")

    with pytest.raises(AccessDenied):
        job.run(remaining_s=job.nearly_over, hand_over=denied)
    assert job.table.records[-1].status == "FAILED"


def handed_over(job: Run, monkeypatch: pytest.MonkeyPatch) -> HandOverRequest:
    """The request that the first invocation of ``job`` sent to the next when it ran out of time."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    assert job.run(remaining_s=job.nearly_over).status == "RUNNING"
    (request,) = job.handed_over
    return request


@pytest.mark.parametrize("clock_s", [-3600.0, 0.0, 3600.0])
def test_handing_over_compares_no_clocks(monkeypatch: pytest.MonkeyPatch, clock_s: float) -> None:
    job = Run(blocks=100)
    request = handed_over(job, monkeypatch)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + clock_s)
    assert job.run(request).status == "SUCCEEDED"


def test_a_hand_over_delivered_twice_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Run(blocks=100)
    request = handed_over(job, monkeypatch)
    monkeypatch.setattr(map_reduce, "TICK_S", 1e9)
    seconds: list[str] = []

    def second(_: bytes) -> None:
        before = job.table.record
        # Late enough for the lease to have run out: the first owner may have been frozen for a while.
        job.table.record.lease_until = 0.0  # type: ignore[union-attr]
        seconds.append(job.run(request).status)
        assert job.table.record is before

    def put_manifest(manifest: bytes) -> None:
        second(manifest)
        job.put_manifest(manifest)

    assert job.run(request, put_manifest=put_manifest).status == "SUCCEEDED"
    assert seconds == ["RUNNING"]
    parsed = list(job.parsed)
    assert job.run(request).status == "SUCCEEDED"
    assert job.parsed == parsed


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_hand_over_that_comes_late_resumes_nothing(monkeypatch: pytest.MonkeyPatch, status: Any) -> None:
    job = Run(blocks=100)
    request = handed_over(job, monkeypatch)
    assert job.table.record is not None
    job.table.record.status, job.table.record.lease_until = status, 0.0
    before, parsed = copy.deepcopy(job.table.record), list(job.parsed)
    assert job.run(request).status == status
    assert (job.table.record, job.parsed) == (before, parsed)


def test_a_hand_over_of_no_run_is_refused() -> None:
    request = HandOverRequest(key="key", run_id="run", handed_over_by="nobody")
    with pytest.raises(RunConflict, match="there is no run run"):
        Run(blocks=3).run(request)


def test_a_person_waits_for_the_next_invocation_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Run(blocks=100)
    request = handed_over(job, monkeypatch)
    with pytest.raises(RunConflict, match="another invocation works on the run run: wait for it"):
        job.run()
    assert job.table.record is not None
    job.table.record.lease_until = 0.0  # Lambda has not started it
    assert job.run().status == "SUCCEEDED"
    before = job.table.record
    assert job.run(request).status == "SUCCEEDED"
    assert job.table.record is before


def test_a_cancel_that_a_dead_owner_never_heard_stops_nobody_else() -> None:
    """A new request for the run overrules it."""
    job = Run(blocks=3)
    with pytest.raises(FanOutFailed):
        job.run(parse_block=fails_at(job, 1))
    assert job.table.record is not None
    job.table.record.status, job.table.record.lease_until = "RUNNING", 0.0
    job.table.record.cancel_requested = True
    assert job.run().status == "SUCCEEDED"


def test_what_a_run_is_bound_to_outlives_a_failed_resumption() -> None:
    job = Run(blocks=10)
    with pytest.raises(FanOutFailed):
        job.run(parse_block=fails_at(job, 5))
    with pytest.raises(SourceNotFound):
        job.run(pin=missing_source)
    kept = len(job.stored)
    with pytest.raises(RunConflict):
        job.run(ParseFileRequest(key="other"))
    assert job.run(ParseFileRequest(key="key")).block_bytes == 10
    assert job.table.records[-1].blocks_kept == kept


def test_a_log_of_too_few_lengths_fails_the_run() -> None:
    job = Run(blocks=3)
    with pytest.raises(ConservationBroken, match="holds 19 of 20 lengths"):
        job.run(log_results=lambda _: LogResultsReport(19))
    assert job.table.lengths == {}


def trace_of(job: Run) -> list[Call]:
    """The calls of the run's trace, in order of function, task and attempt."""
    assert job.trace
    assert job.table.record
    calls = [*job.trace.calls, *job.table.record.last_calls]
    return sorted(calls, key=lambda call: (call.function, len(call.task), call.task, call.attempt))


def ends_of(calls: list[Call]) -> list[tuple[str, str, int, str]]:
    return [(call.function, call.task, call.attempt, call.outcome) for call in calls]


class Worker:
    """A worker that reports its usage with every answer, and fails as ``faults`` say, by task and attempt."""

    def __init__(self, work: Callable[[Any], Any], faults: Mapping[tuple[int, int], str]) -> None:
        self._work, self._faults = work, faults
        self._attempts: Counter[int] = Counter()
        self.puts = self.invocations = 0
        self.gb_s = 0.0

    def __call__(self, request: ParseBlockRequest) -> BlockReport:
        self._attempts[request.block] += 1
        fault = self._faults.get((request.block, self._attempts[request.block]), "")
        if fault == "throttled":
            raise Throttled("slow down")
        usage = Usage(2048, 20.0, 5.5, 1.0, 1.0, {"s3_puts": 1.0})
        self.puts += 1
        self.invocations += 1
        self.gb_s += 2 * 0.026
        if fault:
            error = by_name(fault, "as the test wants")
            error.usage = usage
            raise error
        report: BlockReport = self._work(request)
        return msgspec.structs.replace(report, usage=usage)


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 5), st.integers(1, 3)),
        st.sampled_from(["throttled", "Transient", "InvalidRequest"]),
    )
)
@settings(deadline=None, max_examples=40)
def test_whatever_happens_what_was_used_is_what_the_workers_took(faults: dict[tuple[int, int], str]) -> None:
    """Also if a run fails, and is resumed until it succeeds."""
    job = Run(blocks=6)
    worker = Worker(job.block, faults)
    invocations = 0
    for _ in range(20):
        invocations += 1
        with contextlib.suppress(FanOutFailed):
            job.run(parse_block=worker, usage=lambda: Usage(1024, 0.0, 10.0, 0.0, 0.0, {"s3_gets": 1.0}))
            break
    record = job.table.records[-1]
    assert record.status == "SUCCEEDED"
    assert record.used["s3_puts"] == worker.puts
    assert job.manifest
    assert [report.usage for report in job.manifest.blocks] == [None] * 6
    assert record.used["s3_gets"] == invocations
    others = invocations + 2  # get_all_occurrences and log_results, which do not tell here
    assert record.used["invocations"] == worker.invocations + others
    own_gb_s = invocations * 0.01
    assert own_gb_s + worker.gb_s <= record.used["gb_s"] < own_gb_s + worker.gb_s + 1.0
    assert record.calls["throttled"] == sum(call.outcome == "throttled" for call in trace_of(job))
    assert record.calls["done"] == 6 + 2
    assert [call.task for call in trace_of(job) if call.outcome == "done"].count("block 3") == 1
    assert sum(call.function == "parse_file" for call in trace_of(job)) == invocations


def test_the_trace_holds_every_call_of_the_run() -> None:
    job = Run(blocks=3)
    inner = [Call("get_occurrences", f"length {n}", 1, 1.0, 2.0, 3.0, "done", usage=USAGE) for n in (1, 2)]

    def all_lengths(request: object) -> AllPartsReport:
        return msgspec.structs.replace(job.all_lengths(request), calls=inner, usage=USAGE)

    summary = job.run(get_all_occurrences=all_lengths)
    assert ends_of(trace_of(job)) == [
        ("get_all_occurrences", "all lengths", 1, "done"),
        ("get_occurrences", "length 1", 1, "done"),
        ("get_occurrences", "length 2", 1, "done"),
        ("log_results", "results", 1, "done"),
        ("parse_block", "block 0", 1, "done"),
        ("parse_block", "block 1", 1, "done"),
        ("parse_block", "block 2", 1, "done"),
        ("parse_file", "invocation 1", 1, "done"),
    ]
    last = job.table.records[-1]
    assert last.calls == {
        "running": 0, "at_most": 1, "slow": 0, "done": 7, "tried_again": 0, "throttled": 0, "copies": 0
    }  # fmt: skip
    assert summary.dollars == pytest.approx(sum(last.dollars.values()), rel=0.01)
    assert 0 < last.dollars_estimated < summary.dollars
    assert ", 2026-11" in last.prices


def test_a_run_that_fails_leaves_its_trace_and_its_price() -> None:
    job = Run(blocks=3)
    with pytest.raises(FanOutFailed):
        job.run(parse_block=fails_at(job, 0))
    calls = trace_of(job)
    assert calls[0].error == "InvalidRequest: poisoned"
    assert ends_of(calls)[0] == ("parse_block", "block 0", 1, "failed")
    assert ends_of(calls)[-1] == ("parse_file", "invocation 1", 1, "failed")
    assert calls[-1].error.startswith("FanOutFailed: ")
    assert job.table.records[-1].dollars["gb_s"] > 0


def test_a_run_that_is_handed_over_has_one_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Run(blocks=100)
    request = handed_over(job, monkeypatch)
    assert job.table.record is not None
    before = job.table.record.used["invocations"]
    assert ends_of(trace_of(job))[-1] == ("parse_file", "invocation 1", 1, "done")
    assert job.run(request).status == "SUCCEEDED"
    calls = trace_of(job)
    # The first invocation may have given calls up whose blocks were stored, and were found by the second.
    blocks = [call.task for call in calls if call.function == "parse_block"]
    assert set(blocks) == {f"block {number}" for number in range(100)}
    assert [call.attempt for call in calls if call.function == "parse_file"] == [1, 2]
    assert job.table.record.used["invocations"] == len(calls) > before


def test_a_hand_over_that_fails_is_in_the_trace_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    job = Run(blocks=100)

    def denied(_: ParseFileRequest) -> None:
        raise AccessDenied("AccessDenied by Lambda")

    with pytest.raises(AccessDenied):
        job.run(remaining_s=job.nearly_over, hand_over=denied)
    calls = trace_of(job)
    assert len(calls) == len({(call.function, call.task, call.attempt) for call in calls})
    assert ends_of(calls)[-1] == ("parse_file", "invocation 1", 1, "failed")


@pytest.mark.parametrize("error", [AccessDenied("AccessDenied by S3"), Transient("S3 did not serve")])
def test_a_trace_that_cannot_be_written_or_read_fails_no_run(error: FanfoldError) -> None:
    def fail(_: Any = None) -> Any:
        raise error

    job = Run(blocks=3)
    with pytest.raises(FanOutFailed):
        job.run(parse_block=fails_at(job, 0), put_trace=fail)
    assert job.run(get_trace=fail, put_trace=fail).status == "SUCCEEDED"
    assert job.table.records[-1].used["invocations"] > 5


def test_reducers_whose_answers_were_lost_are_paid_for_by_an_estimate() -> None:
    job = Run(blocks=3)

    def get_all_occurrences(request: object) -> AllPartsReport:
        job.all_lengths(request)
        raise Transient("The connection to Lambda failed")

    job.run(get_all_occurrences=get_all_occurrences, get_occurrences=unforeseen)
    reducers = [call for call in trace_of(job) if call.function == "get_occurrences"]
    assert len({call.task for call in reducers}) == 20
    assert {call.outcome for call in reducers} == {"given_up"}
    assert job.table.records[-1].used["invocations"] == 1 + 3 + 1 + 20 + 1


@pytest.mark.parametrize("fails", [False, True])
def test_the_stages_add_up_to_the_time_that_a_run_took(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    job = Run(blocks=3)
    passed_s = 0.0

    def after(seconds: float, work: Callable[..., Any]) -> Callable[..., Any]:
        def later(*request: Any) -> Any:
            nonlocal passed_s
            passed_s += seconds
            return work(*request)

        return later

    now, monotonic = time.time, time.monotonic
    monkeypatch.setattr(time, "time", lambda: now() + passed_s)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed_s)
    monkeypatch.setattr(job.table, "claim", after(5.0, job.table.claim))
    if fails:
        with pytest.raises(FanOutFailed):
            job.run(parse_block=fails_at(job, 0), pin=after(10.0, job.pin))
        passed_s += 1000.0  # nobody is at work
    job.run(
        pin=after(20.0, job.pin),
        get_all_occurrences=after(40.0, job.all_lengths),
        log_results=after(2.0, job.log),
    )
    last = job.table.records[-1]
    expected = {"claim": 5.0, "parse": 20.0, "reduce": 40.0, "log": 2.0}
    if fails:
        expected |= {"parse": 30.0, "idle": 1005.0}
    assert last.seconds == pytest.approx(expected, abs=1.0)
    assert sum(last.seconds.values()) == pytest.approx(last.finished_at - last.started_at, abs=0.05)


def test_the_record_is_written_twice_a_second_and_at_three_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claimed, blocks known, ended: whatever its size."""
    monkeypatch.setattr(map_reduce, "TICK_S", 1e9)
    job = Run(blocks=500)
    job.run()
    assert [(record.stage, record.blocks, record.blocks_done) for record in job.table.records] == [
        ("parse", 0, 0),
        ("parse", 500, 0),
        ("done", 500, 500),
    ]


class Clock:
    """A clock that only moves by the time that ``taking`` gives to work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(time, "time", lambda: self.now_s)
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)

    def taking(self, seconds: float, work: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*request: Any) -> Any:
            self.now_s += seconds
            return work(*request)

        return slow


MOMENTS = st.sampled_from([0.0, 0.01, 0.1, 0.24, 0.3, 0.6, 1.1])


class Course(NamedTuple):
    """How long each step of a run takes, in seconds. An invocation must hand it over after ``lasts_s``."""

    pin_s: float
    blocks_s: list[float]
    throttles_s: list[float]
    reduce_s: float
    log_s: float
    lasts_s: float
    fails: bool


COURSES = st.builds(
    Course,
    pin_s=MOMENTS,
    blocks_s=st.lists(MOMENTS, max_size=40),
    throttles_s=st.lists(MOMENTS, max_size=5),
    reduce_s=MOMENTS,
    log_s=MOMENTS,
    lasts_s=st.sampled_from([2.1, 5.0, 1e9]),
    fails=st.booleans(),
)


def writes_of(course: Course, clock: Clock) -> list[float]:
    """The times at which the record of such a run is written, over all its invocations."""
    job, written_at = Run(blocks=len(course.blocks_s)), []
    store, throttles = job.table.end_run, iter(course.throttles_s)

    def end_run(record: RunRecord) -> None:
        written_at.append(clock.now_s)
        store(record)

    job.table.end_run = end_run  # type: ignore[method-assign]

    def get_all_occurrences(request: object) -> AllPartsReport:
        for seconds in throttles:
            clock.now_s += seconds
            raise Throttled("slow down")
        return job.all_lengths(request)

    def log_results(request: LogResultsRequest) -> LogResultsReport:
        assert request.record.stage == "log"
        return LogResultsReport(19 if course.fails else 20)

    request, status = ParseFileRequest(key="key", block_bytes=10, max_concurrency=1), "RUNNING"
    while status == "RUNNING":
        ends_at = clock.now_s + course.lasts_s
        with contextlib.suppress(ConservationBroken, NoProgress):
            job.run(
                request,
                remaining_s=lambda ends_at=ends_at: lease.HANDOVER_S + ends_at - clock.now_s,
                pin=clock.taking(course.pin_s, job.pin),
                parse_block=lambda block: clock.taking(course.blocks_s[block.block], job.block)(block),
                get_all_occurrences=clock.taking(course.reduce_s, get_all_occurrences),
                log_results=clock.taking(course.log_s, log_results),
            )
        assert job.table.record
        status = job.table.record.status
        request = job.handed_over[-1] if status == "RUNNING" else request
    assert status == "SUCCEEDED" or course.fails or course.lasts_s < 1e9
    return written_at


@settings(deadline=None, max_examples=300)
@given(COURSES)
@example(Course(0.0, [0.3, 0.0], [0.24], 0.01, 0.0, 1e9, False))
def test_a_record_is_written_four_times_a_second_at_most(course: Course) -> None:
    """However long the run takes, and also if it fails or is handed over repeatedly."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        written_at = writes_of(course, Clock(monkeypatch))
    for first in written_at:
        assert sum(first <= moment < first + 1.0 for moment in written_at) <= 4, written_at


def test_a_run_under_way_says_what_it_has_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    job = Run(blocks=30)
    job.run()
    under_way = [record for record in job.table.records if record.stage == "parse" and record.blocks]
    used = [record.used["invocations"] for record in under_way]
    assert used == sorted(used)
    assert used[-1] > used[0] > 0
    assert max(record.calls["running"] for record in under_way) > 0
    assert all(record.calls["at_most"] <= 4 for record in under_way)
    assert [record.units_done for record in under_way] == sorted(record.units_done for record in under_way)


@pytest.mark.parametrize("how", ["gzip", "bzip2", None])
def test_the_only_block_of_an_archive_that_has_work_gets_no_copy(
    monkeypatch: pytest.MonkeyPatch, how: Format | None
) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.01)
    monkeypatch.setattr(map_reduce, "STRAGGLER_MIN_S", 0.0)
    job, released = Run(blocks=30), threading.Event()
    source, ticks = Source("bucket", "key", "etag", job.bytes), iter(range(10**6))

    def remaining_s() -> float:
        if len(job.parsed) >= 30 and next(ticks) == 20:
            released.set()
        return 900.0

    def parse_block(request: ParseBlockRequest) -> BlockReport:
        report = job.block(request)
        if request.block == 0:
            assert released.wait(30)
        owned = Owned(0, job.bytes) if request.block == 0 else Owned(request.start, request.start)
        return msgspec.structs.replace(report, owned=owned)

    job.run(
        ParseFileRequest(key="key", block_bytes=10, max_concurrency=30),
        pin=lambda _: Pinned(source, Listing([Placed(0, "key", job.bytes, "etag", how)])),
        parse_block=parse_block,
        remaining_s=remaining_s,
    )
    assert Counter(job.parsed)[0] == 1


LIMIT = ParseFileRequest(key="key", block_bytes=10, max_concurrency=4, max_dollars=1e-5)
"""A call of 10 ms costs 3.8e-7."""


def test_a_run_that_costs_too_much_is_cancelled_and_resumed_with_a_higher_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    job = Run(blocks=100)

    def block(request: ParseBlockRequest) -> BlockReport:
        return msgspec.structs.replace(job.block(request), usage=USAGE)

    with pytest.raises(
        BudgetExceeded, match=r"^max_dollars: the run has cost \$0\.0000\d+, and its limit is \$0\.00001"
    ):
        job.run(LIMIT, parse_block=block)
    record = job.table.records[-1]
    assert (record.status, record.error.partition(":")[0]) == ("CANCELLED", "BudgetExceeded")
    parsed, before = len(job.parsed), len(job.table.records)
    assert parsed < 100
    for again in (LIMIT, ParseFileRequest(key="key")):  # its limit stays, unless the request has another
        with pytest.raises(BudgetExceeded):
            job.run(again, parse_block=block)
    assert (len(job.parsed), len(job.table.records)) == (parsed, before)
    higher = msgspec.structs.replace(LIMIT, max_dollars=1.0)
    assert job.run(higher, parse_block=block).status == "SUCCEEDED"
    assert job.table.records[-1].max_dollars == 1.0
    assert job.run(LIMIT).status == "SUCCEEDED"  # what has finished costs nothing


def test_a_run_too_short_for_a_tick_has_a_limit_too() -> None:
    job = Run(blocks=3)
    limit = msgspec.structs.replace(LIMIT, max_dollars=1e-9)
    with pytest.raises(BudgetExceeded):
        job.run(limit, get_all_occurrences=unforeseen)


def test_what_is_under_way_counts_before_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.01)
    job, released = Run(blocks=10), threading.Event()

    def parse_block(request: ParseBlockRequest) -> BlockReport:
        assert released.wait(30)
        return job.block(request)

    try:
        with pytest.raises(BudgetExceeded):
            job.run(msgspec.structs.replace(LIMIT, max_dollars=2e-6), parse_block=parse_block)
    finally:
        released.set()
    assert job.table.records[-1].blocks_done == 0


@pytest.mark.parametrize(("stored", "status"), [(0, "CANCELLED"), (20, "SUCCEEDED")])
def test_reducers_count_before_the_function_that_calls_them_answers(
    stored: int, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers when all of them have: until then, those that have not stored their result are at work."""
    seconds = itertools.count(step=1000)
    monkeypatch.setattr(map_reduce, "TICK_S", 0.01)
    monkeypatch.setattr(ledger, "time", SimpleNamespace(monotonic=lambda: next(seconds), time=time.time))
    job, released = Run(blocks=3), threading.Event()
    job.table.count_parts = lambda: stored  # type: ignore[method-assign]

    def get_all_occurrences(request: object) -> AllPartsReport:
        released.wait(0.3)
        return job.all_lengths(request)

    request = msgspec.structs.replace(LIMIT, max_dollars=0.01)
    with pytest.raises(BudgetExceeded) if status == "CANCELLED" else contextlib.nullcontext():
        job.run(request, get_all_occurrences=get_all_occurrences)
    released.set()
    assert job.table.records[-1].status == status


def test_a_limit_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    job = Run(blocks=100)
    job.run(msgspec.structs.replace(LIMIT, max_dollars=1.5), remaining_s=job.nearly_over)
    assert job.handed_over[0].max_dollars == 1.5


@pytest.mark.parametrize(
    ("asked", "of_job", "expected"),
    [
        (10, 20, (10, "requested")),
        (None, 20, (20, "chosen by the job")),
        (None, None, (5 << 20, "planned for 4 Lambdas at once")),
    ],
)
def test_the_size_of_a_block_is_reported_with_its_reason(
    asked: int | None, of_job: int | None, expected: tuple[int, str]
) -> None:
    job = Run(blocks=3)
    request = ParseFileRequest(key="key", block_bytes=asked, max_concurrency=4)
    answer = job.run(request, measure=lambda source, _: Measured(source.bytes, {}, of_job))
    assert (answer.block_bytes, answer.block_bytes_because) == expected
    again = job.run(ParseFileRequest(key="key"))
    assert (again.block_bytes, again.block_bytes_because) == expected


@pytest.mark.parametrize(
    ("asked", "largest", "expected"),
    [
        (None, 20, (20, "no larger, so that these options take no Lambda too long")),
        (None, 1e12, (5 << 20, "planned for 4 Lambdas at once")),
        (25, 20, (25, "requested")),
    ],
)
def test_options_that_make_a_block_slow_make_it_small(
    asked: int | None, largest: float, expected: tuple[int, str]
) -> None:
    job = Run(blocks=3)
    job.job = msgspec.structs.replace(job.job, largest_block=lambda _: largest)
    answer = job.run(ParseFileRequest(key="key", block_bytes=asked, max_concurrency=4))
    assert (answer.block_bytes, answer.block_bytes_because) == expected


LATER = Counter(get_all_occurrences=1, log_results=1, get_occurrences=20)


def ticks(monkeypatch: pytest.MonkeyPatch, run: Run, enough: Callable[[], bool]) -> Callable[[Any], Any]:
    """A ``parse_block`` that answers once ``enough()``, after some ticks."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.001)

    def parse_block(request: ParseBlockRequest) -> BlockReport:
        deadline = time.monotonic() + 10
        while not enough() and time.monotonic() < deadline:
            time.sleep(0.001)
        return run.block(request)

    return parse_block


def test_the_second_stage_s_functions_are_started_while_the_first_is_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Run(blocks=3)
    parse_block = ticks(monkeypatch, run, lambda: len(run.warmed) == 22)
    assert run.run(ParseFileRequest(key="key", block_bytes=10), parse_block=parse_block).status == "SUCCEEDED"
    assert Counter(run.warmed) == LATER
    assert run.trace
    warmed = [call for call in run.trace.calls if call.task == "warming"]
    assert Counter(call.function for call in warmed) == LATER
    assert {call.outcome for call in warmed} == {"done"}


@pytest.mark.parametrize("max_concurrency", [1, 22])  # at 22 the blocks under way, be it one, leave too few
def test_no_more_lambdas_are_started_than_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, max_concurrency: int
) -> None:
    run = Run(blocks=3)
    parse_block = ticks(monkeypatch, run, lambda: len(run.table.records) > 5)
    run.run(
        ParseFileRequest(key="key", block_bytes=10, max_concurrency=max_concurrency), parse_block=parse_block
    )
    assert not run.warmed


@pytest.mark.parametrize(("init_ms", "ticks_before"), [(160.0, 1), (0.0, 2)])
def test_where_the_first_function_was_warm_the_others_have_one_more_tick_to_answer(
    monkeypatch: pytest.MonkeyPatch, init_ms: float, ticks_before: int
) -> None:
    run, began = Run(blocks=3), []
    parse_block = ticks(monkeypatch, run, lambda: len(run.warmed) == 22)

    def parse(request: ParseBlockRequest) -> BlockReport:
        began.append(len(run.table.records))
        return parse_block(request)  # type: ignore[no-any-return]

    def warm(function: str) -> Warmed:
        began.append(len(run.table.records))
        return run.warm(function)

    usage = replace(USAGE, init_ms=init_ms)
    request = ParseFileRequest(key="key", block_bytes=10)
    run.run(request, parse_block=parse, warm=warm, usage=lambda: usage)
    assert began[3] - began[0] == ticks_before


def test_blocks_that_are_still_to_begin_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second to begin a thousand calls. What is started early then takes their room, and a block
    that is throttled waits for another one to end."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.001)
    run = Run(blocks=30)

    class OneByOne(Threads[ParseBlockRequest, BlockReport]):
        def has_room(self) -> bool:
            return super().has_room() and self._in_flight < 1

    def parse_block(request: ParseBlockRequest) -> BlockReport:
        time.sleep(0.003)
        return run.block(request)

    def warm(function: str) -> Warmed:
        assert len(run.stored) >= 30 + 22 - 40
        return run.warm(function)

    request = ParseFileRequest(key="key", block_bytes=10, max_concurrency=40)
    assert run.run(request, parse_block=OneByOne(parse_block), warm=warm).status == "SUCCEEDED"
    assert Counter(run.warmed) == LATER


def test_nothing_is_started_early_in_an_account_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(blocks=3)
    parse_block = ticks(monkeypatch, run, lambda: len(run.table.records) > 5)
    refused = iter([True])

    def throttled_once(request: ParseBlockRequest) -> BlockReport:
        if next(refused, False):
            raise Throttled("full")
        return parse_block(request)  # type: ignore[no-any-return]

    run.run(ParseFileRequest(key="key", block_bytes=10), parse_block=throttled_once)
    assert not run.warmed


def test_the_second_stage_waits_for_functions_that_are_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that comes too early starts one more environment, and waits for all of that."""
    run = Run(blocks=3)
    parse_block = ticks(monkeypatch, run, lambda: len(run.warmed) == 22)
    ready = []

    def warm(function: str) -> Warmed:
        run.warmed.append(function)
        time.sleep(0.05)
        ready.append(function)
        return Warmed(USAGE)

    def get_all_occurrences(request: Any) -> AllPartsReport:
        assert len(ready) == 22
        return run.all_lengths(request)

    changed = {"parse_block": parse_block, "warm": warm, "get_all_occurrences": get_all_occurrences}
    assert run.run(ParseFileRequest(key="key", block_bytes=10), **changed).status == "SUCCEEDED"


def test_a_run_does_not_depend_on_early_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "PATIENCE_S", 0.05)
    run, never = Run(blocks=3), threading.Event()
    parse_block = ticks(monkeypatch, run, lambda: len(run.warmed) == 22)

    def warm(function: str) -> Warmed:
        run.warmed.append(function)
        if function == "get_all_occurrences":
            raise Throttled("full")
        if function == "get_occurrences":
            raise Transient("crashed")
        never.wait(10)
        return Warmed()

    answer = run.run(ParseFileRequest(key="key", block_bytes=10), parse_block=parse_block, warm=warm)
    never.set()
    assert answer.status == "SUCCEEDED"
    assert run.trace
    ended = {call.function: call.outcome for call in run.trace.calls if call.task == "warming"}
    assert ended == {
        "get_all_occurrences": "throttled",
        "get_occurrences": "failed",
        "log_results": "given_up",
    }


@pytest.mark.parametrize("first", [None, 20])
@pytest.mark.parametrize(("second", "size"), [(10, 10), (None, None)])
def test_a_run_that_failed_before_it_was_cut_takes_another_block_size(
    first: int | None, second: int | None, size: int | None
) -> None:
    job = Run(blocks=3)

    def fails(*_: object) -> Measured:
        raise SourceNotFound("The object cannot be read.")

    with pytest.raises(SourceNotFound):
        job.run(ParseFileRequest(key="key", block_bytes=first), measure=fails)
    assert job.run(ParseFileRequest(key="key", block_bytes=second)).block_bytes == (size or first or 5 << 20)


def test_what_blocks_notice_becomes_the_runs_warnings_and_is_no_part_of_the_manifest() -> None:
    job = Run(blocks=3)

    def parse_block(request: ParseBlockRequest) -> BlockReport:
        place = Place("key", 10 * request.block + 4)
        found = Finding(
            request.block, 10, place if request.block else None, [FoundIn("key", request.block, 10)]
        )
        return msgspec.structs.replace(job.block(request), findings={"invalid_utf8": found})

    (warning,) = job.run(parse_block=parse_block).warnings
    assert (warning["code"], warning["key"], warning["offset"]) == ("invalid_utf8", "key", 14)
    assert warning["message"].startswith(
        "3 of 30 bytes (10 %) are not UTF-8, the first one at byte 14 of key."
    )
    assert job.table.records[-1].warnings[0].count == 3
    manifest = job.manifest
    assert manifest is not None
    assert not any(block.findings for block in manifest.blocks)
