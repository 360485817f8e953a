"""Fans out over the word lengths of a run whose blocks are all parsed."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from lambda_src.answer import answer
from lambda_src.functions import invoke, open_functions
from lambda_src.map_reduce import map_reduce
from lambda_src.messages import (
    AllLengthsReport,
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    LengthReport,
    decode_event,
)
from lambda_src.settings import GET_OCCURRENCES_TIMEOUT_S, GetAllOccurrencesSettings, from_environment
from lambda_src.words import LONGEST


def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Answers an AllLengthsReport."""

    def work() -> AllLengthsReport:
        settings = from_environment(GetAllOccurrencesSettings, os.environ)
        request = decode_event(event, GetAllOccurrencesRequest)
        client = open_functions(GET_OCCURRENCES_TIMEOUT_S + 5)
        function = settings.get_occurrences_function
        return get_all_occurrences(request, lambda task: invoke(client, function, task, LengthReport))

    return answer(work)


def get_all_occurrences(
    request: GetAllOccurrencesRequest, get_occurrences: Callable[[GetOccurrencesRequest], LengthReport]
) -> AllLengthsReport:
    """Call ``get_occurrences`` for every length. Raises FanOutFailed."""
    reports: dict[int, LengthReport] = {}

    def fold(task: GetOccurrencesRequest, report: LengthReport) -> None:
        reports[task.length] = report

    map_reduce(
        get_occurrences,
        [GetOccurrencesRequest(request.run_id, request.owner, length) for length in range(1, LONGEST + 1)],
        fold,
        name=lambda task: f"length {task.length}",
        max_concurrency=min(request.max_concurrency, LONGEST),
    )
    return AllLengthsReport([reports[length] for length in sorted(reports)])
