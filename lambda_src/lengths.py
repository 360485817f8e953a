"""The second fan-out: one task a word length."""

from collections.abc import Callable

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
    tick: Callable[[], None] = lambda: None,
) -> AllLengthsReport:
    """Call ``get_occurrences`` for every length. Raises as ``map_reduce`` does."""
    reports: dict[int, LengthReport] = {}

    def fold(task: GetOccurrencesRequest, report: LengthReport) -> None:
        reports[task.length] = report

    map_reduce(
        get_occurrences,
        [GetOccurrencesRequest(request.run_id, request.owner, length) for length in range(1, LONGEST + 1)],
        fold,
        name=lambda task: f"length {task.length}",
        max_concurrency=min(request.max_concurrency, LONGEST),
        tick=tick,
    )
    return AllLengthsReport([reports[length] for length in sorted(reports)])
