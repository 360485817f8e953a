"""One run, from the request to the summary: the orchestration behind ``parse_file``.

A run belongs to one invocation at a time, its owner, for as long as the lease in its record lasts; the owner
renews it about every half second. Whoever finds the lease run out may take the run over and go on. An owner
that runs out of time releases the run and names itself to the one invocation that is to go on.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from lambda_src.blocks import bounded_block_bytes, partition
from lambda_src.conservation import check_parsed, check_reduced
from lambda_src.errors import (
    AccessDenied,
    ConservationBroken,
    FanfoldError,
    NoProgress,
    NoRoom,
    RunConflict,
    SourceChanged,
    SourceNotFound,
    Throttled,
    Transient,
)
from lambda_src.lengths import reduce_lengths
from lambda_src.log import log
from lambda_src.map_reduce import call_once, map_reduce
from lambda_src.messages import (
    DEFAULT_BLOCK_BYTES,
    AllLengthsReport,
    BlockReport,
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    HandOverRequest,
    LengthReport,
    LogResultsReport,
    LogResultsRequest,
    Manifest,
    ParseBlockRequest,
    ParseFileRequest,
    RunRecord,
    RunSummary,
    Source,
    Stage,
    summarize,
)
from lambda_src.results_table import ResultsTable
from lambda_src.words import LONGEST

LEASE_S = 30.0
"""How long a run waits for an owner that has died; an owner that lives renews it every half second."""

HANDOVER_S = 60.0
"""With less than this left of an invocation, a fresh one takes the run over."""

ANSWER_S = 5.0
"""With all results stored, the answer that says so takes milliseconds; a connection that was idle for minutes
may have been lost without a sign."""

FINDS_AT_ONCE = 32
"""Blobs looked for at once when a run is resumed: enough to hide S3's latency."""


class Services(NamedTuple):
    """What a run needs of AWS, each behind a callable that raises our errors."""

    table: ResultsTable
    remaining_s: Callable[[], float]
    hand_over: Callable[[HandOverRequest], None]
    pin_source: Callable[[], Source]
    find_report: Callable[[ParseBlockRequest], BlockReport | None]
    parse_block: Callable[[ParseBlockRequest], BlockReport]
    put_manifest: Callable[[Manifest], None]
    get_all_occurrences: Callable[[GetAllOccurrencesRequest], AllLengthsReport]
    get_occurrences: Callable[[GetOccurrencesRequest], LengthReport]
    log_results: Callable[[LogResultsRequest], LogResultsReport]


class _OutOfTime(Exception):
    """This invocation must end soon."""


class _AnswerLost(Exception):
    """``get_all_occurrences`` was called, and its answer will not come."""


def execute(run_id: str, bucket: str, request: ParseFileRequest, services: Services) -> RunSummary:
    """Do the run ``run_id``, or what is left of it, and keep its record true, to the end.

    A finished run is answered from the table. A run that fails leaves status FAILED, the error and no top
    words. When the invocation's time runs out, a fresh one goes on, and the answer has status RUNNING. A
    hand-over that comes late or twice changes nothing.

    Raises RunConflict if another invocation works on it or it has another input, and any FanfoldError.
    """
    table = services.table
    found = table.get_run()
    record = _new_record(run_id, bucket, request, found)
    if isinstance(request, HandOverRequest):
        try:
            table.take_over(record, request.handed_over_by)
        except RunConflict:
            return _left_alone(run_id, table)
    else:
        if found and request.must_be_new:
            raise RunConflict(f"run_id: there is a run {run_id} already; choose another.")
        if found and found.etag:
            _check_same(found, bucket, request)
            if found.status == "SUCCEEDED":
                return _finished(found, request.etag, services)
        _claim(record, found, table)
    try:
        try:
            return _work(record, request.etag, found, services)
        except _OutOfTime:
            return _hand_over(record, services)
    except RunConflict:
        raise  # Another invocation's run by now: its record is not ours to write.
    except Exception as error:
        record.fail(error)
        _end(record, table)
        raise


def _hand_over(record: RunRecord, services: Services) -> RunSummary:
    """Release the run to a fresh invocation. Raises NoProgress where that one would get no further than this
    one, and so on for ever."""
    if record.blocks_done == record.blocks_kept:
        raise NoProgress(
            f"In stage {record.stage}, a whole invocation was not enough for any further block, or for all "
            "reducers: see the logs of parse_block and get_occurrences."
        )
    # Should the fresh one never begin, the run is anybody's once the lease has run out.
    record.released, record.lease_until = True, time.time() + LEASE_S
    services.table.put_run(record)
    request = HandOverRequest(
        key=record.key,
        run_id=record.run_id,
        block_bytes=record.block_bytes,
        max_concurrency=record.max_concurrency,
        handed_over_by=record.owner,
    )
    call_once(services.hand_over, request)
    return summarize(record, [])


