"""One run with services of the test's own: exact or FAILED, and nothing half-true left."""

from collections.abc import Callable
from typing import Any

import pytest

from lambda_src.errors import ConservationBroken, FanfoldError, SourceNotFound
from lambda_src.messages import (
    AllLengthsReport,
    BlockReport,
    LengthReport,
    LogResultsReport,
    LogResultsRequest,
    Manifest,
    ParseBlockRequest,
    RunRecord,
    Source,
    TopWord,
)
from lambda_src.run import Services, execute


class Table:
    """The results table of one run, in memory."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.lengths: dict[int, LengthReport] = {}

    def put_run(self, record: RunRecord) -> None:
        self.records.append({name: getattr(record, name) for name in record.__struct_fields__})

    def delete_lengths(self, longest: int) -> None:
        self.lengths = {length: report for length, report in self.lengths.items() if length > longest}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a run does not call {name}")


class Job:
    """An object of ``blocks`` blocks of ten bytes, each with one word of three letters and one of four."""

    def __init__(self, blocks: int) -> None:
        self.table = Table()
        self.bytes = 10 * blocks
        self.logged = 0
        self.manifest: Manifest | None = None

    def block(self, request: ParseBlockRequest) -> BlockReport:
        words = [0, 0, 1, 1] + [0] * 16
        return BlockReport(request.block, request.start, request.end, [3] * 20, words, 1)

    def length(self, length: int) -> LengthReport:
        assert self.manifest
        counted = sum(block.words[length - 1] for block in self.manifest.blocks)
        top = [TopWord("w" * length, counted)] if counted else []
        return LengthReport(length, len(self.manifest.blocks), counted, top)

    def all_lengths(self, _: object) -> AllLengthsReport:
        for length in range(1, 21):
            self.table.lengths[length] = self.length(length)
        return AllLengthsReport([self.table.lengths[length] for length in range(1, 21)])

    def log(self, _: LogResultsRequest) -> LogResultsReport:
        self.logged += 1
        return LogResultsReport(20)

    def put_manifest(self, manifest: Manifest) -> None:
        self.manifest = manifest

    def run(self, **changed: Any) -> Any:
        services = Services(
            table=self.table,  # type: ignore[arg-type]
            pin_source=lambda: Source("bucket", "key", "etag", self.bytes),
            put_manifest=self.put_manifest,
            parse_block=self.block,
            get_all_occurrences=self.all_lengths,
            log_results=self.log,
        )
        record = RunRecord(run_id="run", started_at=1.0, block_bytes=10, max_concurrency=4)
        return execute(record, services._replace(**changed))


def test_a_run_answers_and_records_success() -> None:
    job = Job(blocks=3)
    summary = job.run()
    assert (summary.status, summary.blocks, summary.words, summary.longer_words) == ("SUCCEEDED", 3, 6, 3)
    assert summary.top_words["3"] == [TopWord("www", 3)]
    assert summary.top_words["20"] == []
    assert list(summary.top_words) == [str(length) for length in range(1, 21)]
    assert set(summary.seconds) == {"parse", "reduce", "log"}
    last = job.table.records[-1]
    assert (last["status"], last["stage"], last["blocks_done"]) == ("SUCCEEDED", "done", 3)
    assert job.logged == 1


def test_an_empty_object_is_a_run_with_empty_lists() -> None:
    summary = Job(blocks=0).run()
    assert (summary.status, summary.blocks, summary.words) == ("SUCCEEDED", 0, 0)
    assert all(words == [] for words in summary.top_words.values())


def wrong_span(job: Job, start: int, end: int) -> Callable[[ParseBlockRequest], BlockReport]:
    def parse_block(request: ParseBlockRequest) -> BlockReport:
        report = job.block(request)
        if request.block == 1:
            return BlockReport(1, start, end, report.line_bytes, report.words, 1)
        return report

    return parse_block


def wrong_length(job: Job, **changes: Any) -> Callable[[object], AllLengthsReport]:
    def get_all_occurrences(request: object) -> AllLengthsReport:
        reports = job.all_lengths(request).lengths
        four = reports[3]
        reports[3] = LengthReport(
            changes.get("length", four.length),
            changes.get("blobs_read", four.blobs_read),
            changes.get("words", four.words),
            four.top_words,
        )
        return AllLengthsReport(reports)

    return get_all_occurrences


def missing_source() -> Source:
    raise SourceNotFound("s3://bucket/key does not exist: upload it, or check the key.")


def unforeseen(_: object) -> AllLengthsReport:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (lambda _: {"pin_source": missing_source}, SourceNotFound, "does not exist"),
        (lambda job: {"parse_block": wrong_span(job, 9, 20)}, ConservationBroken, "overlaps byte 10"),
        (lambda job: {"parse_block": wrong_span(job, 11, 20)}, ConservationBroken, "gap after byte 10"),
        (
            lambda job: {"get_all_occurrences": wrong_length(job, blobs_read=2)},
            ConservationBroken,
            "length 4 read 2 of 3 blobs",
        ),
        (
            lambda job: {"get_all_occurrences": wrong_length(job, words=2)},
            ConservationBroken,
            "The blocks counted 3 words of length 4, their reducer 2",
        ),
        (lambda job: {"get_all_occurrences": wrong_length(job, length=5)}, ConservationBroken, "lengths"),
        (lambda _: {"get_all_occurrences": unforeseen}, FanfoldError, "ZeroDivisionError: a bug"),
    ],
)
def test_a_run_that_fails_says_why_and_leaves_no_top_words(
    changed: Callable[[Job], dict[str, Any]], error: type[Exception], message: str
) -> None:
    job = Job(blocks=3)
    with pytest.raises(error, match=message):
        job.run(**changed(job))
    last = job.table.records[-1]
    assert last["status"] == "FAILED"
    assert message in last["error"]
    assert job.table.lengths == {}
    assert job.logged == 0


def test_the_block_size_used_is_in_the_record() -> None:
    job = Job(blocks=0)
    job.bytes = 10**6
    summary = job.run()
    assert summary.block_bytes == 100  # 10,000 blocks at most
    assert summary.blocks == 10_000
