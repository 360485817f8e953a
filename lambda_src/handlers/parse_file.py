"""The entry point: runs the whole job on one object and answers the result."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lambda_src import source
from lambda_src.blob_store import BlobStore
from lambda_src.errors import FanfoldError, InvalidRequest
from lambda_src.functions import invoke, invoke_and_forget, open_functions
from lambda_src.log import log
from lambda_src.messages import (
    AllLengthsReport,
    BlobHeader,
    BlockReport,
    HandOverRequest,
    LengthReport,
    LogResultsReport,
    ParseBlockRequest,
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
from lambda_src.s3 import open_bucket, path_of
from lambda_src.settings import (
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    INPUT_PREFIX,
    ParseFileSettings,
    from_environment,
)
from lambda_src.words import RULES


def handler(event: object, context: Any) -> Mapping[str, Any]:
    """Answers a RunSummary; raises on any failure, so that Lambda shows the invocation as failed."""
    ends_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    settings = from_environment(ParseFileSettings, os.environ)
    run_id = _run_id(event)
    table = ResultsTable(open_table(settings.table), run_id)
    try:
        request = _request(event, table, settings)
        services = _services(run_id, request.key, table, settings, lambda: ends_at - time.monotonic())
        return to_plain(execute(run_id, settings.source_bucket, request, services))
    except FanfoldError as error:
        log("failed", run_id=run_id, error=type(error).__name__, message=str(error))
        raise type(error)(f"{error} (run {run_id})") from None


def _run_id(event: object) -> str:
    """The event's own run id if it is a valid one: the record of a refused request goes there too."""
    try:
        return msgspec.convert(event["run_id"], RunId)  # type: ignore[index]
    except (TypeError, KeyError, msgspec.ValidationError):
        return new_run_id()


def _request(event: object, table: ResultsTable, settings: ParseFileSettings) -> ParseFileRequest:
    """The event as a request. One that is refused leaves a failed record, unless its run id has a record."""
    try:
        return _decoded(event, settings)
    except InvalidRequest as error:
        record = RunRecord(run_id=table.run_id, started_at=time.time())
        record.fail(error)
        table.put_new_run(record)
        raise


def _decoded(event: object, settings: ParseFileSettings) -> ParseFileRequest:
    handed_over = isinstance(event, Mapping) and "handed_over_by" in event
    request = decode_event(event, HandOverRequest if handed_over else ParseFileRequest)
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
    path_of(request.key)  # raises for a key that S3 would not be asked for exactly
    return request


def _services(
    run_id: str, key: str, table: ResultsTable, settings: ParseFileSettings, remaining_s: Callable[[], float]
) -> Services:
    functions = open_functions(GET_ALL_OCCURRENCES_TIMEOUT_S + 5)
    blobs = BlobStore(open_bucket(settings.bucket, settings.url_suffix), settings.bucket, run_id)
    return Services(
        table=table,
        remaining_s=remaining_s,
        hand_over=lambda request: invoke_and_forget(
            functions, os.environ["AWS_LAMBDA_FUNCTION_NAME"], request
        ),
        pin_source=lambda: source.pin(
            open_bucket(settings.source_bucket, settings.url_suffix), settings.source_bucket, key
        ),
        find_report=lambda request: find_report(request, blobs),
        parse_block=lambda request: invoke(functions, settings.parse_block_function, request, BlockReport),
        put_manifest=lambda manifest: blobs.put_manifest(encode(manifest)),
        get_all_occurrences=lambda request: invoke(
            functions, settings.get_all_occurrences_function, request, AllLengthsReport
        ),
        get_occurrences=lambda request: invoke(
            functions, settings.get_occurrences_function, request, LengthReport
        ),
        log_results=lambda request: invoke(
            functions, settings.log_results_function, request, LogResultsReport
        ),
    )


def find_report(request: ParseBlockRequest, blobs: BlobStore) -> BlockReport | None:
    """The report of a block that is parsed already: its blob is whole, and of this block of this object."""
    found = blobs.get_header(request.block)
    if found is None:
        return None
    try:
        header = msgspec.json.decode(found[0], type=BlobHeader)
    except msgspec.DecodeError:
        return None
    parsed = (header.etag, header.object_bytes, header.start, header.end, header.rules)
    wanted = (request.source.etag, request.source.bytes, request.start, request.end, RULES)
    return header.report if parsed == wanted and sum(header.report.line_bytes) == found[1] else None
