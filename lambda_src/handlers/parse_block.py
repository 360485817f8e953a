"""Counts the words of one block and stores them as one blob."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lambda_src import source
from lambda_src.answer import answer
from lambda_src.blob_store import BlobStore
from lambda_src.blocks import Block, feed_owned
from lambda_src.messages import BlobHeader, BlockReport, ParseBlockRequest, decode_event, encode
from lambda_src.s3 import open_bucket
from lambda_src.settings import ParseBlockSettings, from_environment
from lambda_src.words import RULES, count_runs, count_words


def handler(event: object, _context: object) -> Mapping[str, Any]:
    """Answers a BlockReport."""

    def work() -> BlockReport:
        settings = from_environment(ParseBlockSettings, os.environ)
        request = decode_event(event, ParseBlockRequest)
        blobs = BlobStore(open_bucket(settings.bucket, settings.url_suffix), settings.bucket, request.run_id)
        objects = open_bucket(request.source.bucket, settings.url_suffix)
        return parse_block(
            request, lambda start, end: source.read(objects, request.source, start, end), blobs
        )

    return answer(work)


def parse_block(
    request: ParseBlockRequest, read: Callable[[int, int], bytes], blobs: BlobStore
) -> BlockReport:
    """Count what the block owns of the object that ``read(start, end)`` reads; store it in ``blobs``."""
    runs: Counter[bytes] = Counter()
    block = Block(request.block, request.start, request.end)
    span = feed_owned(block, request.source.bytes, read, lambda chunk: count_runs(chunk, runs))
    counts = count_words(runs)
    lines = [msgspec.json.encode(words) + b"\n" for words in counts.by_length]
    report = BlockReport(
        block=request.block,
        start=span.start,
        end=span.end,
        line_bytes=[len(line) for line in lines],
        words=[sum(words.values()) for words in counts.by_length],
        longer_words=counts.longer_words,
    )
    header = BlobHeader(request.source.etag, request.source.bytes, request.start, request.end, RULES, report)
    blobs.put(request.block, encode(header), lines)
    return report
