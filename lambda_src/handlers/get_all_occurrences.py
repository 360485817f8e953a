"""Fans out over the shards of a run, once all its blocks are mapped."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lambda_src import job
from lambda_src.aws.dynamodb import open_table
from lambda_src.aws.functions import Invocation, Invocations, open_functions
from lambda_src.run.answer import answer
from lambda_src.run.ledger import Watch
from lambda_src.run.reduce_shards import reduce_shards, shard_name
from lambda_src.settings import GET_OCCURRENCES_TIMEOUT_S, GetAllOccurrencesSettings, from_environment
from lambda_src.store.results import ResultsTable
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Call
from lambda_src.telemetry.meter import metered
from lambda_src.wire.codec import decode_warm_or
from lambda_src.wire.reports import REDUCED, AllPartsReport, PartReport, Warmed
from lambda_src.wire.requests import GetAllOccurrencesRequest, WarmRequest


@metered
def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Returns an AllPartsReport, or a Failure, as a plain dict."""
    calls: list[Call] = []

    def work() -> AllPartsReport | Warmed:
        settings = from_environment(GetAllOccurrencesSettings, os.environ)
        functions = open_functions(settings.url_suffix)
        table = open_table(settings.table, settings.url_suffix)
        request = decode_warm_or(event, GetAllOccurrencesRequest)
        if isinstance(request, WarmRequest):
            job.load_deployed(request.job, settings.jobs)
            return Warmed()
        deployed = job.load_deployed(request.context.job, settings.jobs).with_options(request.context.options)
        deployed.check_rules(request.rules)
        function = settings.get_occurrences_function
        results = ResultsTable(table, request.run_id, deployed)

        def put_parts(parts: Sequence[PartReport]) -> None:
            with meter.stage("store"):
                results.put_parts(parts, request.owner)

        return reduce_shards(
            deployed,
            request,
            Invocations(
                functions, lambda task: Invocation(function, task, GET_OCCURRENCES_TIMEOUT_S), REDUCED
            ),
            put_parts,
            observer=Watch("get_occurrences", lambda task: shard_name(deployed, task), calls.append),
        )

    return answer(work, calls)
