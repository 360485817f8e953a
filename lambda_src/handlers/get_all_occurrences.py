"""Fans out over the word lengths of a run whose blocks are all parsed."""

import os
from collections.abc import Mapping
from typing import Any

from lambda_src.answer import answer
from lambda_src.functions import invoke, open_functions
from lambda_src.lengths import reduce_lengths
from lambda_src.messages import AllLengthsReport, GetAllOccurrencesRequest, LengthReport, decode_event
from lambda_src.settings import GET_OCCURRENCES_TIMEOUT_S, GetAllOccurrencesSettings, from_environment


def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Answers an AllLengthsReport."""

    def work() -> AllLengthsReport:
        settings = from_environment(GetAllOccurrencesSettings, os.environ)
        request = decode_event(event, GetAllOccurrencesRequest)
        client = open_functions(GET_OCCURRENCES_TIMEOUT_S + 5)
        function = settings.get_occurrences_function
        return reduce_lengths(request, lambda task: invoke(client, function, task, LengthReport))

    return answer(work)
