"""Fans out over the shards, one task each, and finishes what they give."""

import zlib
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from lambda_src.fan_out.drivers import Calls
from lambda_src.fan_out.map_reduce import Observer, map_reduce
from lambda_src.job import Job
from lambda_src.run.finish import finish
from lambda_src.run.ranges import Written, ranges_by_shard
from lambda_src.wire.reports import (
    AllPartsReport,
    PartReport,
    Reduced,
    ShardReport,
    without_usage,
)
from lambda_src.wire.requests import GetAllOccurrencesRequest, GetOccurrencesRequest


def reduce_shards(
    job: Job,
    request: GetAllOccurrencesRequest,
    get_occurrences: Calls[GetOccurrencesRequest, Reduced],
    put_parts: Callable[[Sequence[PartReport]], None],
    *,
    stored: Sequence[PartReport] = (),
    tick: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
) -> AllPartsReport:
    """Call ``get_occurrences`` for every shard whose part is not ``stored``. Where shards are by key, finish
    the parts, and store them with ``put_parts``. Raises as ``map_reduce`` does, and JobContractViolated."""
    shards = request.context.shards
    parts = {job.parts.index(report.part): report for report in stored} if shards.by == "part" else {}
    reduced: dict[int, ShardReport] = {}

    def fold(task: GetOccurrencesRequest, report: Reduced) -> None:
        if isinstance(report, PartReport):
            parts[task.shard] = without_usage(report)
        else:
            reduced[task.shard] = without_usage(report)

    map_reduce(
        get_occurrences,
        [task for task in _tasks(job, request) if task.shard not in parts],
        fold,
        name=lambda task: shard_name(job, task),
        max_concurrency=min(request.max_concurrency, shards.count),
        tick=tick,
        observer=observer,
    )
    if shards.by == "part":
        return AllPartsReport([parts[shard] for shard in sorted(parts)])
    reports = [reduced[shard] for shard in sorted(reduced)]
    finished = finish_shards(job, request, reports)
    put_parts(finished)
    return AllPartsReport(finished, shards=[replace(report, data=b"", complete=[]) for report in reports])


def shard_name(job: Job, task: GetOccurrencesRequest) -> str:
    """The name of a task for people."""
    return task.context.shards.name(task.shard, job.part, job.parts)


def _tasks(job: Job, request: GetAllOccurrencesRequest) -> list[GetOccurrencesRequest]:
    """The ranges of a shard are fewer bytes than the reports of all blocks, so they fit into a request."""
    shards, blocks = request.context.shards, request.blocks
    ranges = None if blocks is None else ranges_by_shard(blocks, shards)
    return [
        GetOccurrencesRequest(
            request.run_id,
            request.owner,
            shard,
            request.rules,
            request.context,
            job.parts[shard] if shards.by == "part" else None,
            None if ranges is None else ranges[shard],
            request.keep,
        )
        for shard in range(shards.count)
    ]


def finish_shards(
    job: Job, request: GetAllOccurrencesRequest, reports: Sequence[ShardReport]
) -> list[PartReport]:
    """The results of all parts, from the ``reports`` of all shards. Raises JobContractViolated."""
    lines = [int(report.lines_read, 16) for report in reports if report.lines_read]
    read = Written(
        min(report.blobs_read for report in reports),
        f"{sum(lines):x}" if lines else "",
        sum(sum(report.observed) for report in reports),
    )
    context = request.context.of(job)
    reduced = (zlib.decompress(report.data) for report in reports)
    complete = [section for report in reports for section in report.complete]
    return finish(job, context, reduced, range(len(reports)), read, complete=complete)
