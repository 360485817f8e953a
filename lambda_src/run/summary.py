"""The summary of a run, from its record and its parts."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import asdict

from lambda_src.job import Job
from lambda_src.store.keys import results_of
from lambda_src.wire.record import RunRecord, RunWarning, total_dollars
from lambda_src.wire.reports import PartReport
from lambda_src.wire.requests import context_of

ENGINE_FIELDS = frozenset(
    {"run_id", "status", "block_bytes", "block_bytes_because", "blocks", "warnings", "seconds", "dollars"}
    | {"shards", "shard_by", "shards_because", "options"}
    | {"objects_left_out", "bytes_left_out", "left_out", "all_results"}
    | {"reuse_days", "blocks_reused", "bytes_reused"}
)
"""The fields of every summary: no job may use these names."""


def summarize(job: Job, record: RunRecord, parts: Sequence[PartReport]) -> dict[str, Any]:
    """The summary of a run. While the run has no parts, it lacks the job's own fields."""
    own = summarize_parts(job, record, parts) if parts else {}
    return {
        "run_id": record.run_id,
        "status": record.status,
        "bytes": record.bytes,
        "block_bytes": record.block_units,
        "block_bytes_because": record.block_units_because,
        "blocks": record.blocks,
        **shards_of(record),
        **what_is_reused(record),
        **own,
        **what_is_left_out(record),
        **what_is_kept(record),
        "warnings": plain_warnings(record.warnings),
        "seconds": record.seconds,
        "dollars": total_dollars(record),
    }


def summarize_parts(job: Job, record: RunRecord, parts: Sequence[PartReport]) -> dict[str, Any]:
    """The job's own fields of the answer."""
    context = context_of(record).of(job)
    return job.summarize(context, record.extras, {report.part: report.result for report in parts})


def shards_of(record: RunRecord) -> dict[str, Any]:
    """The fields on shards and options, for runs that have them."""
    if not record.shards:
        return {}
    options = {"options": record.options} if record.options else {}
    return {
        "shards": record.shards,
        "shard_by": record.shard_by,
        "shards_because": record.shards_because,
        **options,
    }


def what_is_left_out(record: RunRecord) -> dict[str, Any]:
    """The fields on objects that were left out, if the run may leave out any."""
    if record.on_bad_object == "fail":
        return {}
    return {
        "objects_left_out": record.objects_left_out,
        "bytes_left_out": record.bytes_left_out,
        "left_out": [asdict(one) for one in record.left_out],
    }


def what_is_reused(record: RunRecord) -> dict[str, Any]:
    """The fields on blocks that earlier runs have mapped, if the run may use such."""
    if not record.reuse_days:
        return {}
    return {
        "reuse_days": record.reuse_days,
        "blocks_reused": record.blocks_reused,
        "bytes_reused": record.bytes_reused,
    }


def what_is_kept(record: RunRecord) -> dict[str, Any]:
    """The field on complete sums, once they are stored: where they are in the deployment's bucket, and how
    much that is."""
    if not record.kept:
        return {}
    return {"all_results": {"prefix": results_of(record.run_id), **record.kept}}


def plain_warnings(warnings: Iterable[RunWarning]) -> list[dict[str, Any]]:
    """Warnings for summaries and logs: with all fields, None where there is no value."""
    return [asdict(warning) for warning in warnings]
