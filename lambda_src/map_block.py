"""Mapping one block: its lines are stored as one blob, whose header tells whether it is valid."""

import msgspec

from lambda_src.blob_store import BlobStore, header_bytes
from lambda_src.digests import digest_of
from lambda_src.errors import BlobDamaged
from lambda_src.job import Input, Job, Span
from lambda_src.messages import BlobHeader, BlockReport, ParseBlockRequest, encode


def map_block(job: Job, request: ParseBlockRequest, source: Input, blobs: BlobStore) -> BlockReport:
    """Map the block of ``request`` by ``job`` and store its blob. Raises JobBroken for a job that breaks its
    promises, and what the job and its input raise."""
    mapped = job.map(Span(request.start, request.end), source)
    job.check(mapped)
    report = BlockReport(
        block=request.block,
        owned=mapped.owned,
        header_bytes=0,
        line_bytes=[len(line) for line in mapped.lines],
        observations=list(mapped.observations),
        extras=dict(mapped.extras),
        line_digests=b"".join(map(digest_of, mapped.lines)),
    )
    # The header holds its own size: as many more digits as the largest has leave room for it.
    report.header_bytes = header_bytes(len(_header(job, request, report)) + 8)
    blobs.put(request.block, _header(job, request, report), report.header_bytes, mapped.lines)
    return report


def find_report(
    job: Job, request: ParseBlockRequest, blobs: BlobStore, *, check_lines: bool
) -> BlockReport | None:
    """The report of a block that is mapped already: its blob is whole, and of this block of this input, by
    the rules of ``job``. To ``check_lines`` takes a read of each."""
    found = blobs.get_header(request.block)
    if found is None:
        return None
    header_text, lines_bytes = found
    try:
        header = msgspec.json.decode(header_text, type=BlobHeader)
    except msgspec.DecodeError:
        return None
    report = header.report
    mapped = (header.etag, header.start, header.end, header.rules, len(report.line_bytes))
    wanted = (request.source.etag, request.start, request.end, job.rules, len(job.parts))
    whole = sum(report.line_bytes) + len(report.line_bytes) == lines_bytes
    if mapped != wanted or not whole or header.report_digest != digest_of(encode(report)):
        return None
    try:
        for number in range(len(report.line_bytes) if check_lines else 0):
            blobs.get(number, request.block, report.header_bytes, report.line_bytes, report.line_digests)
    except BlobDamaged:
        return None
    return report


def _header(job: Job, request: ParseBlockRequest, report: BlockReport) -> bytes:
    return encode(
        BlobHeader(
            request.source.etag,
            request.start,
            request.end,
            job.rules,
            digest_of(encode(report)),
            report,
        )
    )
