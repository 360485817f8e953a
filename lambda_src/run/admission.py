"""What a request means for its run: start it, resume it, or answer from its record."""

import copy
import os
import time
from typing import Any, Protocol

from lambda_src.errors import (
    AccessDenied,
    BudgetExceeded,
    RulesChanged,
    RunConflict,
    SourceChanged,
    SourceNotFound,
)
from lambda_src.fan_out.map_reduce import call_once
from lambda_src.job import Job
from lambda_src.run import plan, reuse
from lambda_src.run.plan import Wanted
from lambda_src.run.ports import Inputs, Results
from lambda_src.run.summary import summarize
from lambda_src.telemetry.log import log
from lambda_src.wire.record import RunRecord
from lambda_src.wire.requests import ParseFileRequest
from lambda_src.wire.source import name_of


class Found(Protocol):
    """The record of a run."""

    def get_run(self) -> RunRecord | None:
        """The record, if there is one."""


def check_plan(job: Job, request: ParseFileRequest) -> None:
    """Raise InvalidRequest if no run of ``job`` can have such reducers, reuse blocks, or keep all sums."""
    wanted = Wanted(request.block_bytes, request.shard_by, request.shards)
    plan.check(wanted, job.sharded_by, len(job.parts))
    if request.reuse_days:
        reuse.check(job, request.prefix)
    given = job.read_options(request.options) if request.options else None
    job.check_keep(request.keep, given)


def job_of_run(request: ParseFileRequest, run: Found) -> str | None:
    """The job of the run that ``request`` resumes, if there is one."""
    found = call_once(lambda _: run.get_run(), None) if request.run_id else None
    return found.job if found else None


def of_options(job: Job, request: ParseFileRequest, run: Found) -> Job:
    """``job`` with the options of ``request``, or else those of the run that it resumes."""
    options = request.options
    if options is None and request.run_id and job.for_options:
        found = call_once(lambda _: run.get_run(), None)
        options = found.options if found and found.etag else None
    return job.with_options(options or {})


def new_record(
    job: Job, run_id: str, bucket: str, request: ParseFileRequest, found: RunRecord | None
) -> RunRecord:
    """The record with which this invocation claims the run. It carries over what the record ``found`` by it
    has spent, and what that is bound to."""
    record = RunRecord(
        run_id=run_id,
        job=request.job or "",
        owner=os.urandom(8).hex(),
        bucket=bucket,
        key=request.key,
        prefix=request.prefix,
        include_hidden=bool(request.include_hidden),
        on_bad_object=request.on_bad_object or "fail",
        block_units=request.block_bytes or 0,
        block_units_because="requested" if request.block_bytes else "",
        max_concurrency=request.max_concurrency,
        rules=job.rules,
        max_dollars=request.max_dollars,
        shards=request.shards or 0,
        shard_by=request.shard_by,
        reuse_days=request.reuse_days or 0,
        keep=request.keep,
        started_at=time.time(),
    )
    if found:
        record.calls, record.used = found.calls, found.used
        record.dollars, record.dollars_estimated = found.dollars, found.dollars_estimated
        record.max_dollars = request.max_dollars or found.max_dollars
    if found and found.etag:  # the run stays bound to its input, whatever happens to this invocation
        record.etag, record.version_id = found.etag, found.version_id
        record.include_hidden, record.on_bad_object = found.include_hidden, found.on_bad_object
        record.bytes, record.objects, record.units = found.bytes, found.objects, found.units
        record.blocks = found.blocks
        if found.blocks or not request.block_bytes:
            record.block_units, record.block_units_because = found.block_units, found.block_units_because
        record.facts, record.keep = found.facts, found.keep
        record.options, record.options_chosen = found.options, found.options_chosen
        if found.shards_because or not (request.shards or request.shard_by):
            record.shards, record.shard_by = found.shards, found.shard_by
            record.shards_because = found.shards_because
        record.reuse_days, record.reuse_secret = found.reuse_days, found.reuse_secret
        record.started_at, record.seconds = found.started_at, dict(found.seconds)
    else:
        record.options = job.plain_options(request.options or {})
        record.options_chosen = job.chosen_options(request.options or {})
    return record


