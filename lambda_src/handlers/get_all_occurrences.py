"""Fans out over the parts of a run whose blocks are all mapped."""

import os
from collections.abc import Mapping
from typing import Any

from lambda_src import job
from lambda_src.answer import answer
from lambda_src.functions import invoke, open_functions
from lambda_src.messages import AllPartsReport, GetAllOccurrencesRequest, PartReport, decode_event
from lambda_src.parts import reduce_parts
from lambda_src.settings import GET_OCCURRENCES_TIMEOUT_S, GetAllOccurrencesSettings, from_environment


def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Returns an AllPartsReport, or a Failure, as a plain dict."""

    def work() -> AllPartsReport:
        settings = from_environment(GetAllOccurrencesSettings, os.environ)
        request = decode_event(event, GetAllOccurrencesRequest)
        functions = open_functions(settings.url_suffix, GET_OCCURRENCES_TIMEOUT_S + 5)
        function = settings.get_occurrences_function
        return reduce_parts(
            job.load(settings.job), request, lambda task: invoke(functions, function, task, PartReport)
        )

    return answer(work)
