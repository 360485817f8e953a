"""Sums one word length over all blobs of a run and stores its ten most frequent words."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lambda_src import top_words
from lambda_src.answer import answer
from lambda_src.blob_store import BlobStore
from lambda_src.conservation import check_parsed, check_reduced
from lambda_src.map_reduce import map_reduce
from lambda_src.messages import (
    BlockReport,
    GetOccurrencesRequest,
    LengthReport,
    Manifest,
    TopWord,
    decode_event,
)
from lambda_src.results_table import ResultsTable, open_table
from lambda_src.s3 import open_bucket
from lambda_src.settings import GetOccurrencesSettings, from_environment

READS_AT_ONCE = 32
"""Enough to hide S3's latency."""

READ_AHEAD_BYTES = 64 << 20
"""Few enough, when lines are long, for those under way to fit the memory."""

MAX_DISTINCT_WORDS = 4_000_000
"""Summed at once: what the memory of this function is made for (docs/memory.md). With more, the words are
summed in several passes, each over the words of one part."""


def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Answers a LengthReport."""

    def work() -> LengthReport:
        settings = from_environment(GetOccurrencesSettings, os.environ)
        request = decode_event(event, GetOccurrencesRequest)
        blobs = BlobStore(open_bucket(settings.bucket, settings.url_suffix), settings.bucket, request.run_id)
        report = get_occurrences(request.length, blobs)
        ResultsTable(open_table(settings.table), request.run_id).put_length(report, request.owner)
        return report

    return answer(work)


def get_occurrences(length: int, blobs: BlobStore) -> LengthReport:
    """Sum the counts of ``length`` over the blobs of the run's manifest, and see that none is missing."""
    manifest = msgspec.json.decode(blobs.get_manifest(), type=Manifest)
    check_parsed(manifest)
    parts = 1
    while (report := _sum(length, manifest, blobs, parts)) is None:
        parts *= 4
    check_reduced(report, manifest)
    return report


def _sum(length: int, manifest: Manifest, blobs: BlobStore, parts: int) -> LengthReport | None:
    """The report, from ``parts`` passes over the blobs; None if a part has too many distinct words."""
    best: dict[str, int] = {}
    words = blobs_read = 0
    for part in range(parts):
        counts: dict[str, int] = {}
        try:
            blobs_read = _add_all(counts, length, manifest, blobs, part=part, parts=parts)
        except _TooManyDistinct:
            return None
        words += sum(counts.values())
        best.update(top_words.top(counts))
    top = [TopWord(word, count) for word, count in top_words.top(best)]
    return LengthReport(length, blobs_read, words, top)


class _TooManyDistinct(Exception):
    """One pass has more words than the memory is made for."""


def _add_all(
    counts: dict[str, int], length: int, manifest: Manifest, blobs: BlobStore, *, part: int, parts: int
) -> int:
    """Add what every blob counted of the words of ``part`` to ``counts``; how many blobs that were.

    A fan-out reads, for S3 throttles a run's 20 reducers on prefixes that it has not yet spread out: the pace
    goes down, and what has been summed stays.
    """
    decoder = msgspec.json.Decoder(dict[str, int])
    blobs_read = 0

    def read(block: BlockReport) -> bytes:
        return blobs.get(length, block.block, block.line_bytes)

    def add(_: BlockReport, line: bytes) -> None:
        nonlocal blobs_read
        more = decoder.decode(line)
        top_words.add(counts, more if parts == 1 else top_words.part_of(more, part, parts))
        blobs_read += 1
        if len(counts) > MAX_DISTINCT_WORDS:
            raise _TooManyDistinct

    for blocks, at_once in _by_size(length, manifest.blocks):
        map_reduce(read, blocks, add, name=lambda block: f"block {block.block}", max_concurrency=at_once)
    return blobs_read


def _by_size(length: int, blocks: list[BlockReport]) -> Iterator[tuple[list[BlockReport], int]]:
    """The blocks, with how many of their lines may be under way at once. Long lines are read apart, fewer at
    once: one of them must not slow down all others."""
    short_bytes = READ_AHEAD_BYTES // READS_AT_ONCE
    short = [block for block in blocks if block.line_bytes[length - 1] <= short_bytes]
    long = [block for block in blocks if block.line_bytes[length - 1] > short_bytes]
    yield short, READS_AT_ONCE
    if long:
        longest_bytes = max(block.line_bytes[length - 1] for block in long)
        yield long, max(READ_AHEAD_BYTES // longest_bytes, 1)
