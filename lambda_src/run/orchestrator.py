"""One run, from the request to the summary: what ``parse_file`` does."""

from typing import Any

from lambda_src.errors import BlobDamaged, FanfoldError, RunConflict
from lambda_src.fan_out.map_reduce import call_once
from lambda_src.job import Job
from lambda_src.run.admission import (
    answer_finished,
    answer_unclaimed,
    check_limit,
    check_request,
    new_record,
)
from lambda_src.run.lease import OutOfTime
from lambda_src.run.log_stage import log_results
from lambda_src.run.parse_stage import Look, parse
from lambda_src.run.ports import Blobs, Ports
from lambda_src.run.reduce_stage import reduce
from lambda_src.run.state import Run
from lambda_src.run.summary import summarize
from lambda_src.telemetry.log import log
from lambda_src.wire.reports import Manifest, PartReport
from lambda_src.wire.requests import HandOverRequest, ParseFileRequest


def execute(job: Job, run_id: str, bucket: str, request: ParseFileRequest, ports: Ports) -> dict[str, Any]:
    """Start or resume the run ``run_id`` of ``job``, and return its summary.

    A finished run is answered from the table. A run that fails leaves status FAILED, the error and no
    results. When the time of this invocation runs out, a new one goes on, and the answer has status RUNNING.
    A hand-over that arrives late or twice changes nothing.

    Raises RunConflict if another invocation owns the run or it has another input, and any FanfoldError.
    """
    found = call_once(lambda _: ports.results.get_run(), None)
    record = new_record(job, run_id, bucket, request, found)
    run = Run(record, found, results=ports.results, blobs=ports.blobs, invocation=ports.invocation)
    if isinstance(request, HandOverRequest):
        try:
            run.take_over(request.handed_over_by)
        except RunConflict:
            return answer_unclaimed(job, run_id, ports.results)
    else:
        if found:
            check_request(job, found, bucket, request)
        if found and found.etag:
            if found.status == "SUCCEEDED":
                return answer_finished(job, found, request.etag, ports.inputs, ports.results)
            if found.status != "RUNNING":
                check_limit(record, found)
                run.ledger.check_budget()
        run.claim()
    # If damaged blobs ended the run, a look at their headers is not enough.
    check_lines = found is not None and found.failed_with(BlobDamaged)
    return _carry_out(job, run, request.etag, ports, check_lines=check_lines)


def _carry_out(job: Job, run: Run, etag: str | None, ports: Ports, *, check_lines: bool) -> dict[str, Any]:
    """Do all stages of a claimed run, and see that it ends in one of its final states."""
    try:
        try:
            manifest, parts = _run_stages(job, run, etag, ports, check_lines=check_lines)
            summary = summarize(job, run.record, parts)
        except OutOfTime:
            call_once(ports.functions.hand_over, run.release())
            return summarize(job, run.record, [])
    except RunConflict:
        raise  # another invocation owns the run by now: its record is not ours to write
    except Exception as error:
        run.fail(error)
        ports.invocation.publish(run.record)
        raise
    ports.invocation.publish(run.record)
    _delete_blobs(run.record.run_id, manifest, ports.blobs)
    return summary


def _run_stages(
    job: Job, run: Run, etag: str | None, ports: Ports, *, check_lines: bool
) -> tuple[Manifest, list[PartReport]]:
    run.begin()
    manifest, parts = _map_and_reduce(job, run, etag, ports, check_lines=check_lines)
    with run.stage("log"):
        log_results(job, run, ports.functions)
    run.succeed()
    return manifest, parts


def _map_and_reduce(
    job: Job, run: Run, etag: str | None, ports: Ports, *, check_lines: bool
) -> tuple[Manifest, list[PartReport]]:
    """A run that may have used blobs of earlier runs looks at all blobs itself, first at their headers, if
    one is damaged: it may have expired."""
    looks: list[Look] = ["lines"] if check_lines else ["family", "headers", "lines"]
    while True:
        look = looks.pop(0)
        try:
            return _map_and_reduce_once(job, run, etag, ports, look)
        except BlobDamaged as error:
            if not run.record.reuse_days or not looks:
                raise
            log("looks_again", run_id=run.record.run_id, at=looks[0], message=str(error))
            run.begin()


def _map_and_reduce_once(
    job: Job, run: Run, etag: str | None, ports: Ports, look: Look
) -> tuple[Manifest, list[PartReport]]:
    with run.stage("parse"):
        manifest = parse(
            job,
            run,
            etag,
            inputs=ports.inputs,
            blobs=ports.blobs,
            functions=ports.functions,
            look=look,
        )
    run.ledger.show()
    run.ledger.check_budget()
    with run.stage("reduce"):
        parts = reduce(
            job, run, manifest, functions=ports.functions, results=ports.results, blobs=ports.blobs
        )
    return manifest, parts


def _delete_blobs(run_id: str, manifest: Manifest, blobs: Blobs) -> None:
    """Called once the record is final, so that nobody waits for it. Blobs that remain expire."""
    try:
        blobs.delete(manifest.blocks)
    except FanfoldError as error:
        log("blobs_not_deleted", run_id=run_id, error=type(error).__name__, message=str(error))
