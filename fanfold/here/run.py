"""One run on this machine, by the engine that ``parse_file`` uses: these are its ports."""

import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from fanfold.here.blobs import FolderBlobs
from fanfold.here.files import Files
from fanfold.here.processes import ProcessDriver, Processes
from lambda_src.fields import Function
from lambda_src.input.addresses import Listing, addresses_of
from lambda_src.input.objects import ObjectsInput
from lambda_src.job import Job, Measured
from lambda_src.run.map_block import map_block
from lambda_src.run.orchestrator import execute
from lambda_src.run.ports import Ports
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.run.reduce_shards import reduce_shards
from lambda_src.settings import ONE_THREAD
from lambda_src.telemetry.calls import Trace, Usage
from lambda_src.wire.family import Family
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import (
    AllPartsReport,
    BlockReport,
    LogResultsReport,
    PartReport,
    Reduced,
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
from lambda_src.wire.source import HERE, Source

Show = Callable[[RunRecord], None]


class Tried(NamedTuple):
    """A run that has succeeded: its last record, its summary, and the reports of its parts."""

    record: RunRecord
    summary: dict[str, Any]
    parts: Sequence[PartReport]


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Trial(NamedTuple):
    """A job, its input, and where its intermediates go."""

    job: Job
    files: Files
    blobs: FolderBlobs


def workers(trial: Trial, count: int, *, profile: bool = False) -> Processes:
    """Processes that map blocks and reduce shards."""
    job, files, blobs = trial
    for variable, value in ONE_THREAD.items():
        os.environ.setdefault(variable, value)

    def work(task: ParseBlockRequest | GetOccurrencesRequest) -> BlockReport | Reduced:
        if isinstance(task, GetOccurrencesRequest):
            return reduce_shard(job, task, blobs)
        source = ObjectsInput(
            addresses_of(task.portion, blobs.get_listing),
            files.read,
            size_bytes=task.source.bytes,
            objects=task.source.objects,
            left_out={one.start for one in task.left_out},
            skip_bad=task.skip_bad_objects,
        )
        return map_block(job, task, source, blobs)

    return Processes(count, work, profile=profile)


def run_here(
    trial: Trial, processes: Processes, request: ParseFileRequest, show: Show = lambda _: None
) -> Tried:
    """Run the job; ``show`` gets the record about twice a second. Raises FanfoldError, what the
    job's code raises, and FanOutFailed with JobFailed as its cause."""
    job, files, blobs = trial
    table = _Table(show)
    ports = Ports(
        invocation=_Invocation(),
        inputs=_Inputs(job, files),
        functions=_Functions(job, processes, table),
        blobs=_Blobs(blobs),
        results=table,
    )
    one = files.name if len(files.paths) == 1 else None
    asked = replace(request, key=one, prefix=None if one else files.name, max_concurrency=processes.count)
    summary = execute(job, blobs.run_id, HERE, asked, ports)
    because = summary["block_bytes_because"].replace("Lambdas", "processes")
    return Tried(table.record, {**summary, "block_bytes_because": because, "dollars": 0.0}, table.parts)


class _Invocation:
    """Implements ``ports.Invocation``: nothing here ends after 15 minutes, or costs anything."""

    def __init__(self) -> None:
        self._began_at = time.monotonic()

    def remaining_s(self) -> float:
        return math.inf

    def usage(self) -> Usage:
        return Usage(0, 0.0, 1000 * (time.monotonic() - self._began_at), 0.0, 0.0, {})

    def publish(self, record: RunRecord) -> None:
        """Nobody collects metrics."""


class _Inputs:
    """Implements ``ports.Inputs``."""

    def __init__(self, job: Job, files: Files) -> None:
        self._job, self._files = job, files

    def pin(self, _: RunRecord) -> Pinned:
        return self._files.pin()

    def measure(self, source: Source, listing: Listing) -> Measured:
        every = ObjectsInput(
            listing.addresses, self._files.read, size_bytes=source.bytes, objects=source.objects
        )
        return self._job.measure(every)


class _Functions:
    """Implements ``ports.Functions``."""

    def __init__(self, job: Job, processes: Processes, table: "_Table") -> None:
        self._job, self._processes, self._table = job, processes, table

    @property
    def parse_block(self) -> ProcessDriver:
        return self._processes.driver()

    @property
    def get_occurrences(self) -> ProcessDriver:
        return self._processes.driver()

    def get_all_occurrences(self, request: GetAllOccurrencesRequest) -> AllPartsReport:
        reduced = reduce_shards(self._job, request, self.get_occurrences, lambda _: None)
        self._table.parts = reduced.parts
        return reduced

    def log_results(self, _: LogResultsRequest) -> LogResultsReport:
        """Nobody collects logs."""
        return LogResultsReport(len(self._job.parts))

    def warm(self, _: Function) -> Warmed:
        """The processes have started already."""
        return Warmed()

    def hand_over(self, _: HandOverRequest) -> None:
        raise AssertionError("time does not run out")


class _Blobs:
    """Implements ``ports.Blobs``. All of it is deleted with its folder."""

    def __init__(self, blobs: FolderBlobs) -> None:
        self._blobs = blobs

    def put_listing(self, listing: bytes) -> None:
        self._blobs.put_listing(listing)

    def find_report(self, request: ParseBlockRequest, check_lines: bool) -> BlockReport | None:
        """Every run is new."""

    def get_family(self, days: int, name: str) -> Family | None:
        """Its input is mapped again each time."""

    def put_family(self, days: int, name: str, family: Family) -> None:
        """Nothing is kept."""

    def put_manifest(self, manifest: bytes) -> None:
        self._blobs.put_manifest(manifest)

    def get_trace(self) -> Trace | None:
        """Every run is new."""

    def put_trace(self, trace: Trace) -> None:
        """Nobody draws it."""

    def delete(self, reports: Sequence[BlockReport]) -> None:
        """Its folder is deleted."""


class _Table:
    """Implements ``ports.Results``, in memory, for a new run."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self.record = RunRecord(run_id="", started_at=0.0)
        self.parts: Sequence[PartReport] = ()

    def get_run(self) -> RunRecord | None:
        return None

    def claim(self, record: RunRecord, found: RunRecord | None) -> None:  # noqa: ARG002 - it is new
        self.record = record

    def take_over(self, record: RunRecord, released_by: str) -> None:  # noqa: ARG002
        raise AssertionError("no run is handed over")

    def put_run(self, record: RunRecord) -> None:
        self.record = record
        self._show(record)

    def end_run(self, record: RunRecord) -> None:
        self.record = record

    def get_parts(self) -> list[PartReport]:
        return []

    def put_parts(self, reports: Sequence[PartReport], owner: str) -> None:
        """The answer of ``get_all_occurrences`` has them."""

    def count_parts(self) -> int:
        """None, so that nobody gives up waiting for that answer."""
        return 0

    def delete_parts(self, owner: str) -> None:
        """There are none."""
