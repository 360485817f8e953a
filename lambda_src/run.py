"""One run, from the request to the summary: the orchestration behind ``parse_file``."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from lambda_src.blocks import Span, bounded_block_bytes, check_chain, partition
from lambda_src.errors import ConservationBroken
from lambda_src.map_reduce import map_reduce
from lambda_src.messages import (
    AllLengthsReport,
    BlockReport,
    GetAllOccurrencesRequest,
    LengthReport,
    LogResultsReport,
    LogResultsRequest,
    Manifest,
    ParseBlockRequest,
    RunRecord,
    RunSummary,
    Source,
    Stage,
    summarize,
)
from lambda_src.results_table import ResultsTable
from lambda_src.words import LONGEST


class Services(NamedTuple):
    """What a run needs of AWS, each behind a callable that raises our errors."""

    table: ResultsTable
    pin_source: Callable[[], Source]
    put_manifest: Callable[[Manifest], None]
    parse_block: Callable[[ParseBlockRequest], BlockReport]
    get_all_occurrences: Callable[[GetAllOccurrencesRequest], AllLengthsReport]
    log_results: Callable[[LogResultsRequest], LogResultsReport]


def execute(record: RunRecord, services: Services) -> RunSummary:
    """Run the job that ``record`` describes and keep the record true to it, to the end.

    A run that fails leaves status FAILED, the error and no top words. Raises FanfoldError.
    """
    table = services.table
    table.delete_lengths(LONGEST)
    table.put_run(record)
    try:
        with _stage(record, "parse"):
            manifest = _parse(record, services)
            services.put_manifest(manifest)
        with _stage(record, "reduce"):
            table.put_run(record)
            lengths = _reduce(record, manifest, services)
        with _stage(record, "log"):
            table.put_run(record)
            services.log_results(LogResultsRequest(record.run_id))
    except Exception as error:
        table.delete_lengths(LONGEST)
        record.fail(error)
        table.put_run(record)
        raise
    record.status, record.stage, record.finished_at = "SUCCEEDED", "done", time.time()
    table.put_run(record)
    return summarize(record, lengths)


@contextmanager
def _stage(record: RunRecord, stage: Stage) -> Iterator[None]:
    record.stage = stage
    started_at = time.monotonic()
    yield
    record.seconds[stage] = round(time.monotonic() - started_at, 3)


def _parse(record: RunRecord, services: Services) -> Manifest:
    source = services.pin_source()
    record.etag, record.version_id, record.bytes = source.etag, source.version_id or "", source.bytes
    record.block_bytes = bounded_block_bytes(source.bytes, record.block_bytes)
    blocks = partition(source.bytes, record.block_bytes)
    record.blocks = len(blocks)
    services.table.put_run(record)

    reports: dict[int, BlockReport] = {}

    def fold(request: ParseBlockRequest, report: BlockReport) -> None:
        reports[request.block] = report
        record.blocks_done = len(reports)

    map_reduce(
        services.parse_block,
        [ParseBlockRequest(record.run_id, source, *block) for block in blocks],
        fold,
        name=lambda request: f"block {request.block} (bytes {request.start} to {request.end})",
        max_concurrency=record.max_concurrency,
        tick=lambda: services.table.put_run(record),
    )
    in_order = [reports[block.number] for block in blocks]
    check_chain((Span(report.start, report.end) for report in in_order), source.bytes)
    record.words = sum(sum(report.words) for report in in_order)
    record.longer_words = sum(report.longer_words for report in in_order)
    return Manifest(record.run_id, source, in_order)


def _reduce(record: RunRecord, manifest: Manifest, services: Services) -> list[LengthReport]:
    lengths: list[LengthReport] = []
    map_reduce(
        services.get_all_occurrences,
        [GetAllOccurrencesRequest(record.run_id, record.max_concurrency)],
        lambda _, report: lengths.extend(report.lengths),
        name=lambda _: "get_all_occurrences",
        max_concurrency=1,
    )
    if [report.length for report in lengths] != list(range(1, LONGEST + 1)):
        raise ConservationBroken(f"Reduced were the lengths {[report.length for report in lengths]}.")
    for report in lengths:
        check_conserved(report, manifest)
    return lengths


def check_conserved(report: LengthReport, manifest: Manifest) -> None:
    """Raise ConservationBroken unless a reducer read every blob and summed every word that was counted."""
    if report.blobs_read != len(manifest.blocks):
        raise ConservationBroken(
            f"The reducer of length {report.length} read {report.blobs_read} of {len(manifest.blocks)} blobs."
        )
    counted = sum(block.words[report.length - 1] for block in manifest.blocks)
    if report.words != counted:
        raise ConservationBroken(
            f"The blocks counted {counted} words of length {report.length}, their reducer {report.words}."
        )
