"""Logs the results of a run to CloudWatch: one line per part and one summary line."""

import os
from collections.abc import Mapping
from typing import Any

from lambda_src import job
from lambda_src.answer import answer
from lambda_src.dynamodb import open_table
from lambda_src.errors import ConservationBroken
from lambda_src.job import Job
from lambda_src.log import log
from lambda_src.messages import (
    LogResultsReport,
    LogResultsRequest,
    Warmed,
    decode_event,
    is_warm_request,
    total_dollars,
)
from lambda_src.meter import metered
from lambda_src.results_table import ResultsTable
from lambda_src.settings import LogResultsSettings, from_environment


@metered
def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Returns a LogResultsReport, or a Failure, as a plain dict."""

    def work() -> LogResultsReport | Warmed:
        settings = from_environment(LogResultsSettings, os.environ)
        deployed = job.load(settings.job)
        table = open_table(settings.table, settings.url_suffix)
        if is_warm_request(event):
            return Warmed()
        request = decode_event(event, LogResultsRequest)
        return log_results(settings.job, deployed, ResultsTable(table, request.run_id, deployed))

    return answer(work)


def log_results(name: str, deployed: Job, table: ResultsTable) -> LogResultsReport:
    """Log what ``table`` holds of its run. Raises ConservationBroken if it holds no record of it."""
    record, parts = table.get_run(), table.get_parts()
    if record is None:
        raise ConservationBroken("The results table has no record of this run.")
    for report in parts:
        label = int(report.part) if report.part.isdecimal() else report.part
        log(name, **{**report.result, "run_id": record.run_id, deployed.part: label})
    own = deployed.summarize(record.facts, record.extras, {report.part: report.result for report in parts})
    figures = {name: value for name, value in own.items() if isinstance(value, (int, float, str))}
    of_run = {
        "run_id": record.run_id,
        "bucket": record.bucket,
        "key": record.key if record.key is not None else f"{record.prefix}*",
        "bytes": record.bytes,
        "blocks": record.blocks,
        "seconds": record.seconds,
        "dollars": total_dollars(record),
    }
    log("summary", **{**figures, **of_run})
    return LogResultsReport(len(parts))
