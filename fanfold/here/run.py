"""One run on this machine, by the engine that ``parse_file`` uses: these are its ports."""

import math
import os
import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from msgspec.structs import replace

from fanfold.here.blobs import FolderBlobs
from fanfold.here.files import Files
from lambda_src.fan_out.drivers import Calls
from lambda_src.fields import Function
from lambda_src.input.addresses import Listing, addresses_of
from lambda_src.input.objects import ObjectsInput
from lambda_src.job import Job, Measured
from lambda_src.run.map_block import map_block
from lambda_src.run.orchestrator import execute
from lambda_src.run.ports import Ports
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.run.reduce_shards import reduce_shards
from lambda_src.settings import THREADS
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

if TYPE_CHECKING:
    from fanfold.here.processes import Work

Show = Callable[[RunRecord], None]

SMALL_BYTES = 1 << 20
"""An input of up to this size is read sooner than processes would start."""


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


class Workers(Protocol):
    """What maps blocks and reduces shards, ``count`` at once."""

    @property
    def count(self) -> int:
        """How many there are."""

    def driver(self) -> Calls[Any, Any]:
        """What makes the calls of one fan-out."""

    def profiles(self) -> list[Any]:
        """What they noted of their time."""

    def close(self) -> None:
        """End them."""


class InThisProcess:
    """Implements ``Workers`` without processes: one call at a time. The plan of a run is the same."""

    def __init__(self, work: "Work") -> None:
        self.count = processors()
        self._work, self._lock = work, Lock()

    def driver(self) -> "Work":
        """As ``Workers.driver``."""
        return self._one_at_a_time

    def _one_at_a_time(self, task: Any) -> Any:
        with self._lock:
            return self._work(task)

    def profiles(self) -> list[Any]:
        """As ``Workers.profiles``."""
        return []

    def close(self) -> None:
        """As ``Workers.close``: its threads end with this process."""


def workers(trial: Trial, count: int | None = None, *, profile: bool = False) -> Workers:
    """``count`` processes for the run. Without a count one for each processor, but none for a small input,
    unless reducers share the work: that grows with columns, not with bytes. ``None`` is for code that is
    known not to end its process."""
    job, files, blobs = trial
    os.environ.setdefault(THREADS, "1")

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

    if count is None and "share" not in job.sharded_by and files.size_bytes() <= SMALL_BYTES:
        return InThisProcess(work)
    from fanfold.here.processes import Processes  # noqa: PLC0415 - slow to import

    return Processes(count or processors(), work, profile=profile)


def run_here(
    trial: Trial, processes: Workers, request: ParseFileRequest, show: Show = lambda _: None
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

    def __init__(self, job: Job, processes: Workers, table: "_Table") -> None:
        self._job, self._processes, self._table = job, processes, table

    @property
    def parse_block(self) -> Calls[ParseBlockRequest, BlockReport]:
        return self._processes.driver()

    @property
    def get_occurrences(self) -> Calls[GetOccurrencesRequest, Reduced]:
        return self._processes.driver()

    def get_all_occurrences(self, request: GetAllOccurrencesRequest) -> AllPartsReport:
        reduced = reduce_shards(self._job, request, self.get_occurrences, lambda _: None)
        self._table.parts = reduced.parts
        return reduced

    def log_results(self, _: LogResultsRequest) -> LogResultsReport:
        """Nobody collects logs."""
        return LogResultsReport(len(self._job.parts))

    def warm(self, _: Function) -> Warmed:
        """Processes start when there is work for them."""
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
