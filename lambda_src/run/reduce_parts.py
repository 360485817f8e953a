"""Fans out over the parts, one task each."""

from collections.abc import Callable, Sequence

from lambda_src.drivers import Calls
from lambda_src.job import Job
from lambda_src.map_reduce import Observer, map_reduce
from lambda_src.wire.reports import AllPartsReport, PartReport, without_usage
from lambda_src.wire.requests import GetAllOccurrencesRequest, GetOccurrencesRequest


def reduce_parts(
    job: Job,
    request: GetAllOccurrencesRequest,
    get_occurrences: Calls[GetOccurrencesRequest, PartReport],
    *,
    stored: Sequence[PartReport] = (),
    tick: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
) -> AllPartsReport:
    """Call ``get_occurrences`` for every part of ``job`` that is not ``stored``. Raises as ``map_reduce``
    does."""
    reports = {report.part: report for report in stored}

    def fold(task: GetOccurrencesRequest, report: PartReport) -> None:
        reports[task.part] = without_usage(report)

    map_reduce(
        get_occurrences,
        [
            GetOccurrencesRequest(request.run_id, request.owner, part, request.rules)
            for part in job.parts
            if part not in reports
        ],
        fold,
        name=lambda task: part_name(job, task),
        max_concurrency=min(request.max_concurrency, len(job.parts)),
        tick=tick,
        observer=observer,
    )
    return AllPartsReport([reports[part] for part in job.parts])


def part_name(job: Job, task: GetOccurrencesRequest) -> str:
    """The name of a task for people."""
    return f"{job.part} {task.part}"
