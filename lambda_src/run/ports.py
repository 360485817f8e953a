"""What a run needs from outside. ``handlers.parse_file`` implements the ports; each raises our own errors."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from lambda_src.fan_out.drivers import Calls
from lambda_src.fields import Function
from lambda_src.input.addresses import Listing
from lambda_src.job import Measured
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
    Pinned,
)
from lambda_src.wire.source import Source


class Invocation(Protocol):
    """The invocation of ``parse_file`` that executes the run."""

    def remaining_s(self) -> float:
        """Seconds until Lambda ends it."""

    def usage(self) -> Usage:
        """What it has used so far."""

    def publish(self, record: RunRecord) -> None:
        """Publish the metrics of a run that has ended."""


class Inputs(Protocol):
    """The input of the run."""

    def pin(self, record: RunRecord) -> Pinned:
        """Fix the version that the run reads: the record's own version, else the current one."""

    def measure(self, source: Source, listing: Listing) -> Measured:
        """How many units the input has."""


class Functions(Protocol):
    """The other functions of the deployment: how to call each in one fan-out."""

    @property
    def parse_block(self) -> Calls[ParseBlockRequest, BlockReport]:
        """Maps one block."""

    @property
    def get_all_occurrences(self) -> Calls[GetAllOccurrencesRequest, AllPartsReport]:
        """Reduces all shards."""

    @property
    def get_occurrences(self) -> Calls[GetOccurrencesRequest, Reduced]:
        """Reduces one shard."""

    @property
    def log_results(self) -> Calls[LogResultsRequest, LogResultsReport]:
        """Logs the results of the run."""

    @property
    def warm(self) -> Calls[Function, Warmed]:
        """Starts an environment of the function of this name."""

    @property
    def hand_over(self) -> Calls[HandOverRequest, None]:
        """Starts a new invocation of ``parse_file``, without waiting for its end."""


class Blobs(Protocol):
    """What the run stores in S3."""

    def put_listing(self, listing: bytes) -> None:
        """Store the listing of the input's objects."""

    def find_report(self, request: ParseBlockRequest, check_lines: bool) -> BlockReport | None:
        """The report of a block whose blob is stored already."""

    def get_family(self, days: int, name: str) -> Family | None:
        """What the family ``name`` knows, if it is stored. Its blobs are used for ``days``."""

    def put_family(self, days: int, name: str, family: Family) -> None:
        """Store what the family ``name`` knows."""

    def put_manifest(self, manifest: bytes) -> None:
        """Store the manifest, as JSON."""

    def get_trace(self) -> Trace | None:
        """The trace that earlier invocations stored."""

    def put_trace(self, trace: Trace) -> None:
        """Store the trace."""

    def delete(self, reports: Sequence[BlockReport]) -> None:
        """Delete the blobs of these blocks, unless the deployment keeps them."""


class Results(Protocol):
    """The run's items in the results table: see ``store.results.ResultsTable``."""

    def get_run(self) -> RunRecord | None:
        """The record."""

    def claim(self, record: RunRecord, found: RunRecord | None) -> None:
        """Store the record of a new owner in place of ``found``."""

    def take_over(self, record: RunRecord, released_by: str) -> None:
        """Store the record of a new owner of a released run."""

    def put_run(self, record: RunRecord) -> None:
        """Store the record of a run in progress."""

    def end_run(self, record: RunRecord) -> None:
        """Store the record of a run that has failed."""

    def get_parts(self) -> list[PartReport]:
        """The results of all parts stored so far."""

    def put_parts(self, reports: Sequence[PartReport], owner: str) -> None:
        """Store the results of parts."""

    def count_parts(self) -> int:
        """How many results are stored."""

    def delete_parts(self, owner: str) -> None:
        """Delete the stored results."""


class Ports(NamedTuple):
    """All of them."""

    invocation: Invocation
    inputs: Inputs
    functions: Functions
    blobs: Blobs
    results: Results
