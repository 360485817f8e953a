"""The first stage: the input is pinned and cut into blocks, and each block is mapped once."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Literal

from lambda_src.errors import FanfoldError
from lambda_src.fan_out.map_reduce import map_reduce
from lambda_src.fields import Function
from lambda_src.input.addresses import Addresses, Listing
from lambda_src.input.blocks import Block, split
from lambda_src.input.findings import CONCERNS, INVALID_UTF8, Findings
from lambda_src.input.groups import groups_of, split_groups
from lambda_src.input.left_out import LeftOutObjects
from lambda_src.job import BYTES, Finding, Job, Span
from lambda_src.run.ports import Blobs, Functions, Inputs
from lambda_src.run.proof import check_mapped
from lambda_src.run.reuse import Reuse, family_of, map_context, reusable, suits
from lambda_src.run.state import Run
from lambda_src.run.warming import Warming
from lambda_src.run.warnings import warnings_of
from lambda_src.wire.family import Family
from lambda_src.wire.record import RunRecord, RunWarning
from lambda_src.wire.reports import BlockReport, Manifest, bare
from lambda_src.wire.requests import ParseBlockRequest, Pinned, Reusable, context_of

Look = Literal["family", "headers", "lines"]
"""How a run finds what is mapped already: by what its family knows, and for other blocks by the headers of
blobs; by the headers of all; or by all of their lines."""

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
    look: Look,
) -> Manifest:
    """Map every block that has no valid blob yet. Raises ConservationBroken unless the blocks own each unit
    of the input once, and SourceChanged."""
    resumed = bool(run.record.etag)
    pinned = run.wait_for(lambda: inputs.pin(run.record))
    run.bind(pinned, etag)
    source, listing = pinned.source, pinned.listing
    measured = run.wait_for(lambda: inputs.measure(source, listing))
    measured = job.prepare(measured, job.read_options(run.record.options))
    run.note_size(measured)
    name, family = _family(job, run, blobs)
    run.choose_plan(job, measured, listing, family)
    divided = _divided(run.record, listing, name)
    known_bad = pinned.left_out if job.unit == BYTES else {}
    left_out = LeftOutObjects(listing.addresses, [block for block, _ in divided], known_bad)
    left_out.check(source.name())
    requests = _requests(job, run.record, pinned, left_out, divided)
    # Who reads the pieces needs the names of all objects, also of those without any text.
    if job.stores_pieces or any(request.portion.listing for request in requests):
        run.wait_for(lambda: blobs.put_listing(listing.body))
    run.split_into(len(requests))
    known = Reuse(run.record, family, is_trusted=look == "family")
    blocks = _Blocks(job, run, requests, left_out, known)
    if resumed:
        blocks.reuse(requests)
        blocks.find(blobs, check_lines=look == "lines")
    blocks.map(functions, _work_of_blocks(job, listing.addresses))
    run.leave_out(left_out.named())
    shards = context_of(run.record).shards
    manifest = Manifest(run.record.run_id, source, run.record.units, blocks.reports(), shards)
    check_mapped(job, manifest)
    if known.has_new:
        _keep(run, known.family(), name, blobs)
    return manifest


def _family(job: Job, run: Run, blobs: Blobs) -> tuple[str, Family | None]:
    """The name of the run's family, and what it knows, if the run can use that. A run without reuse_days has
    none."""
    record = run.record
    if not record.reuse_days:
        return "", None
    name = family_of(job, record)
    found = run.wait_for(lambda: blobs.get_family(record.reuse_days, name))
    return name, found if found and suits(found, record, record.units) else None


def _keep(run: Run, family: Family, name: str, blobs: Blobs) -> None:
    """Store what later runs can use. The result does not depend on it."""
    try:
        run.wait_for(lambda: blobs.put_family(run.record.reuse_days, name, family))
    except FanfoldError as error:
        run.note_not_kept(error)


def _divided(record: RunRecord, listing: Listing, family: str) -> list[tuple[Block, Reusable | None]]:
    """The blocks of the run, each with how its blob can be found again, if later runs may use it."""
    if not record.reuse_days:
        return [(block, None) for block in split(record.units, record.block_units)]
    groups = groups_of(listing.addresses, record.block_units, record.reuse_secret)
    return [
        (block, reusable(record, family, block, group))
        for block, group in split_groups(groups, record.block_units)
    ]


class _Blocks:
    """The blocks of a run, one per request, and the reports of those that are done. When a block finds bad
    objects, all blocks leave them out."""

    def __init__(
        self,
        job: Job,
        run: Run,
        requests: Sequence[ParseBlockRequest],
        left_out: LeftOutObjects,
        known: Reuse,
    ) -> None:
        self._job, self._run, self._requests, self._left_out = job, run, requests, left_out
        self._known = known
        self._reused: dict[int, int] = {}  # the units of each block that an earlier run has mapped
        self._reports: dict[int, BlockReport] = {}
        self._findings: dict[int, Mapping[str, Finding]] = {}
        self._units_done = 0

    def reports(self) -> list[BlockReport]:
        """The reports of all blocks, in their order."""
        return [self._reports[request.block] for request in self._requests]

    def reuse(self, requests: Iterable[ParseBlockRequest]) -> list[ParseBlockRequest]:
        """Take over the blocks that earlier runs have mapped; the requests of all others."""
        to_map = []
        for request in requests:
            report = self._known.find(request)
            if report:
                self._take_over(request, report)
            else:
                to_map.append(request)
        self._run.count_reused(len(self._reused), sum(self._reused.values()))
        return to_map

    def _take_over(self, request: ParseBlockRequest, report: BlockReport) -> None:
        if self._known.is_of_earlier_run(request):
            self._reused[request.block] = _units(report)
        self._add(request, report)

    def find(self, blobs: Blobs, *, check_lines: bool) -> None:
        """Take over the blocks whose blobs earlier invocations have stored."""
        to_find = [request for request in self._requests if request.block not in self._reports]

        def keep(request: ParseBlockRequest, report: BlockReport | None) -> None:
            if report and self._known.agrees(request, report):
                self._take_over(request, report)
                self._run.count_kept_blocks(len(self._reports) - len(self._reused))

        map_reduce(
            lambda request: blobs.find_report(request, check_lines),
            to_find,
            keep,
            name=self._name,
            max_concurrency=CHECKS_AT_ONCE if check_lines else FINDS_AT_ONCE,
            tick=self._run.tick,
        )
        self._run.count_kept_blocks(len(self._reports) - len(self._reused))

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
        while to_map := self.reuse(to_map):
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
        if request.reusable:
            self._known.keep(request, report)
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
            self._reused.pop(request.block, None)
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
    job: Job,
    record: RunRecord,
    pinned: Pinned,
    left_out: LeftOutObjects,
    divided: Iterable[tuple[Block, Reusable | None]],
) -> list[ParseBlockRequest]:
    """One request per block. An input that is a single object, or is read as a whole, has no objects that
    could be skipped."""
    source = pinned.source
    skip_bad = record.on_bad_object == "skip" and record.prefix is not None and job.unit == BYTES
    context = map_context(context_of(record)) if record.reuse_days else context_of(record)
    return [
        ParseBlockRequest(
            record.run_id,
            source,
            *block,
            pinned.listing.portion(job.touched(Span(block.start, block.end), source.bytes)),
            record.rules,
            context,
            left_out.of_block(block.number),
            skip_bad,
            reused,
        )
        for block, reused in divided
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
