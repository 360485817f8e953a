"""Logs the results of a run to CloudWatch: one line per part and one summary line."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lambda_src import job
from lambda_src.aws.dynamodb import open_table
from lambda_src.job import Job
from lambda_src.run.answer import answer
from lambda_src.run.summary import (
    plain_warnings,
    shards_of,
    summarize_parts,
    what_is_kept,
    what_is_left_out,
    what_is_reused,
)
from lambda_src.settings import LogResultsSettings, from_environment
from lambda_src.store.results import ResultsTable
from lambda_src.telemetry.log import log
from lambda_src.telemetry.meter import metered
from lambda_src.wire.codec import decode_warm_or
from lambda_src.wire.record import RunRecord, total_dollars
from lambda_src.wire.reports import LogResultsReport, PartReport, Warmed
from lambda_src.wire.requests import LogResultsRequest, WarmRequest


@metered
def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Returns a LogResultsReport, or a Failure, as a plain dict."""

    def work() -> LogResultsReport | Warmed:
        settings = from_environment(LogResultsSettings, os.environ)
        table = open_table(settings.table, settings.url_suffix)
        request = decode_warm_or(event, LogResultsRequest)
        if isinstance(request, WarmRequest):
            job.load_deployed(request.job, settings.jobs)
            return Warmed()
        deployed = job.load_deployed(request.record.job, settings.jobs)
        deployed.check_rules(request.record.rules)
        deployed = deployed.with_options(request.record.options)
        parts = ResultsTable(table, request.record.run_id, deployed).get_parts()
        return log_results(deployed, request.record, parts)

    return answer(work)


def log_results(deployed: Job, record: RunRecord, parts: Sequence[PartReport]) -> LogResultsReport:
    """Log the results of the run of ``record``; nothing where some are missing, for which its owner fails the
    run."""
    if len(parts) != len(deployed.parts):
        return LogResultsReport(len(parts))
    for report in parts:
        label = int(report.part) if report.part.isdecimal() else report.part
        log(record.job, **{**report.result, "run_id": record.run_id, deployed.part: label})
    own = summarize_parts(deployed, record, parts)
    figures = {name: value for name, value in own.items() if isinstance(value, (int, float, str))}
    of_run = {
        "run_id": record.run_id,
        "job": record.job,
        "bucket": record.bucket,
        "key": record.key if record.key is not None else f"{record.prefix}*",
        "bytes": record.bytes,
        "blocks": record.blocks,
        **shards_of(record),
        **what_is_reused(record),
        **what_is_left_out(record),
        **what_is_kept(record),
        "warnings": plain_warnings(record.warnings),
        "seconds": record.seconds,
        "dollars": total_dollars(record),
    }
    log("summary", **{**figures, **of_run})
    return LogResultsReport(len(parts))
