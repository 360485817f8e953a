"""Maps one block and stores its lines as one blob, whose header tells whether the blob is valid."""

import msgspec

from lambda_src.errors import (
    BadObjects,
    BlobDamaged,
    BlockTooSlow,
    JobContractViolated,
    OutOfMemory,
    TooManyDistinct,
)
from lambda_src.input.addresses import Portion
from lambda_src.input.findings import CONCERNS, WatchedInput
from lambda_src.job import Context, Input, Job, Mapped, Owned, Span
from lambda_src.run.ranges import ranges_of
from lambda_src.run.reuse import as_of_group, blob_of, in_run
from lambda_src.store.blobs import BlobStore, header_bytes
from lambda_src.store.digests import digest_of
from lambda_src.store.keys import variant
from lambda_src.telemetry.calls import cut
from lambda_src.wire.codec import encode
from lambda_src.wire.record import REASON_BYTES
from lambda_src.wire.reports import BadObject, BlobHeader, BlockReport, Piece
from lambda_src.wire.requests import ParseBlockRequest


def map_block(job: Job, request: ParseBlockRequest, source: Input, blobs: BlobStore) -> BlockReport:
    """Map the block of ``request`` with ``job`` and store its blob, or report its bad objects if the request
    skips them. Raises JobContractViolated, and what the job and its input raise."""
    pieces = _Pieces(request, blobs)
    context = request.context.of(job)
    if job.stores_pieces:
        context = context._replace(store=pieces.store)
    try:
        mapped = map_watched(job, Span(request.start, request.end), source, context)
        job.check(mapped, context.shards)
    except (TooManyDistinct, OutOfMemory, BlockTooSlow) as error:
        raise type(error)(f"{error} {how_to_get_smaller_blocks(request.portion)}") from error
    except BadObjects as bad:
        nothing = Owned(request.start, request.start)
        found = [BadObject(address, cut(reason, REASON_BYTES)) for address, reason in bad.found]
        return BlockReport(request.block, nothing, 0, [], [], {}, bad_objects=found)
    report = BlockReport(
        block=request.block,
        owned=mapped.owned,
        header_bytes=0,
        line_bytes=[len(line.data) for line in mapped.lines],
        observations=[
            sum(observed) for observed in zip(*(line.observed for line in mapped.lines), strict=True)
        ],
        extras=dict(mapped.extras),
        line_digests=b"".join(digest_of(line.data) for line in mapped.lines),
        findings=dict(mapped.findings),
        left_out=request.left_out,
        shard_observations=[]
        if context.shards.by == "part"
        else [sum(line.observed) for line in mapped.lines],
        pieces=pieces.stored,
    )
    # The header contains its own size, which may have up to 8 digits more than the 0 it has here.
    report.header_bytes = header_bytes(len(_header(job, request, report)) + 8)
    blobs.put(
        request.block,
        _header(job, request, report),
        report.header_bytes,
        [line.data for line in mapped.lines],
        variant=blob_of(request),
    )
    return report


class _Pieces:
    """Stores the pieces of a block. A block that is mapped again overwrites them with the same."""

    def __init__(self, request: ParseBlockRequest, blobs: BlobStore) -> None:
        self.stored: list[Piece] = []
        self._block, self._variant, self._blobs = request.block, variant(request.left_out), blobs

    def store(self, data: bytes) -> None:
        self._blobs.put_piece(self._block, len(self.stored), data, variant=self._variant)
        self.stored.append(Piece(len(data), digest_of(data)))


def map_watched(job: Job, block: Span, source: Input, context: Context) -> Mapped:
    """``block`` as mapped by ``job``, with the engine's own findings. Raises JobContractViolated for findings
    that the job does not declare in its concerns, and what the job and its input raise."""
    watched = WatchedInput(source, for_utf8=not job.finds_invalid_utf8)
    mapped = job.map(block, watched, context)
    mapped = mapped._replace(findings={**watched.findings(), **mapped.findings})
    if unknown := mapped.findings.keys() - {*CONCERNS, *job.concerns}:
        raise JobContractViolated(f"map gave the finding {min(unknown)}, which is not in the job's concerns.")
    return mapped


def how_to_get_smaller_blocks(portion: Portion) -> str:
    """Advice for a block of these objects that is too large. An archive that must be unpacked as a whole is
    one block, whatever the block size."""
    smaller, split = "Choose a smaller block_bytes", "upload it unpacked, or in several objects."
    formats = {one.format for one in portion.objects} if portion.objects else {None}
    if formats <= {"plain", "bzip2"}:
        return f"{smaller}."
    if len(portion.objects) == 1 and formats.isdisjoint({None, "plain", "bzip2"}):
        (one,) = portion.objects
        return f"{one.key} is {one.format}, which is always one block: {split}"
    return f"{smaller}; gzip, xz and zstd are always one block each: {split}"


def find_report(
    job: Job, request: ParseBlockRequest, blobs: BlobStore, *, check_lines: bool
) -> BlockReport | None:
    """The report of a block that is mapped already, or None: its blob must be whole, and belong to this block
    of this input, to the rules of ``job``, and to the shards and options of the run. With ``check_lines``,
    every line is read and checked."""
    report = _found(job, as_of_group(request), blobs, check_lines=check_lines)
    return report and in_run(report, request)


def _found(
    job: Job, request: ParseBlockRequest, blobs: BlobStore, *, check_lines: bool
) -> BlockReport | None:
    found = blobs.get_header(request.block, variant=blob_of(request))
    if found is None:
        return None
    header_text, lines_bytes = found
    try:
        header = msgspec.json.decode(header_text, type=BlobHeader)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or not a header
        return None
    report = header.report
    shards = request.context.shards
    mapped = (
        header.job,
        header.etag,
        header.start,
        header.end,
        header.rules,
        header.shards,
        header.options,
    )
    wanted = (
        request.context.job,
        request.source.etag,
        request.start,
        request.end,
        job.rules,
        shards,
        request.context.options,
    )
    whole = sum(report.line_bytes) + len(report.line_bytes) == lines_bytes
    of_run = len(report.line_bytes) == shards.lines and len(report.observations) == len(job.parts)
    if mapped != wanted or report.left_out != request.left_out or not whole or not of_run:
        return None
    if header.report_digest != digest_of(encode(report)):
        return None
    try:
        for line in range(shards.lines if check_lines else 0):
            blobs.get(*ranges_of([in_run(report, request)], line))
    except BlobDamaged:
        return None
    return report


def _header(job: Job, request: ParseBlockRequest, report: BlockReport) -> bytes:
    return encode(
        BlobHeader(
            request.context.job,
            request.source.etag,
            request.start,
            request.end,
            job.rules,
            request.context.shards,
            request.context.options,
            digest_of(encode(report)),
            report,
        )
    )
