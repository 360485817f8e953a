"""The first stage: the input is pinned and cut into blocks, and each block is mapped once."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from lambda_src.fields import Function
from lambda_src.input.addresses import Addresses, Listing
from lambda_src.input.blocks import split
from lambda_src.input.findings import CONCERNS, INVALID_UTF8, Findings
from lambda_src.input.left_out import LeftOutObjects
from lambda_src.job import BYTES, Finding, Job, Span
from lambda_src.map_reduce import map_reduce
from lambda_src.run.ports import Blobs, Functions, Inputs
from lambda_src.run.proof import check_mapped
from lambda_src.run.state import Run
from lambda_src.run.warming import Warming
from lambda_src.run.warnings import warnings_of
from lambda_src.wire.record import RunRecord, RunWarning
from lambda_src.wire.reports import BlockReport, Manifest, bare
from lambda_src.wire.requests import ParseBlockRequest, context_of
from lambda_src.wire.source import Source

FINDS_AT_ONCE = 32
"""How many blobs a resumed run looks for at once: enough to hide S3's latency."""

CHECKS_AT_ONCE = 8
"""The same when every line of a blob is read: each may take 16 MB or more."""


def parse(
    job: Job,
    run: Run,
    etag: str | None,
    *,
    inputs: Inputs,
    blobs: Blobs,
    functions: Functions,
    check_lines: bool,
) -> Manifest:
    """Map every block that has no valid blob yet. Raises ConservationBroken unless
    the blocks own each unit of the input once, and SourceChanged."""
    resumed = bool(run.record.etag)
    pinned = run.wait_for(lambda: inputs.pin(run.record))
    run.bind(pinned, etag)
    source, listing = pinned.source, pinned.listing
    run.choose_plan(job, run.wait_for(lambda: inputs.measure(source, listing)), listing)
    known_bad = pinned.left_out if job.unit == BYTES else {}
    left_out = LeftOutObjects(listing.addresses, run.record.block_units, known_bad)
    left_out.check(source.name())
    requests = _requests(job, run.record, source, listing, left_out)
    if any(request.portion.listing for request in requests):
        run.wait_for(lambda: blobs.put_listing(listing.body))
    run.split_into(len(requests))
    blocks = _Blocks(job, run, requests, left_out)
    if resumed:
        blocks.find(blobs, check_lines=check_lines)
    blocks.map(functions, _work_of_blocks(job, listing.addresses))
    run.leave_out(left_out.named())
    shards = context_of(run.record).shards
    manifest = Manifest(run.record.run_id, source, run.record.units, blocks.reports(), shards)
    check_mapped(job, manifest)
    return manifest