def _left_alone(run_id: str, table: ResultsTable) -> RunSummary:
    """How the run stands, for a hand-over that was taken already, or that a person has overtaken: Lambda may
    deliver an event late, and twice."""
    found = table.get_run()
    if found is None:
        raise RunConflict(f"run_id: there is no run {run_id}.")
    log("hand_over_ignored", run_id=run_id, status=found.status)
    return summarize(found, [])


def _finished(found: RunRecord, etag: str | None, services: Services) -> RunSummary:
    """The result of a run that succeeded, if it is of the version that is asked for: the one that ``etag``
    names, else the object as it is now."""
    result = f"the result of the run can be read with: python -m client show {found.run_id}"
    if etag is None:
        try:
            etag = services.pin_source().etag
        except (SourceNotFound, AccessDenied) as error:  # S3 answers either for an object that is gone
            raise type(error)(f"{error} The run {found.run_id} of it has finished; {result}") from error
    if etag != found.etag:
        raise SourceChanged(
            f"run_id: the run {found.run_id} is of s3://{found.bucket}/{found.key} as version {found.etag}, "
            f"not {etag}: leave run_id out to have that one counted; {result}"
        )
    return summarize(found, services.table.get_lengths())


def _check_same(found: RunRecord, bucket: str, request: ParseFileRequest) -> None:
    if (found.bucket, found.key) != (bucket, request.key):
        raise RunConflict(
            f"run_id: it is the run of s3://{found.bucket}/{found.key}; choose another for s3://{bucket}/{request.key}."
        )
    wanted = request.block_bytes and bounded_block_bytes(found.bytes, request.block_bytes)
    if wanted and wanted != found.block_bytes:
        raise RunConflict(
            f"block_bytes: the run has blocks of {found.block_bytes} bytes, not {wanted}: leave it out to "
            "resume, or choose another run_id."
        )


def _new_record(run_id: str, bucket: str, request: ParseFileRequest, found: RunRecord | None) -> RunRecord:
    """The record of this invocation as the owner of the run, of which it ``found`` that record."""
    record = RunRecord(
        run_id=run_id,
        owner=secrets.token_hex(8),
        lease_until=time.time() + LEASE_S,
        bucket=bucket,
        key=request.key,
        block_bytes=request.block_bytes or DEFAULT_BLOCK_BYTES,
        max_concurrency=request.max_concurrency,
        started_at=time.time(),
    )
    if found and found.etag:  # What the run is bound to stays, whatever becomes of this invocation.
        record.etag, record.version_id, record.bytes = found.etag, found.version_id, found.bytes
        record.block_bytes, record.blocks, record.started_at = (
            found.block_bytes,
            found.blocks,
            found.started_at,
        )
    return record


def _claim(record: RunRecord, found: RunRecord | None, table: ResultsTable) -> None:
    try:
        table.claim(record, found)
    except RunConflict:
        raise RunConflict(
            f"run_id: another invocation works on the run {record.run_id}: wait for it, or, should it have "
            f"died, try again in {LEASE_S:.0f} seconds."
        ) from None


def _work(record: RunRecord, etag: str | None, found: RunRecord | None, services: Services) -> RunSummary:
    def tick() -> None:
        if services.remaining_s() < HANDOVER_S:
            raise _OutOfTime
        record.lease_until = time.time() + LEASE_S
        services.table.put_run(record)

    # Should an earlier attempt have died between storing some and checking all.
    services.table.delete_lengths(LONGEST, record.owner)
    with _stage(record, "parse", tick):
        manifest = _parse(record, etag, found, services, tick)
        services.put_manifest(manifest)
    with _stage(record, "reduce", tick):
        lengths = _reduce(record, manifest, services, tick)
    with _stage(record, "log", tick):
        logged = call_once(services.log_results, LogResultsRequest(record.run_id), tick=tick)
        if logged.lengths != LONGEST:
            raise ConservationBroken(f"The results table holds {logged.lengths} of {LONGEST} lengths.")
    record.status, record.stage, record.finished_at = "SUCCEEDED", "done", time.time()
    services.table.put_run(record)
    return summarize(record, lengths)


