"""Logs the top words of a run to CloudWatch: one line a length and one summary line."""

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from lambda_src.answer import answer
from lambda_src.errors import ConservationBroken
from lambda_src.log import log
from lambda_src.messages import LogResultsReport, LogResultsRequest, decode_event
from lambda_src.results_table import ResultsTable, open_table
from lambda_src.settings import LogResultsSettings, from_environment


def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Answers a LogResultsReport."""

    def work() -> LogResultsReport:
        settings = from_environment(LogResultsSettings, os.environ)
        request = decode_event(event, LogResultsRequest)
        return log_results(ResultsTable(open_table(settings.table), request.run_id))

    return answer(work)


def log_results(table: ResultsTable) -> LogResultsReport:
    """Log what ``table`` holds of its run. Raises ConservationBroken if it holds no record of it."""
    record, lengths = table.get_run(), table.get_lengths()
    if record is None:
        raise ConservationBroken("The results table has no record of this run.")
    for report in lengths:
        top = [msgspec.to_builtins(word) for word in report.top_words]
        log("top_words", run_id=record.run_id, length=report.length, words=report.words, top_words=top)
    log(
        "summary",
        run_id=record.run_id,
        bucket=record.bucket,
        key=record.key,
        bytes=record.bytes,
        blocks=record.blocks,
        words=record.words,
        longer_words=record.longer_words,
        seconds=record.seconds,
    )
    return LogResultsReport(len(lengths))
