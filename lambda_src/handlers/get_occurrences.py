"""Sums one word length over all blobs of a run and stores its ten most frequent words."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from lambda_src import top_words
from lambda_src.answer import answer
from lambda_src.blob_store import BlobStore
from lambda_src.messages import GetOccurrencesRequest, LengthReport, Manifest, TopWord, decode_event
from lambda_src.results_table import ResultsTable, open_table
from lambda_src.s3 import open_bucket
from lambda_src.settings import GetOccurrencesSettings, from_environment

READS_AT_ONCE = 32
"""Enough to hide S3's latency, few enough for the lines under way to fit the memory."""


def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Answers a LengthReport."""

    def work() -> LengthReport:
        settings = from_environment(GetOccurrencesSettings, os.environ)
        request = decode_event(event, GetOccurrencesRequest)
        blobs = BlobStore(open_bucket(settings.bucket), settings.bucket, request.run_id)
        report = get_occurrences(request.length, blobs)
        ResultsTable(open_table(settings.table), request.run_id).put_length(report)
        return report

    return answer(work)


def get_occurrences(length: int, blobs: BlobStore) -> LengthReport:
    """Sum the counts of ``length`` over the blobs of the run's manifest."""
    manifest = msgspec.json.decode(blobs.get_manifest(), type=Manifest)
    decoder = msgspec.json.Decoder(dict[str, int])
    counts: dict[str, int] = {}
    blobs_read = 0
    with ThreadPoolExecutor(READS_AT_ONCE) as executor:
        lines = executor.map(lambda block: blobs.get(length, block.block, block.line_bytes), manifest.blocks)
        for line in lines:
            top_words.add(counts, decoder.decode(line))
            blobs_read += 1
    top = [TopWord(word, count) for word, count in top_words.top(counts)]
    return LengthReport(length, blobs_read, sum(counts.values()), top)
