"""The state of a run. ``Run`` makes every transition, and nothing else writes the record of a running run.

    claimed -> parsing -> reducing -> logging -> succeeded

A run can fail, be cancelled or be handed over from any state before ``succeeded``.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from lambda_src.errors import FanfoldError, SourceChanged, Transient
from lambda_src.fan_out.map_reduce import call_once
from lambda_src.figures import values_of
from lambda_src.input.addresses import Listing, Placed
from lambda_src.input.names import named
from lambda_src.job import Job, Measured
from lambda_src.run.figures import figures_of
from lambda_src.run.lease import Lease
from lambda_src.run.ledger import Ledger
from lambda_src.run.plan import BY_JOB, NO_LARGER, Wanted, choose
from lambda_src.run.ports import Blobs, Invocation, Results
from lambda_src.run.reuse import block_units_of, new_secret
from lambda_src.telemetry.log import log
from lambda_src.wire.family import Family
from lambda_src.wire.record import RunRecord, RunWarning, Stage
from lambda_src.wire.reports import PartReport
from lambda_src.wire.requests import HandOverRequest, Pinned

T = TypeVar("T")

TRACE_S = 10.0
"""A trace that takes longer is given up: a run that is out of time must be handed over, and its result does
not depend on the trace."""

OLD_BLOBS = (
    "A version of Fanfold that knew no shards began this run: its blobs cannot be used, so all blocks are "
    "mapped again."
)


class Run:
    """A run that this invocation owns, or is about to claim. ``record`` is for reading only. ``found`` is the
    record that earlier invocations left."""

    def __init__(
        self,
        record: RunRecord,
        found: RunRecord | None,
        *,
        results: Results,
        blobs: Blobs,
        invocation: Invocation,
    ) -> None:
        self.record = record
        self._found = found
        self._results = results
        self._lease = Lease(record, results, invocation.remaining_s)
        self._usage = invocation.usage
        self.ledger = Ledger(
            record,
            invocation.usage,
            lambda: self._in_time(blobs.get_trace) if found else None,
            blobs.put_trace,
            self._in_time,
        )

    @property
    def was_cold(self) -> bool:
        """Whether this invocation had to wait for its environment."""
        return self._usage().init_ms > 0

    def claim(self) -> None:
        """Become the owner. Raises RunConflict if another invocation is."""
        _retried(lambda: self._lease.claim(self._found))

    def take_over(self, released_by: str) -> None:
        """Become the owner of a run that ``released_by`` handed over. Raises RunConflict if it is taken."""
        _retried(lambda: self._lease.take_over(released_by))

    def tick(self) -> None:
        """Renew the lease and store the record. Raises OutOfTime, RunConflict, RunCancelled."""
        self.ledger.show()
        self._lease.renew()
        if self.record.stage != "log":  # everything is reduced by then: stopping would save nothing
            self.ledger.check_budget()

    def wait_for(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, which may take longer than the lease: it runs in a thread, with retries,
        while this one ticks."""
        return call_once(lambda _: work(), None, tick=self.tick)

    def begin(self) -> None:
        """Start from a clean state: an earlier attempt may have stored results and died."""
        self.wait_for(lambda: self._results.delete_parts(self.record.owner))
        self._record_idle_time()

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Enter a stage, and add the time it takes to its seconds."""
        self.record.stage = stage
        started_at = time.monotonic()
        try:
            yield
        finally:
            self._add_seconds(stage, time.monotonic() - started_at)

    def bind(self, pinned: Pinned, etag: str | None) -> None:
        """Bind the run to the pinned version of its input. Raises SourceChanged if the run is bound to
        another version already, or the request names another ``etag``."""
        record, source = self.record, pinned.source
        if etag and etag != source.etag:
            raise SourceChanged(
                f"etag: {source.name()} is {source.etag} now, not {etag}: upload that version again, or "
                "leave etag out to take it as it is."
            )
        if record.etag not in ("", source.etag):
            raise SourceChanged(f"{source.name()} was replaced since the run began: start a new run.")
        record.etag, record.version_id = source.etag, source.version_id or ""
        record.bytes, record.objects = source.bytes, source.objects
        for warning in pinned.warnings:
            record.warn(warning)
        if not source.bytes:
            record.warn(RunWarning("empty_input", f"{source.name()} is empty, so every count is zero."))

    def note_size(self, measured: Measured) -> None:
        """Note the size of the input, and what else the job found out about it."""
        self.record.units, self.record.facts = measured.units, dict(measured.facts)

    def choose_plan(self, job: Job, measured: Measured, listing: Listing, family: Family | None) -> None:
        """Plan the run as its ``family``, if it has one, or else as far as neither the request nor an earlier
        invocation has decided."""
        record = self.record
        if self._found and self._found.etag and not self._found.shards:
            log("resumed_without_shards", run_id=record.run_id, message=OLD_BLOBS)
        if not (self._found and self._found.shards_because):
            if family:
                self._plan_as(family)
            else:
                self._plan(job, measured, listing)
        record.block_units = block_units_of(record, measured.units, record.block_units)

    def _plan_as(self, family: Family) -> None:
        record = self.record
        record.shards, record.shard_by = family.shards, family.shard_by
        record.block_units, record.reuse_secret = family.block_units, family.secret
        record.shards_because = record.block_units_because = "as in the runs whose blocks it reuses"

    def _plan(self, job: Job, measured: Measured, listing: Listing) -> None:
        record = self.record
        record.reuse_secret = new_secret() if record.reuse_days else ""
        wanted = Wanted(record.block_units or None, record.shard_by, record.shards or None)
        if measured.block_units and not wanted.block_units:
            wanted = wanted._replace(block_units=measured.block_units, block_because=BY_JOB)
        if measured.shards and not wanted.shards:
            wanted = wanted._replace(shards=measured.shards, shards_because=BY_JOB)
        plan_as = partial(
            choose,
            measured.units,
            record.max_concurrency,
            values_of(figures_of(job, record.options)),
            job.sharded_by,
            objects=record.objects,
            stored_as=listing.addresses.likely_format(),
            keeps=record.keep is not None,
        )
        plan = plan_as(wanted)
        largest = job.largest_block(job.read_options(record.options))
        if not wanted.block_units and plan.block_units > largest:
            plan = plan_as(wanted._replace(block_units=int(largest), block_because=NO_LARGER))
        record.shards, record.shard_by = plan.shards, plan.shard_by
        record.shards_because = plan.shards_because
        if not record.block_units:
            record.block_units = plan.block_units
            record.block_units_because = plan.block_because

    def split_into(self, blocks: int) -> None:
        """Note the number of blocks, and store it at once if it is new."""
        known, self.record.blocks = self.record.blocks, blocks
        if blocks != known:
            self.ledger.show()
            self._lease.extend()

    def count_blocks(self, done: int, units_done: int) -> None:
        """Note the progress: the blocks that are done, and the units they own."""
        self.record.blocks_done, self.record.units_done = done, units_done

    def count_kept_blocks(self, kept: int) -> None:
        """Note how many blocks earlier invocations have mapped."""
        self.record.blocks_kept = kept

    def count_reused(self, blocks: int, units: int) -> None:
        """Note how many blocks earlier runs have mapped, and how many units these own."""
        self.record.blocks_reused, self.record.bytes_reused = blocks, units

    def note_not_kept(self, error: FanfoldError) -> None:
        """Warn that later runs will not find what this one has mapped."""
        self.record.warn(
            RunWarning("not_kept", f"The next run will map all blocks of this one again: {error}")
        )

    def note_extras(self, extras: dict[str, int], warnings: Iterable[RunWarning]) -> None:
        """Note what all blocks counted, and warn of what they noticed."""
        self.record.extras = extras
        for warning in warnings:
            self.record.warn(warning)

    def note_kept(self, parts: Iterable[PartReport]) -> None:
        """Note the size of the complete sums that are stored."""
        sections = [section for report in parts for section in report.complete]
        self.record.kept = {
            "keys": sum(section.keys for section in sections),
            "bytes": sum(section.size for section in sections),
        }

    def leave_out(self, objects: Sequence[tuple[Placed, str]]) -> None:
        """Note that the answer does not cover ``objects``, each with the reason."""
        self.record.leave_out(objects)
        if objects:
            first, reason = objects[0]
            self.record.warn(
                RunWarning(
                    "left_out_objects",
                    f"The result covers {self.record.covers()}. Left out: "
                    f"{named([left.key for left, _ in objects], len(objects))}. Of the first: {reason}",
                    key=first.key,
                    count=len(objects),
                )
            )

    def succeed(self) -> None:
        """Store the final record."""
        record, finished_at = self.record, time.time()
        self.ledger.close(succeeds=True)
        record.status, record.stage, record.finished_at = "SUCCEEDED", "done", finished_at
        _retried(lambda: self._results.put_run(record))

    def fail(self, error: Exception) -> None:
        """End the run, as CANCELLED or FAILED, without results. If the record cannot be stored, that is only
        logged: ``error`` matters more."""
        record = self.record
        record.fail(error)
        self.ledger.close()
        try:
            _retried(lambda: self._results.end_run(record))
            _retried(lambda: self._results.delete_parts(record.owner))
        except FanfoldError as other:
            log("record_not_written", run_id=record.run_id, error=type(other).__name__, message=str(other))

    def release(self) -> HandOverRequest:
        """Release the run to a new invocation, which is to get this request."""
        self.ledger.close()
        _retried(self._lease.release)
        record = self.record
        return HandOverRequest(
            job=record.job,
            key=record.key,
            prefix=record.prefix,
            run_id=record.run_id,
            include_hidden=record.include_hidden or None,
            on_bad_object=record.on_bad_object if record.on_bad_object == "skip" else None,
            block_bytes=record.block_units,
            max_concurrency=record.max_concurrency,
            max_dollars=record.max_dollars,
            reuse_days=record.reuse_days or None,
            handed_over_by=record.owner,
        )

    def _in_time(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, which concerns the trace. The lease of a running run is renewed
        meanwhile. Raises Transient after ``TRACE_S``."""
        gives_up_at = time.monotonic() + TRACE_S

        def tick() -> None:
            if time.monotonic() > gives_up_at:
                raise Transient(f"S3 took more than {TRACE_S:.0f} s.")
            if self.record.status == "RUNNING":
                self._lease.extend()

        return call_once(lambda _: work(), None, tick=tick)

    def _record_idle_time(self) -> None:
        """Account for the time that no stage has: claiming a new run, or waiting for someone to resume it. So
        ``seconds`` add up to the time since the run began."""
        record = self.record
        unaccounted_s = time.time() - record.started_at - sum(record.seconds.values())
        self._add_seconds("idle" if record.etag else "claim", max(unaccounted_s, 0.0))

    def _add_seconds(self, stage: str, seconds: float) -> None:
        self.record.seconds[stage] = round(self.record.seconds.get(stage, 0.0) + seconds, 3)


def _retried(work: Callable[[], T]) -> T:
    """The result of ``work()``, with the retries of a fan-out."""
    return call_once(lambda _: work(), None)
