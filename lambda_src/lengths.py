"""The second fan-out: one task a word length."""

from collections.abc import Callable, Sequence

from lambda_src.map_reduce import map_reduce
from lambda_src.messages import (
    AllLengthsReport,
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    LengthReport,
)
from lambda_src.words import LONGEST


def reduce_lengths(
    request: GetAllOccurrencesRequest,
    get_occurrences: Callable[[GetOccurrencesRequest], LengthReport],
    *,
    stored: Sequence[LengthReport] = (),
    tick: Callable[[], None] = lambda: None,
) -> AllLengthsReport:
    """Call ``get_occurrences`` for every length but those that are ``stored``. Raises as ``map_reduce``."""
    reports = {report.length: report for report in stored}

    def fold(task: GetOccurrencesRequest, report: LengthReport) -> None:
        reports[task.length] = report

    map_reduce(
        get_occurrences,
        [
            GetOccurrencesRequest(request.run_id, request.owner, length)
            for length in range(1, LONGEST + 1)
            if length not in reports
        ],
        fold,
        name=lambda task: f"length {task.length}",
        max_concurrency=min(request.max_concurrency, LONGEST),
        tick=tick,
    )
    return AllLengthsReport([reports[length] for length in sorted(reports)])