class _Blocks:
    """The blocks of a run, one per request, and the reports of those that are done. When a block finds bad
    objects, all blocks leave them out."""

    def __init__(
        self, job: Job, run: Run, requests: Sequence[ParseBlockRequest], left_out: LeftOutObjects
    ) -> None:
        self._job, self._run, self._requests, self._left_out = job, run, requests, left_out
        self._reports: dict[int, BlockReport] = {}
        self._findings: dict[int, Mapping[str, Finding]] = {}
        self._units_done = 0

    def reports(self) -> list[BlockReport]:
        """The reports of all blocks, in their order."""
        return [self._reports[request.block] for request in self._requests]

    def find(self, blobs: Blobs, *, check_lines: bool) -> None:
        """Take over the blocks whose blobs earlier invocations have stored."""

        def keep(request: ParseBlockRequest, report: BlockReport | None) -> None:
            if report:
                self._add(request, report)
                self._run.count_kept_blocks(len(self._reports))

        map_reduce(
            lambda request: blobs.find_report(request, check_lines),
            self._requests,
            keep,
            name=self._name,
            max_concurrency=CHECKS_AT_ONCE if check_lines else FINDS_AT_ONCE,
            tick=self._run.tick,
        )

    def map(
        self, functions: Functions, work: Callable[[ParseBlockRequest, BlockReport | None], float]
    ) -> None:
        """Map all other blocks, and start the functions of the next stage meanwhile."""
        run, ledger = self._run, self._run.ledger
        reducers: list[Function] = ["get_occurrences"] * run.record.shards
        warming = Warming(functions.warm, ["get_all_occurrences", "log_results", *reducers])
        ledger.expect(warming.end)
        is_early = True

        def tick() -> None:
            run.tick()
            # Not before the first tick: by then throttles have shown. Where this function was warm, others
            # may be, too, and answer soon. Blocks that are still to begin come first.
            nonlocal is_early
            if is_early and not run.was_cold:
                is_early = False
                return
            spare = run.record.max_concurrency - (len(self._requests) - len(self._reports))
            warming.begin_once(min(spare, ledger.spare_concurrency))

        to_map = [request for request in self._requests if request.block not in self._reports]
        while to_map:
            map_reduce(
                functions.parse_block,
                to_map,
                self._add,
                name=self._name,
                max_concurrency=run.record.max_concurrency,
                tick=tick,
                observer=ledger.watch("parse_block", lambda request: f"block {request.block}"),
                work=work,
            )
            self._left_out.check(run.record.name())
            to_map = self._discard_stale()
        warming.wait()
        self._sum_up()

    def _add(self, request: ParseBlockRequest, report: BlockReport) -> None:
        if report.bad_objects:
            self._left_out.add(request.left_out, report.bad_objects)
            return
        self._findings[request.block] = report.findings
        self._reports[request.block] = bare(report)
        self._units_done += _units(report)
        self._run.count_blocks(len(self._reports), self._units_done)

    def _discard_stale(self) -> list[ParseBlockRequest]:
        """The requests of blocks that must be mapped again, because they have no report or read an object
        that is left out by now."""
        stale = [
            request.without(spans)
            for request in self._requests
            for spans in [self._left_out.of_block(request.block)]
            if request.block not in self._reports or self._reports[request.block].left_out != spans
        ]
        for request in stale:
            self._reports.pop(request.block, None)
            self._findings.pop(request.block, None)
        self._units_done = sum(map(_units, self._reports.values()))
        self._run.count_blocks(len(self._reports), self._units_done)
        return stale

    def _sum_up(self) -> None:
        findings = Findings()
        for found in self._findings.values():
            findings.add(found)
        extras: Counter[str] = Counter()
        for report in self._reports.values():
            extras.update(report.extras)
        warnings = list(warnings_of(findings, {**CONCERNS, **self._job.concerns}))
        text = findings.summed().get(INVALID_UTF8)
        if self._job.unit == BYTES and self._reports and text and not text.total:
            name = self._run.record.name()
            warnings.insert(0, RunWarning("empty_input", f"{name} holds no text, so every count is zero."))
        self._run.note_extras(dict(extras), warnings)

    def _name(self, request: ParseBlockRequest) -> str:
        return f"block {request.block} ({self._job.unit} {request.start} to {request.end})"


def _units(report: BlockReport) -> int:
    return report.owned.end - report.owned.start


def _requests(
    job: Job, record: RunRecord, source: Source, listing: Listing, left_out: LeftOutObjects
) -> list[ParseBlockRequest]:
    """One request per block. An input that is a single object, or is read as a whole, has no objects that
    could be skipped."""
    skip_bad = record.on_bad_object == "skip" and record.prefix is not None and job.unit == BYTES
    context = context_of(record)
    return [
        ParseBlockRequest(
            record.run_id,
            source,
            *block,
            listing.portion(job.touched(Span(block.start, block.end), source.bytes)),
            record.rules,
            context,
            left_out.of_block(block.number),
            skip_bad,
        )
        for block in split(record.units, record.block_units)
    ]


def _work_of_blocks(
    job: Job, addresses: Addresses
) -> Callable[[ParseBlockRequest, BlockReport | None], float]:
    """How many units a block may have to process; with its report, how many it had."""

    @cache
    def bytes_of(start: int, end: int) -> int:
        return addresses.work(Span(start, end))

    def work(request: ParseBlockRequest, report: BlockReport | None) -> float:
        if report:
            return _units(report)
        return bytes_of(request.start, request.end) if job.unit == BYTES else request.end - request.start

    return work