def check_request(job: Job, found: RunRecord, bucket: str, request: ParseFileRequest) -> None:
    """Raise RunConflict if ``request`` wants something else than the run that was ``found``."""
    if request.must_be_new:
        raise RunConflict(f"run_id: the run {found.run_id} already exists; choose another id.")
    if not found.etag:  # nothing is bound yet
        return
    if request.job not in (None, found.job):
        raise RunConflict(
            f"job: the run began with {found.job}: leave it out to resume, or choose another run_id."
        )
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
    if request.reuse_days not in (None, found.reuse_days):
        raise RunConflict(
            f"reuse_days: the run began with {found.reuse_days or 'none'}: leave it out to resume, or choose "
            "another run_id."
        )
    if request.options is not None and job.plain_options(request.options) != found.options:
        raise RunConflict(
            f"options: the run has the options {found.options}: leave them out to resume, or choose another "
            "run_id."
        )
    if request.keep not in (None, found.keep):
        raise RunConflict(
            f"keep: the run began without {request.keep!r}: leave it out to resume, or choose another run_id."
        )
    if found.shards_because and (
        request.shards not in (None, found.shards) or request.shard_by not in (None, found.shard_by)
    ):
        raise RunConflict(
            f"shards, shard_by: the run has {found.shards} by {found.shard_by}: leave them out to resume, or "
            "choose another run_id."
        )
    if not found.blocks or not request.block_bytes:
        return
    wanted = reuse.block_units_of(found, found.units, request.block_bytes)
    if wanted != found.block_units:
        raise RunConflict(
            f"block_bytes: the run has blocks of {found.block_units:,} {job.unit}, not {wanted:,}: leave it "
            "out to resume, or choose another run_id."
        )


def check_limit(record: RunRecord, found: RunRecord) -> None:
    """Raise BudgetExceeded unless a run that was cancelled at its limit now has a higher one. Its recorded
    cost may be below the old limit: calls in flight at that time may have cost less than estimated."""
    before = found.max_dollars or 0.0
    if found.failed_with(BudgetExceeded) and (record.max_dollars or before) <= before:
        raise BudgetExceeded(
            f"max_dollars: the run ended at its limit, ${before:.6f}: resume it with a higher one."
        )


def answer_finished(
    job: Job, found: RunRecord, etag: str | None, inputs: Inputs, results: Results
) -> dict[str, Any]:
    """The result of a run that succeeded. Raises SourceChanged unless it is of the version that the request
    means: the one that ``etag`` names, else the current one; RulesChanged if the job's rules have changed."""
    result = f"to read the result of the run: fanfold results {found.run_id}"
    if found.rules and found.rules != job.rules:  # old records have no rules
        raise RulesChanged(
            f"run_id: the run {found.run_id} has the rules {found.rules!r}, and the deployed job has "
            f"{job.rules!r}: leave run_id out to run by those; {result}"
        )
    if etag is None:
        try:
            current = copy.copy(found)
            current.version_id = ""
            etag = inputs.pin(current).source.etag
        except (SourceNotFound, AccessDenied) as error:  # S3 answers either for an object that is gone
            raise type(error)(f"{error} The run {found.run_id} of it has finished; {result}") from error
    if etag != found.etag:
        raise SourceChanged(
            f"run_id: the run {found.run_id} is of {found.name()} as version {found.etag}, "
            f"not {etag}: leave run_id out to run on that version; {result}"
        )
    return summarize(job, found, results.get_parts())


def answer_unclaimed(job: Job, run_id: str, results: Results) -> dict[str, Any]:
    """The current state of a run that a hand-over or a start did not get: an event may come late or twice,
    and somebody may have resumed or cancelled the run since. Raises RunConflict if there is no run."""
    found = results.get_run()
    if found is None:
        raise RunConflict(f"run_id: there is no run {run_id}.")
    log("event_ignored", run_id=run_id, status=found.status)
    return summarize(job, found, [])
