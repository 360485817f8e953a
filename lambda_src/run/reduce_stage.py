"""The second stage: every part is reduced, and checked against what the blocks observed."""

import time
from collections.abc import Sequence
from contextlib import suppress

from lambda_src.errors import CapacityExhausted, ConservationBroken, Transient
from lambda_src.job import Job
from lambda_src.map_reduce import call_once
from lambda_src.run.ports import Functions, Results
from lambda_src.run.proof import check_reduced
from lambda_src.run.reduce_parts import part_name, reduce_parts
from lambda_src.run.state import Run
from lambda_src.telemetry.log import log
from lambda_src.wire.reports import Manifest, PartReport
from lambda_src.wire.requests import GetAllOccurrencesRequest

ANSWER_S = 5.0
"""How long to wait for the answer of ``get_all_occurrences`` once all results are stored. It takes
milliseconds, unless the connection, which was idle for minutes, was lost without a sign."""


class _AnswerLost(Exception):
    """``get_all_occurrences`` was called, and its answer will not come."""


def reduce(
    job: Job, run: Run, manifest: Manifest, functions: Functions, results: Results
) -> list[PartReport]:
    """The reports of all parts, in the job's order. Raises ConservationBroken."""
    record = run.record
    request = GetAllOccurrencesRequest(record.run_id, record.owner, record.max_concurrency, record.rules)
    began_at = time.time()
    try:
        parts = _reduce_remotely(job, run, request, functions, results)
    except (_AnswerLost, CapacityExhausted) as error:
        # Results that this owner's reducers have stored count. The rest is reduced from here: if the account
        # allows only two concurrent calls, get_all_occurrences occupies the one its reducers need.
        stored = run.wait_for(results.get_parts)
        log("reduced_without_answer", run_id=record.run_id, stored=len(stored), message=str(error))
        for report in stored:
            run.ledger.lost("get_occurrences", f"{job.part} {report.part}", began_at)
        parts = _reduce_from_here(job, run, request, functions, stored)
    if [report.part for report in parts] != list(job.parts):
        raise ConservationBroken(f"Only the {job.part}s {[report.part for report in parts]} were reduced.")
    for report in parts:
        check_reduced(report, job, manifest)
    return parts


def _reduce_remotely(
    job: Job, run: Run, request: GetAllOccurrencesRequest, functions: Functions, results: Results
) -> list[PartReport]:
    """Call ``get_all_occurrences`` once. Raises _AnswerLost when its answer cannot come any more."""
    stored_at: float | None = None

    def tick() -> None:
        nonlocal stored_at
        run.tick()
        if stored_at is None:
            with suppress(Transient):  # the next tick asks again
                missing = len(job.parts) - results.count_parts()
                run.ledger.note_nested(min(missing, request.max_concurrency))
                if not missing:
                    stored_at = time.monotonic()
        if stored_at is not None and time.monotonic() - stored_at >= ANSWER_S:
            raise _AnswerLost(f"All results were stored {ANSWER_S:.0f} s ago.")

    try:
        # Before it is called again, somebody has to look at the table.
        return call_once(
            functions.get_all_occurrences,
            request,
            tick=tick,
            observer=run.ledger.watch("get_all_occurrences", lambda _: f"all {job.part}s"),
            max_attempts=1,
        ).parts
    except Transient as error:
        raise _AnswerLost(str(error)) from error


def _reduce_from_here(
    job: Job,
    run: Run,
    request: GetAllOccurrencesRequest,
    functions: Functions,
    stored: Sequence[PartReport],
) -> list[PartReport]:
    return reduce_parts(
        job,
        request,
        functions.get_occurrences,
        stored=stored,
        tick=run.tick,
        observer=run.ledger.watch("get_occurrences", lambda task: part_name(job, task)),
    ).parts
