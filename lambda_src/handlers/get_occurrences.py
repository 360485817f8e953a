"""Reduces one shard of a run. If that is a part, it stores its result."""

import os
from collections.abc import Mapping
from typing import Any

from lambda_src import job
from lambda_src.aws.dynamodb import open_table
from lambda_src.aws.s3 import open_bucket
from lambda_src.run.answer import answer
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.settings import GetOccurrencesSettings, from_environment
from lambda_src.store.blobs import BlobStore
from lambda_src.store.results import ResultsTable
from lambda_src.telemetry import meter
from lambda_src.telemetry.meter import metered
from lambda_src.wire.codec import decode_warm_or
from lambda_src.wire.reports import PartReport, Reduced, Warmed
from lambda_src.wire.requests import GetOccurrencesRequest, WarmRequest


@metered
def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Returns a PartReport or a ShardReport, or a Failure, as a plain dict."""

    def work() -> Reduced | Warmed:
        settings = from_environment(GetOccurrencesSettings, os.environ)
        objects = open_bucket(settings.bucket, settings.url_suffix)
        table = open_table(settings.table, settings.url_suffix)
        request = decode_warm_or(event, GetOccurrencesRequest)
        if isinstance(request, WarmRequest):
            job.load_deployed(request.job, settings.jobs)
            return Warmed()
        deployed = job.load_deployed(request.context.job, settings.jobs).with_options(request.context.options)
        deployed.check_rules(request.rules)
        report = reduce_shard(deployed, request, BlobStore(objects, settings.bucket, request.run_id))
        if isinstance(report, PartReport):
            with meter.stage("store"):
                ResultsTable(table, request.run_id, deployed).put_parts([report], request.owner)
        return report

    return answer(work)
