"""The record of a run, as it is stored in the results table."""

import math
import time
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from lambda_src.errors import FORMER_NAMES, RunCancelled
from lambda_src.fields import Count, Keep, OnBadObject, Time
from lambda_src.input.addresses import Placed
from lambda_src.job import ShardBy
from lambda_src.telemetry.calls import ERROR_BYTES, FAILURE_BYTES, FAILURES, Call, cut
from lambda_src.wire.source import name_of

WARNINGS, WARNING_BYTES = 50, 1000


LEFT_OUT, REASON_BYTES = 30, 2000
"""At most: an item of DynamoDB holds 400 KB."""


Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]


Stage = Literal["parse", "reduce", "log", "done"]


class RunWarning(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that people should know before they rely on a result.

    ``code`` is for programs, such as ``invalid_utf8``; ``message`` is for people. ``key`` and ``offset`` name
    the first object and byte concerned, ``count`` is the number of bytes, lines or objects.
    """

    code: str
    message: str
    key: str | None = None
    offset: Count | None = None
    count: Count | None = None


class LeftOut(Struct, frozen=True, forbid_unknown_fields=True):
    """An object that a run left out, and why."""

    key: str
    reason: str


class RunRecord(Struct, kw_only=True):
    """The state of a run. Times are seconds since the epoch, ``seconds`` is per stage.

    ``owner`` is the one invocation of ``parse_file`` that works on the run while its lease lasts. Once it has
    ``released`` the run, nobody does until the next invocation takes over. ``job`` is the name of its job;
    records of versions with one stack per job have none. A block has ``block_units`` units
    of the job, whatever its stored name says. The finished blocks own ``units_done``; ``blocks_kept`` of them
    were finished before the owner began. ``rules`` identifies the rules of the job that made the result.
    ``facts`` is what the job measured of its input, ``extras`` what its blocks counted besides observations.
    The run has ``shards`` by part or by key; records of versions that knew no shards have 0. ``options`` are
    the job's own; ``options_chosen`` names those that differ from the job's defaults (older records lack it).
    With ``keep``, it stores all sums: ``kept`` has their ``keys`` and ``bytes``.

    ``calls`` counts the calls in flight (``running``, ``at_most`` and ``slow``: see ``map_reduce.Observer``),
    and all others by their outcome (``outcomes.CALL_COUNTS``). ``used`` is what AWS charges for so far, and
    ``dollars`` what it costs, by the names of ``prices.ITEMS``, at the prices of ``price_region`` and
    ``price_architecture``, which ``prices`` describes for people; ``dollars_estimated`` is the part of the
    sum that could not be measured. A run that costs more than ``max_dollars`` is cancelled.

    A run with ``reuse_days`` may use blobs of earlier runs, up to that age. It has ``blocks_reused`` of
    their blocks, with ``bytes_reused``. ``reuse_secret`` takes the place of its id where keys are hashed.

    ``last_calls`` of a run that has succeeded are those that ended after its trace was stored.

    ``error`` is for people; ``error_code`` is the name of the error's class.
    """

    run_id: str
    job: str = ""
    owner: str = ""
    lease_until: Time = 0.0
    released: bool = False
    cancel_requested: bool = False
    status: Status = "RUNNING"
    stage: Stage = "parse"
    bucket: str = ""
    key: str | None = None
    prefix: str | None = None
    etag: str = ""
    version_id: str = ""
    bytes: Count = 0
    objects: Count = 0
    include_hidden: bool = False
    on_bad_object: OnBadObject = "fail"
    left_out: list[LeftOut] = []
    objects_left_out: Count = 0
    bytes_left_out: Count = 0
    block_units: Count = field(name="block_bytes", default=0)
    block_units_because: str = field(name="block_bytes_because", default="")
    blocks: Count = 0
    blocks_done: Count = 0
    blocks_kept: Count = 0
    units_done: Count = 0
    max_concurrency: Count = 0
    units: Count = 0
    rules: str = ""
    facts: dict[str, Any] = {}
    extras: dict[str, int] = {}
    error: str = ""
    error_code: str = ""
    failures: list[str] = []
    warnings: list[RunWarning] = []
    started_at: Time
    finished_at: Time = 0.0
    seconds: dict[str, float] = {}
    calls: dict[str, int] = {}
    used: dict[str, float] = {}
    dollars: dict[str, float] = {}
    dollars_estimated: float = 0.0
    prices: str = ""
    price_region: str = ""
    price_architecture: str = ""
    max_dollars: float | None = None
    shards: Count = 0
    shard_by: ShardBy | None = None
    shards_because: str = ""
    options: dict[str, Any] = {}
    options_chosen: list[str] | None = None
    reuse_days: Count = 0
    reuse_secret: str = ""
    blocks_reused: Count = 0
    bytes_reused: Count = 0
    keep: Keep | None = None
    kept: dict[str, int] = {}
    last_calls: list[Call] = []

    def __post_init__(self) -> None:
        """Complete a record of an earlier version, which has the code of its error and the region and
        architecture of its prices only in their texts."""
        code, colon, _ = self.error.partition(": ")
        if colon and code.isidentifier() and not self.error_code:
            self.error_code = FORMER_NAMES.get(code, code)
        if self.prices and not self.price_region:
            region, architecture, *_ = *self.prices.split(", "), ""
            self.price_region, self.price_architecture = region.partition(" ")[0], architecture

    def failed_with(self, kind: type[Exception]) -> bool:
        """Whether an error of exactly this class ended the run."""
        return self.error_code == kind.__name__

    def name(self) -> str:
        """The input as text for people."""
        return name_of(self.bucket, self.key, self.prefix)

    def warn(self, warning: RunWarning) -> None:
        """Add ``warning`` once. A run keeps ``WARNINGS`` of them; the last one counts the rest."""
        warning = replace(warning, message=cut(warning.message, WARNING_BYTES))
        if warning in self.warnings:
            return
        kept = self.warnings[: WARNINGS - 1]
        if len(self.warnings) >= WARNINGS - 1:
            more = 1 + sum(last.count or 0 for last in self.warnings[WARNINGS - 1 :])
            warning = RunWarning("more_warnings", f"There are {more:,} more warnings.", count=more)
        self.warnings = [*kept, warning]

    def leave_out(self, objects: Sequence[tuple[Placed, str]]) -> None:
        """Note that the result leaves out ``objects``, each with the reason; the first ``LEFT_OUT`` by
        name."""
        self.objects_left_out = len(objects)
        self.bytes_left_out = sum(one.bytes for one, _ in objects)
        self.left_out = [LeftOut(one.key, cut(why, REASON_BYTES)) for one, why in objects[:LEFT_OUT]]

    def covers(self) -> str:
        """How much of the input the result covers, for a sentence."""
        read = self.objects - self.objects_left_out
        return (
            f"{read:,} of {self.objects:,} objects and {self.bytes - self.bytes_left_out:,} of "
            f"{self.bytes:,} bytes"
        )

    def fail(self, error: Exception) -> None:
        """Note that ``error`` ended the run now: as CANCELLED for RunCancelled, else as FAILED."""
        self.status = "CANCELLED" if isinstance(error, RunCancelled) else "FAILED"
        self.released = False
        self.error_code = type(error).__name__
        self.error = cut(f"{self.error_code}: {error}", ERROR_BYTES)
        self.failures = [cut(text, FAILURE_BYTES) for text in getattr(error, "failures", ())[:FAILURES]]
        self.finished_at = time.time()
        if self.calls:
            self.calls = {**self.calls, "running": 0, "slow": 0}  # its owner may have died


def total_dollars(record: RunRecord) -> float:
    """The cost of a run so far, to three digits.

    >>> total_dollars(RunRecord(run_id="r", started_at=0.0, dollars={"gb_s": 0.0041288, "s3_puts": 2e-5}))
    0.00415
    """
    return float(f"{math.fsum(record.dollars.values()):.3g}")
