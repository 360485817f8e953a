"""Sums one word length over all blobs of a run and stores its ten most frequent words."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from lambda_src import top_words
from lambda_src.answer import answer
from lambda_src.blob_store import BlobStore
from lambda_src.conservation import check_parsed, check_reduced
from lambda_src.messages import GetOccurrencesRequest, LengthReport, Manifest, TopWord, decode_event
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
        blobs = BlobStore(open_bucket(settings.bucket), settings.bucket, request.run_id)
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
        blobs_read = 0
        for more in _counts(length, manifest, blobs):
            top_words.add(counts, more if parts == 1 else top_words.part_of(more, part, parts))
            blobs_read += 1
            if len(counts) > MAX_DISTINCT_WORDS:
                return None
        words += sum(counts.values())
        best.update(top_words.top(counts))
    top = [TopWord(word, count) for word, count in top_words.top(best)]
    return LengthReport(length, blobs_read, words, top)


def _counts(length: int, manifest: Manifest, blobs: BlobStore) -> Iterator[dict[str, int]]:
    """The counts of each blob, in block order, read a bounded number ahead."""
    decoder = msgspec.json.Decoder(dict[str, int])
    with ThreadPoolExecutor(READS_AT_ONCE) as executor:
        ahead: deque[tuple[int, Future[bytes]]] = deque()
        ahead_bytes = 0
        for block in manifest.blocks:
            line_bytes = block.line_bytes[length - 1]
            while ahead and (len(ahead) == READS_AT_ONCE or ahead_bytes + line_bytes > READ_AHEAD_BYTES):
                first_bytes, first = ahead.popleft()
                ahead_bytes -= first_bytes
                yield decoder.decode(first.result())
            ahead.append((line_bytes, executor.submit(blobs.get, length, block.block, block.line_bytes)))
            ahead_bytes += line_bytes
        for _, line in ahead:
            yield decoder.decode(line.result())