@contextmanager
def _stage(record: RunRecord, stage: Stage, tick: Callable[[], None]) -> Iterator[None]:
    record.stage = stage
    tick()
    started_at = time.monotonic()
    yield
    record.seconds[stage] = round(time.monotonic() - started_at, 3)


def _parse(
    record: RunRecord,
    etag: str | None,
    found: RunRecord | None,
    services: Services,
    tick: Callable[[], None],
) -> Manifest:
    source = services.pin_source()
    if etag and etag != source.etag:
        raise SourceChanged(
            f"etag: s3://{source.bucket}/{source.key} is {source.etag} now, not {etag}: upload that version "
            "again, or leave etag out to take it as it is."
        )
    resumed = found if found and found.etag else None
    if resumed and resumed.etag != source.etag:
        raise SourceChanged(
            f"s3://{source.bucket}/{source.key} was replaced since the run began: start a new run."
        )
    record.etag, record.version_id, record.bytes = source.etag, source.version_id or "", source.bytes
    record.block_bytes = bounded_block_bytes(source.bytes, record.block_bytes)
    requests = [
        ParseBlockRequest(record.run_id, source, *block)
        for block in partition(source.bytes, record.block_bytes)
    ]
    record.blocks = len(requests)
    tick()

    reports: dict[int, BlockReport] = {}

    def keep(request: ParseBlockRequest, report: BlockReport | None) -> None:
        if report:
            reports[request.block] = report
            record.blocks_kept = record.blocks_done = len(reports)

    def fold(request: ParseBlockRequest, report: BlockReport) -> None:
        reports[request.block] = report
        record.blocks_done = len(reports)

    if resumed:
        map_reduce(services.find_report, requests, keep, name=_name, max_concurrency=FINDS_AT_ONCE, tick=tick)
    left = [request for request in requests if request.block not in reports]
    map_reduce(
        services.parse_block, left, fold, name=_name, max_concurrency=record.max_concurrency, tick=tick
    )
    in_order = [reports[request.block] for request in requests]
    manifest = Manifest(record.run_id, source, in_order)
    check_parsed(manifest)
    record.words = sum(sum(report.words) for report in in_order)
    record.longer_words = sum(report.longer_words for report in in_order)
    return manifest


def _name(request: ParseBlockRequest) -> str:
    return f"block {request.block} (bytes {request.start} to {request.end})"


def _reduce(
    record: RunRecord, manifest: Manifest, services: Services, tick: Callable[[], None]
) -> list[LengthReport]:
    request = GetAllOccurrencesRequest(record.run_id, record.owner, record.max_concurrency)
    stored_at: float | None = None

    def get_all_occurrences(request: GetAllOccurrencesRequest) -> AllLengthsReport:
        try:
            return services.get_all_occurrences(request)
        except Throttled:
            raise
        except Transient as error:
            raise _AnswerLost(str(error)) from error  # before it is called again, the table is asked

    def tick_and_look() -> None:
        nonlocal stored_at
        tick()
        if stored_at is None and len(services.table.get_lengths()) == LONGEST:
            stored_at = time.monotonic()
        if stored_at is not None and time.monotonic() - stored_at >= ANSWER_S:
            raise _AnswerLost(f"All results were stored {ANSWER_S:.0f} s ago.")

    try:
        lengths = call_once(get_all_occurrences, request, tick=tick_and_look).lengths
    except (_AnswerLost, NoRoom) as error:
        # What this owner's reducers have stored counts. The rest is reduced from here: in an account with
        # room for two, get_all_occurrences takes the place that its reducers need.
        stored = services.table.get_lengths()
        log("reduced_without_answer", run_id=record.run_id, stored=len(stored), message=str(error))
        lengths = reduce_lengths(request, services.get_occurrences, stored=stored, tick=tick).lengths
    if [report.length for report in lengths] != list(range(1, LONGEST + 1)):
        raise ConservationBroken(f"Reduced were the lengths {[report.length for report in lengths]}.")
    for report in lengths:
        check_reduced(report, manifest)
    return lengths


def _end(record: RunRecord, table: ResultsTable) -> None:
    """Leave the record of a run that has failed, and no top words. What fails here is logged: the error that
    ended the run matters more."""
    try:
        table.end_run(record)
        table.delete_lengths(LONGEST, record.owner)
    except FanfoldError as error:
        log("record_not_written", run_id=record.run_id, error=type(error).__name__, message=str(error))
