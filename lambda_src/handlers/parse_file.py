"""The entry point: runs the whole job on one object and answers the result."""

import os
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from lambda_src import source
from lambda_src.blob_store import BlobStore
from lambda_src.errors import FanfoldError, InvalidRequest
from lambda_src.functions import invoke, open_functions
from lambda_src.log import log
from lambda_src.messages import (
    AllLengthsReport,
    BlockReport,
    LogResultsReport,
    ParseFileRequest,
    RunId,
    RunRecord,
    decode_event,
    encode,
    new_run_id,
    to_plain,
)
from lambda_src.results_table import ResultsTable, open_table
from lambda_src.run import Services, execute
from lambda_src.s3 import open_bucket
from lambda_src.settings import (
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    INPUT_PREFIX,
    ParseFileSettings,
    from_environment,
)


def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Answers a RunSummary; raises on any failure, so that Lambda shows the invocation as failed."""
    settings = from_environment(ParseFileSettings, os.environ)
    run_id = _run_id(event)
    table = ResultsTable(open_table(settings.table), run_id)
    record = RunRecord(run_id=run_id, started_at=time.time())
    try:
        request = _request(event, settings)
        record.bucket, record.key = settings.source_bucket, request.key
        record.block_bytes, record.max_concurrency = request.block_bytes, request.max_concurrency
        return to_plain(execute(record, _services(record, table, settings)))
    except InvalidRequest as error:
        record.fail(error)
        table.put_new_run(record)
        raise _told(error, run_id) from None
    except FanfoldError as error:
        raise _told(error, run_id) from None


def _run_id(event: object) -> str:
    """The event's own run id if it is a valid one: the record of a refused request goes there too."""
    try:
        return msgspec.convert(event["run_id"], RunId)  # type: ignore[index]
    except (TypeError, KeyError, msgspec.ValidationError):
        return new_run_id()


def _request(event: object, settings: ParseFileSettings) -> ParseFileRequest:
    request = decode_event(event, ParseFileRequest)
    readable = settings.source_bucket
    if request.bucket not in (None, readable):
        raise InvalidRequest(
            f"bucket: this deployment reads from {readable} only, not from {request.bucket}; "
            f"to change that, deploy with -c source_bucket={request.bucket}."
        )
    if readable == settings.bucket and not request.key.startswith(INPUT_PREFIX):
        raise InvalidRequest(
            f"key: the inputs in {readable} begin with {INPUT_PREFIX}, {request.key!r} does not."
        )
    return request


def _services(record: RunRecord, table: ResultsTable, settings: ParseFileSettings) -> Services:
    functions = open_functions(GET_ALL_OCCURRENCES_TIMEOUT_S + 5)
    blobs = BlobStore(open_bucket(settings.bucket), settings.bucket, record.run_id)
    return Services(
        table=table,
        pin_source=lambda: source.pin(open_bucket(record.bucket), record.bucket, record.key),
        put_manifest=lambda manifest: blobs.put_manifest(encode(manifest)),
        parse_block=lambda request: invoke(functions, settings.parse_block_function, request, BlockReport),
        get_all_occurrences=lambda request: invoke(
            functions, settings.get_all_occurrences_function, request, AllLengthsReport
        ),
        log_results=lambda request: invoke(
            functions, settings.log_results_function, request, LogResultsReport
        ),
    )


def _told(error: FanfoldError, run_id: str) -> FanfoldError:
    """``error`` with its run, for the person who asked; logged."""
    log("failed", run_id=run_id, error=type(error).__name__, message=str(error))
    return type(error)(f"{error} (run {run_id})")
