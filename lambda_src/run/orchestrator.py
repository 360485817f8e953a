"""One run, from the request to the summary: the orchestration behind ``parse_file``."""

import copy
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, TypeVar

from lambda_src.errors import (
    AccessDenied,
    BlobDamaged,
    BudgetExceeded,
    ConservationBroken,
    FanfoldError,
    NoRoom,
    RulesChanged,
    RunConflict,
    SourceChanged,
    SourceNotFound,
    Throttled,
    Transient,
)
from lambda_src.input.addresses import Addresses, Listing
from lambda_src.input.blocks import bounded_block_units, fitting_block_bytes, split
from lambda_src.input.findings import CONCERNS, Findings
from lambda_src.input.left_out import LeftOutObjects
from lambda_src.input.names import named
from lambda_src.job import BYTES, Finding, Job, Measured, Span
from lambda_src.map_reduce import call_once, map_reduce
from lambda_src.run.lease import Lease, OutOfTime
from lambda_src.run.ledger import Ledger
from lambda_src.run.proof import check_mapped, check_reduced
from lambda_src.run.reduce_parts import part_name, reduce_parts
from lambda_src.run.summary import summarize
from lambda_src.run.warming import Warming
from lambda_src.run.warnings import warnings_of
from lambda_src.store.results import ResultsTable
from lambda_src.telemetry.calls import Trace, Usage
from lambda_src.telemetry.log import log
from lambda_src.wire.record import RunRecord, RunWarning, Stage
from lambda_src.wire.reports import (
    AllPartsReport,
    BlockReport,
    LogResultsReport,
    Manifest,
    PartReport,
    Warmed,
    bare,
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
from lambda_src.wire.source import Source, name_of

T = TypeVar("T")

ANSWER_S = 5.0
"""With all results stored, the answer that says so takes milliseconds; a connection that was idle for minutes
may have been lost without a sign."""

FINDS_AT_ONCE = 32
"""Blobs looked for at once when a run is resumed: enough to hide S3's latency."""

CHECKS_AT_ONCE = 8
"""Where every line of a blob is read: each may take 16 MB or more."""


class Services(NamedTuple):
    """What a run needs of AWS, each behind a callable that raises our errors."""

    table: ResultsTable
    remaining_s: Callable[[], float]
    hand_over: Callable[[HandOverRequest], None]
    pin_source: Callable[[RunRecord], Pinned]
    measure: Callable[[Source, Listing], Measured]
    put_listing: Callable[[bytes], None]
    find_report: Callable[[ParseBlockRequest, bool], BlockReport | None]
    parse_block: Callable[[ParseBlockRequest], BlockReport]
    put_manifest: Callable[[Manifest], None]
    get_all_occurrences: Callable[[GetAllOccurrencesRequest], AllPartsReport]
    get_occurrences: Callable[[GetOccurrencesRequest], PartReport]
    log_results: Callable[[LogResultsRequest], LogResultsReport]
    warm: Callable[[str], Warmed]
    usage: Callable[[], Usage]
    get_trace: Callable[[], Trace | None]
    put_trace: Callable[[Trace], None]
    ended: Callable[[RunRecord], None]
    delete_blobs: Callable[[Sequence[BlockReport]], None]


class _AnswerLost(Exception):
    """``get_all_occurrences`` was called, and its answer will not come."""


def execute(
    job: Job, run_id: str, bucket: str, request: ParseFileRequest, services: Services
) -> dict[str, Any]:
    """Do the run ``run_id`` of ``job``, or what is left of it, and keep its record true, to the end.

    A finished run is answered from the table. A run that fails leaves status FAILED, the error and no
    results. When the invocation's time runs out, a fresh one goes on, and the answer has status RUNNING. A
    hand-over that comes late or twice changes nothing.

    Raises RunConflict if another invocation works on it or it has another input, and any FanfoldError.
    """
    table = services.table
    found = table.get_run()
    record = _new_record(job, run_id, bucket, request, found)
    lease = Lease(record, table, services.remaining_s)
    get_trace = services.get_trace if found else lambda: None
    ledger = Ledger(record, services.usage, get_trace, services.put_trace)

    def tick() -> None:
        ledger.show()
        lease.renew()
        if record.stage != "log":  # when all is reduced, to stop would save nothing
            ledger.check_budget()

    if isinstance(request, HandOverRequest):
        try:
            lease.take_over(request.handed_over_by)
        except RunConflict:
            return _left_alone(job, run_id, table)
    else:
        if found and request.must_be_new:
            raise RunConflict(f"run_id: the run {run_id} already exists; choose another id.")
        if found and found.etag:
            _check_same(job, found, bucket, request)
            if found.status == "SUCCEEDED":
                return _finished(job, found, request.etag, services)
            if found.status != "RUNNING":
                _check_limit(record, found)
                ledger.check_budget()
        lease.claim(found)
    try:
        try:
            # What damaged blobs ended is resumed with a look at every line: a header tells less.
            check_lines = found is not None and found.error.startswith(BlobDamaged.__name__)
            summary, manifest = _work(
                job, record, request.etag, services, ledger, check_lines=check_lines, tick=tick
            )
        except OutOfTime:
            ledger.close()
            lease.release()
            return _hand_over(job, record, services)
    except RunConflict:
        raise  # Another invocation's run by now: its record is not ours to write.
    except Exception as error:
        record.fail(error)
        ledger.close()
        _end(record, table)
        services.ended(record)
        raise
    services.ended(record)
    _delete_blobs(record, manifest, services)
    return summary


def _delete_blobs(record: RunRecord, manifest: Manifest, services: Services) -> None:
    """When the record is final, on which those who wait for the run look. What stays expires by itself."""
    try:
        services.delete_blobs(manifest.blocks)
    except FanfoldError as error:
        log("blobs_not_deleted", run_id=record.run_id, error=type(error).__name__, message=str(error))


def _hand_over(job: Job, record: RunRecord, services: Services) -> dict[str, Any]:
    """Have a fresh invocation go on with the run, which is released."""
    request = HandOverRequest(
        key=record.key,
        prefix=record.prefix,
        run_id=record.run_id,
        include_hidden=record.include_hidden or None,
        on_bad_object=record.on_bad_object if record.on_bad_object == "skip" else None,
        block_bytes=record.block_bytes,
        max_concurrency=record.max_concurrency,
        max_dollars=record.max_dollars,
        handed_over_by=record.owner,
    )
    call_once(services.hand_over, request)
    return summarize(job, record, [])


def _left_alone(job: Job, run_id: str, table: ResultsTable) -> dict[str, Any]:
    """How the run stands, for a hand-over that was taken already, or that a person has overtaken: Lambda may
    deliver an event late, and twice."""
    found = table.get_run()
    if found is None:
        raise RunConflict(f"run_id: there is no run {run_id}.")
    log("hand_over_ignored", run_id=run_id, status=found.status)
    return summarize(job, found, [])


def _finished(job: Job, found: RunRecord, etag: str | None, services: Services) -> dict[str, Any]:
    """The result of a run that succeeded, if it is of the version that is asked for: the one that ``etag``
    names, else the object as it is now."""
    result = f"to read the result of the run: fanfold results {found.run_id}"
    if found.rules and found.rules != job.rules:  # old records do not tell
        raise RulesChanged(
            f"run_id: the run {found.run_id} has the rules {found.rules!r}, and the deployed job has "
            f"{job.rules!r}: leave run_id out to run by those; {result}"
        )
    if etag is None:
        try:
            now = copy.copy(found)
            now.version_id = ""
            etag = services.pin_source(now).source.etag
        except (SourceNotFound, AccessDenied) as error:  # S3 answers either for an object that is gone
            raise type(error)(f"{error} The run {found.run_id} of it has finished; {result}") from error
    if etag != found.etag:
        raise SourceChanged(
            f"run_id: the run {found.run_id} is of {found.name()} as version {found.etag}, "
            f"not {etag}: leave run_id out to run on that version; {result}"
        )
    return summarize(job, found, services.table.get_parts())


def _check_same(job: Job, found: RunRecord, bucket: str, request: ParseFileRequest) -> None:
    if (found.bucket, found.key, found.prefix) != (bucket, request.key, request.prefix):
        raise RunConflict(
            f"run_id: it is the run of {found.name()}; choose another for "
            f"{name_of(bucket, request.key, request.prefix)}."
        )
    if request.include_hidden not in (None, found.include_hidden):
        raise RunConflict(
            f"include_hidden: the run began {'with' if found.include_hidden else 'without'} it: leave it out "
            "to resume, or choose another run_id."
        )
    if request.on_bad_object not in (None, found.on_bad_object):
        raise RunConflict(
            f"on_bad_object: the run began with {found.on_bad_object!r}: leave it out to resume, or choose "
            "another run_id."
        )
    if not found.blocks or not request.block_bytes:  # it was not cut yet, or is to be resumed as it was cut
        return
    wanted = bounded_block_units(found.units, request.block_bytes)
    if wanted != found.block_bytes:
        raise RunConflict(
            f"block_bytes: the run has blocks of {found.block_bytes:,} {job.unit}, not {wanted:,}: leave it "
            "out to resume, or choose another run_id."
        )


def _check_limit(record: RunRecord, found: RunRecord) -> None:
    """A run that was cancelled at its limit goes on with a higher one only: what was under way then, by which
    it had crossed it, may have turned out to cost less."""
    before = found.max_dollars or 0.0
    if found.error.startswith(BudgetExceeded.__name__) and (record.max_dollars or before) <= before:
        raise BudgetExceeded(
            f"max_dollars: the run ended at its limit, ${before:.6f}: resume it with a higher one."
        )


def _new_record(
    job: Job, run_id: str, bucket: str, request: ParseFileRequest, found: RunRecord | None
) -> RunRecord:
    """The record of this invocation as the owner of the run, of which it ``found`` that record."""
    record = RunRecord(
        run_id=run_id,
        owner=os.urandom(8).hex(),
        bucket=bucket,
        key=request.key,
        prefix=request.prefix,
        include_hidden=bool(request.include_hidden),
        on_bad_object=request.on_bad_object or "fail",
        block_bytes=request.block_bytes or 0,
        block_bytes_because="requested" if request.block_bytes else "",
        max_concurrency=request.max_concurrency,
        rules=job.rules,
        max_dollars=request.max_dollars,
        started_at=time.time(),
    )
    if found:
        record.calls, record.used = found.calls, found.used
        record.dollars, record.dollars_estimated = found.dollars, found.dollars_estimated
        record.max_dollars = request.max_dollars or found.max_dollars
    if found and found.etag:  # What the run is bound to stays, whatever becomes of this invocation.
        record.etag, record.version_id = found.etag, found.version_id
        record.include_hidden, record.on_bad_object = found.include_hidden, found.on_bad_object
        record.bytes, record.objects, record.units = found.bytes, found.objects, found.units
        record.blocks = found.blocks
        if found.blocks or not request.block_bytes:
            record.block_bytes, record.block_bytes_because = found.block_bytes, found.block_bytes_because
        record.facts = found.facts
        record.started_at, record.seconds = found.started_at, dict(found.seconds)
    return record


def _work(
    job: Job,
    record: RunRecord,
    etag: str | None,
    services: Services,
    ledger: Ledger,
    *,
    check_lines: bool,
    tick: Callable[[], None],
) -> tuple[dict[str, Any], Manifest]:
    # Should an earlier attempt have died between storing some and checking all.
    _ticking(tick, lambda: services.table.delete_parts(record.owner))
    _account_for_what_was_before(record)
    with _stage(record, "parse"):
        manifest = _parse(job, record, etag, services, ledger, check_lines=check_lines, tick=tick)
        _ticking(tick, lambda: services.put_manifest(manifest))
    ledger.show()
    ledger.check_budget()
    with _stage(record, "reduce"):
        parts = _reduce(job, record, manifest, services, ledger, tick=tick)
    with _stage(record, "log"):
        ledger.show()
        logged = call_once(
            services.log_results,
            LogResultsRequest(copy.copy(record)),
            tick=tick,
            observer=ledger.watch("log_results", lambda _: "results"),
        )
        if logged.parts != len(job.parts):
            raise ConservationBroken(
                f"The results table holds {logged.parts} of {len(job.parts)} {job.part}s."
            )
    record.status, record.stage, record.finished_at = "SUCCEEDED", "done", time.time()
    ledger.close()
    services.table.put_run(record)
    return summarize(job, record, parts), manifest


def _account_for_what_was_before(record: RunRecord) -> None:
    """``seconds`` add up to the time since the run began: a new one was claimed, and at one that is resumed
    nobody was at work meanwhile, or died before saying so."""
    before_s = time.time() - record.started_at - sum(record.seconds.values())
    _spend(record, "idle" if record.etag else "claim", max(before_s, 0.0))


@contextmanager
def _stage(record: RunRecord, stage: Stage) -> Iterator[None]:
    record.stage = stage
    started_at = time.monotonic()
    try:
        yield
    finally:
        _spend(record, stage, time.monotonic() - started_at)


def _ticking(tick: Callable[[], None], work: Callable[[], T]) -> T:
    """What ``work()`` returns, in a thread and with a fan-out's retries. It may take longer than the lease:
    ``tick`` renews that meanwhile."""
    return call_once(lambda _: work(), None, tick=tick)


def _spend(record: RunRecord, stage: str, spent_s: float) -> None:
    record.seconds[stage] = round(record.seconds.get(stage, 0.0) + spent_s, 3)


def _pin(record: RunRecord, etag: str | None, pinned: Pinned) -> tuple[Source, Listing]:
    """The input, if it is the version that ``etag`` names and that the run is bound to, which the record then
    names."""
    source, listing, warnings, _ = pinned
    if etag and etag != source.etag:
        raise SourceChanged(
            f"etag: {source.name()} is {source.etag} now, not {etag}: upload that version again, or leave "
            "etag out to take it as it is."
        )
    if record.etag not in ("", source.etag):
        raise SourceChanged(f"{source.name()} was replaced since the run began: start a new run.")
    record.etag, record.version_id = source.etag, source.version_id or ""
    record.bytes, record.objects = source.bytes, source.objects
    for warning in warnings:
        record.warn(warning)
    if not source.bytes:
        record.warn(RunWarning("empty_input", f"{source.name()} is empty, so every count is zero."))
    return source, listing


def _parse(
    job: Job,
    record: RunRecord,
    etag: str | None,
    services: Services,
    ledger: Ledger,
    *,
    check_lines: bool,
    tick: Callable[[], None],
) -> Manifest:
    told, resumed = record.blocks, bool(record.etag)
    pinned = _ticking(tick, lambda: services.pin_source(record))
    source, listing = _pin(record, etag, pinned)
    measured = _ticking(tick, lambda: services.measure(source, listing))
    record.units, record.facts = measured.units, dict(measured.facts)
    if not record.block_bytes:
        record.block_bytes, record.block_bytes_because = _block_units(measured, record.max_concurrency)
    record.block_bytes = bounded_block_units(measured.units, record.block_bytes)
    known_bad = pinned.left_out if job.unit == BYTES else {}
    left_out = LeftOutObjects(listing.addresses, record.block_bytes, known_bad)
    left_out.check(source.name())
    requests = _requests(job, record, source, listing, left_out)
    if any(request.portion.listing for request in requests):
        _ticking(tick, lambda: services.put_listing(listing.body))
    record.blocks = len(requests)
    if record.blocks != told:  # by the record as it was claimed
        tick()

    reports = _map(
        job,
        record,
        requests,
        left_out,
        services,
        watched=ledger,
        work=_work_of_blocks(job, listing.addresses),
        look_for_blobs=resumed,
        check_lines=check_lines,
        tick=tick,
    )
    _tell_left_out(record, left_out)
    manifest = Manifest(record.run_id, source, record.units, reports)
    check_mapped(job, manifest)
    return manifest


def _map(
    job: Job,
    record: RunRecord,
    requests: Sequence[ParseBlockRequest],
    left_out: LeftOutObjects,
    services: Services,
    *,
    watched: Ledger,
    work: Callable[[ParseBlockRequest, BlockReport | None], float],
    look_for_blobs: bool,
    check_lines: bool,
    tick: Callable[[], None],
) -> list[BlockReport]:
    """The report of each block: that of its blob, if there is one, or as it is mapped. Bad objects that a
    block finds are left out by all."""
    reports: dict[int, BlockReport] = {}
    findings: dict[int, Mapping[str, Finding]] = {}

    def note(request: ParseBlockRequest, report: BlockReport) -> None:
        if report.bad_objects:
            left_out.add(request.left_out, report.bad_objects)
            return
        findings[request.block] = report.findings
        reports[request.block] = bare(report)
        record.blocks_done = len(reports)
        record.units_done += report.owned.end - report.owned.start

    def keep(request: ParseBlockRequest, report: BlockReport | None) -> None:
        if report:
            note(request, report)
            record.blocks_kept = len(reports)

    def name(request: ParseBlockRequest) -> str:
        return f"block {request.block} ({job.unit} {request.start} to {request.end})"

    if look_for_blobs:
        map_reduce(
            lambda request: services.find_report(request, check_lines),
            requests,
            keep,
            name=name,
            max_concurrency=CHECKS_AT_ONCE if check_lines else FINDS_AT_ONCE,
            tick=tick,
        )
    to_map = [request for request in requests if request.block not in reports]
    warming = Warming(services.warm)
    later = ["get_all_occurrences", "log_results", *["get_occurrences"] * len(job.parts)]

    def tick_and_warm() -> None:
        nonlocal later
        tick()
        # Not at once: what is warm is done by then, and what is throttled is known.
        if later and watched.room >= len(later):
            warming.begin(later)
            watched.expect(warming.end)
            later = []

    while to_map:
        map_reduce(
            services.parse_block,
            to_map,
            note,
            name=name,
            max_concurrency=record.max_concurrency,
            tick=tick_and_warm,
            observer=watched.watch("parse_block", lambda request: f"block {request.block}"),
            work=work,
        )
        left_out.check(record.name())
        to_map = _stale(requests, reports, left_out)
        for request in to_map:
            reports.pop(request.block, None)
            findings.pop(request.block, None)
        record.blocks_done = len(reports)
        record.units_done = sum(report.owned.end - report.owned.start for report in reports.values())
    _sum_up(job, record, reports.values(), findings.values())
    return [reports[request.block] for request in requests]


def _requests(
    job: Job, record: RunRecord, source: Source, listing: Listing, left_out: LeftOutObjects
) -> list[ParseBlockRequest]:
    """One for each block. Where one object is all there is, or is read as a whole, it cannot be left out."""
    skip_bad = record.on_bad_object == "skip" and record.prefix is not None and job.unit == BYTES
    return [
        ParseBlockRequest(
            record.run_id,
            source,
            *block,
            listing.portion(job.touched(Span(block.start, block.end), source.bytes)),
            record.rules,
            left_out.of_block(block.number),
            skip_bad,
        )
        for block in split(record.units, record.block_bytes)
    ]


def _sum_up(
    job: Job,
    record: RunRecord,
    reports: Iterable[BlockReport],
    findings: Iterable[Mapping[str, Finding]],
) -> None:
    """Note in the record what the blocks counted and noticed."""
    noticed = Findings()
    for found in findings:
        noticed.add(found)
    extras: Counter[str] = Counter()
    for report in reports:
        extras.update(report.extras)
    record.extras = dict(extras)
    for warning in warnings_of(noticed, {**CONCERNS, **job.concerns}):
        record.warn(warning)


def _work_of_blocks(
    job: Job, addresses: Addresses
) -> Callable[[ParseBlockRequest, BlockReport | None], float]:
    """How many units a block may have to do, and with its report, how many it had."""

    @cache
    def bytes_of(start: int, end: int) -> int:
        return addresses.work(Span(start, end))

    def work(request: ParseBlockRequest, report: BlockReport | None) -> float:
        if report:
            return report.owned.end - report.owned.start
        return bytes_of(request.start, request.end) if job.unit == BYTES else request.end - request.start

    return work


def _stale(
    requests: Sequence[ParseBlockRequest], reports: Mapping[int, BlockReport], left_out: LeftOutObjects
) -> list[ParseBlockRequest]:
    """The blocks without a report, and those whose report is with an object that is left out by now."""
    return [
        request.without(left_out.of_block(request.block))
        for request in requests
        if request.block not in reports or reports[request.block].left_out != left_out.of_block(request.block)
    ]


def _tell_left_out(record: RunRecord, left_out: LeftOutObjects) -> None:
    objects = left_out.named()
    record.leave_out(objects)
    if objects:
        one, reason = objects[0]
        record.warn(
            RunWarning(
                "left_out_objects",
                f"The result covers {record.covers()}. Left out: "
                f"{named([left.key for left, _ in objects], len(objects))}. Of the first: {reason}",
                key=one.key,
                count=len(objects),
            )
        )


def _block_units(measured: Measured, max_concurrency: int) -> tuple[int, str]:
    """How many units a block has where the request does not say, and why."""
    if measured.block_units:
        return measured.block_units, "chosen by the job"
    return (
        fitting_block_bytes(measured.units, max_concurrency),
        f"chosen for {measured.units:,} bytes and a concurrency of {max_concurrency:,}",
    )


def _reduce(
    job: Job,
    record: RunRecord,
    manifest: Manifest,
    services: Services,
    ledger: Ledger,
    *,
    tick: Callable[[], None],
) -> list[PartReport]:
    request = GetAllOccurrencesRequest(record.run_id, record.owner, record.max_concurrency, record.rules)
    began_at = time.time()
    stored_at: float | None = None

    def get_all_occurrences(request: GetAllOccurrencesRequest) -> AllPartsReport:
        try:
            return services.get_all_occurrences(request)
        except Throttled:
            raise
        except Transient as error:
            raise _AnswerLost(str(error)) from error  # before it is called again, the table is asked

    def tick_and_look() -> None:
        nonlocal stored_at
        tick()
        if stored_at is None and services.table.count_parts() == len(job.parts):
            stored_at = time.monotonic()
        if stored_at is not None and time.monotonic() - stored_at >= ANSWER_S:
            raise _AnswerLost(f"All results were stored {ANSWER_S:.0f} s ago.")

    try:
        parts = call_once(
            get_all_occurrences,
            request,
            tick=tick_and_look,
            observer=ledger.watch("get_all_occurrences", lambda _: f"all {job.part}s"),
        ).parts
    except (_AnswerLost, NoRoom) as error:
        # What this owner's reducers have stored counts. The rest is reduced from here: in an account with
        # room for two, get_all_occurrences takes the place that its reducers need.
        stored = services.table.get_parts()
        log("reduced_without_answer", run_id=record.run_id, stored=len(stored), message=str(error))
        for report in stored:
            ledger.lost("get_occurrences", f"{job.part} {report.part}", began_at)
        parts = reduce_parts(
            job,
            request,
            services.get_occurrences,
            stored=stored,
            tick=tick,
            observer=ledger.watch("get_occurrences", lambda task: part_name(job, task)),
        ).parts
    if [report.part for report in parts] != list(job.parts):
        raise ConservationBroken(f"Only the {job.part}s {[report.part for report in parts]} were reduced.")
    for report in parts:
        check_reduced(report, job, manifest)
    return parts


def _end(record: RunRecord, table: ResultsTable) -> None:
    """Leave the record of a run that has failed, and no results. What fails here is logged: the error that
    ended the run matters more."""
    try:
        table.end_run(record)
        table.delete_parts(record.owner)
    except FanfoldError as error:
        log("record_not_written", run_id=record.run_id, error=type(error).__name__, message=str(error))
