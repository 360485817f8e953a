"""The second stage: every shard is reduced, and each part checked against what the blocks observed."""

import time
from collections.abc import Sequence
from contextlib import suppress

from lambda_src.errors import CapacityExhausted, ConservationBroken, Transient
from lambda_src.fan_out.map_reduce import call_once
from lambda_src.job import Job, Shards
from lambda_src.run.in_background import InBackground
from lambda_src.run.ports import Blobs, Functions, Results
from lambda_src.run.proof import check_complete, check_parts, check_shards, shards_of_all_parts
from lambda_src.run.reduce_shards import reduce_shards, shard_name
from lambda_src.run.state import Run
from lambda_src.telemetry.log import log
from lambda_src.wire.codec import encode
from lambda_src.wire.reports import AllPartsReport, BlockReport, Manifest, PartReport
from lambda_src.wire.requests import GetAllOccurrencesRequest, context_of

INLINE_BYTES = 4_000_000
"""A request of more bytes would be too close to Lambda's limit of 6 MB: its receiver reads the manifest."""

ANSWER_S = 5.0
"""How long to wait for the answer of ``get_all_occurrences`` once all results are stored. It takes
milliseconds, unless the connection, which was idle for minutes, was lost without a sign."""


class _AnswerLost(Exception):
    """``get_all_occurrences`` was called, and its answer will not come."""


def reduce(
    job: Job, run: Run, manifest: Manifest, *, functions: Functions, results: Results, blobs: Blobs
) -> list[PartReport]:
    """The reports of all parts, in the job's order. The manifest is stored meanwhile, or before if it is too
    large for requests. Raises ConservationBroken."""
    encoded = encode(manifest)
    store_manifest = InBackground(lambda: blobs.put_manifest(encoded))
    blocks = manifest.blocks if len(encoded) <= INLINE_BYTES else None
    if blocks is None:
        run.wait_for(store_manifest)
    reduced = _reduced(job, run, blocks, functions, results)
    _check(job, reduced, manifest)
    if run.record.keep:
        _check_kept(job, reduced.parts)
        run.note_kept(reduced.parts)
    if blocks is not None:
        run.wait_for(store_manifest)
    return reduced.parts


def _check(job: Job, reduced: AllPartsReport, manifest: Manifest) -> None:
    """Raise ConservationBroken unless all shards and parts arrived at what the blocks observed."""
    if (found := [report.part for report in reduced.parts]) != list(job.parts):
        raise ConservationBroken(f"Only the {job.part}s {found} were reduced.")
    if shards_of_all_parts(manifest):
        check_shards(reduced.shards, job, manifest)
    check_parts(reduced.parts, job, manifest)


def _check_kept(job: Job, parts: Sequence[PartReport]) -> None:
    """Raise ConservationBroken unless the complete sums of each part have all that was observed in it."""
    for number, report in enumerate(parts):
        observed = [0] * len(parts)
        observed[number] = report.observations
        check_complete(f"{job.part} {report.part}", report.complete, observed)


def _reduced(
    job: Job, run: Run, blocks: list[BlockReport] | None, functions: Functions, results: Results
) -> AllPartsReport:
    record = run.record
    request = GetAllOccurrencesRequest(
        record.run_id,
        record.owner,
        record.max_concurrency,
        record.rules,
        context_of(record),
        blocks,
        record.keep,
    )
    began_at = time.time()
    try:
        return _reduce_remotely(job, run, request, functions, results)
    except (_AnswerLost, CapacityExhausted) as error:
        # Where parts are shards, results that this owner's reducers have stored count. The rest is reduced
        # from here: if the account allows only two concurrent calls, get_all_occurrences occupies the one its
        # reducers need.
        stored = run.wait_for(results.get_parts)
        log("reduced_without_answer", run_id=record.run_id, stored=len(stored), message=str(error))
        for name in _names_of_lost(job, request.context.shards, stored):
            run.ledger.lost("get_occurrences", name, began_at)
        return _reduce_from_here(job, run, request, functions=functions, results=results, stored=stored)


def _names_of_lost(job: Job, shards: Shards, stored: Sequence[PartReport]) -> list[str]:
    """The reducers that must have succeeded for these results to be ``stored``."""
    if shards.by == "part":
        return [f"{job.part} {report.part}" for report in stored]
    return [f"shard {shard}" for shard in range(shards.count if stored else 0)]


def _reduce_remotely(
    job: Job, run: Run, request: GetAllOccurrencesRequest, functions: Functions, results: Results
) -> AllPartsReport:
    """Call ``get_all_occurrences`` once. Raises _AnswerLost when its answer cannot come any more."""
    stored_at: float | None = None
    shards = request.context.shards

    def tick() -> None:
        nonlocal stored_at
        run.tick()
        if stored_at is None:
            with suppress(Transient):  # the next tick asks again
                missing = len(job.parts) - results.count_parts()
                running = missing if shards.by == "part" else shards.count * bool(missing)
                run.ledger.note_nested(min(running, request.max_concurrency))
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
        )
    except Transient as error:
        raise _AnswerLost(str(error)) from error


def _reduce_from_here(
    job: Job,
    run: Run,
    request: GetAllOccurrencesRequest,
    *,
    functions: Functions,
    results: Results,
    stored: Sequence[PartReport],
) -> AllPartsReport:
    return reduce_shards(
        job,
        request,
        functions.get_occurrences,
        lambda parts: run.wait_for(lambda: results.put_parts(parts, request.owner)),
        stored=stored,
        tick=run.tick,
        observer=run.ledger.watch("get_occurrences", lambda task: shard_name(job, task)),
    )
