"""Reduces one part: reads its line of every blob, as fast as S3 allows."""

from collections.abc import Iterator

import msgspec

from lambda_src.errors import BlobDamaged, InvalidRequest
from lambda_src.job import Job
from lambda_src.map_reduce import fan_out
from lambda_src.run.proof import check_mapped, check_reduced, lines_written
from lambda_src.store.blobs import BlobStore
from lambda_src.store.keys import variant
from lambda_src.telemetry import meter
from lambda_src.wire.reports import BlockReport, Manifest, PartReport

READS_AT_ONCE = 32
"""Enough to hide S3's latency."""

READ_AHEAD_BYTES = 64 << 20
"""With long lines, fewer are read at once, so that they fit into memory."""


def reduce_part(job: Job, part: str, blobs: BlobStore) -> PartReport:
    """Reduce ``part`` over the blobs of the run's manifest, and check that none is missing. Raises
    InvalidRequest if the job has no such part, BlobDamaged, ConservationBroken, FanOutFailed."""
    if part not in job.parts:
        raise InvalidRequest(f"part: the job has no {job.part} {part!r}.")
    try:
        manifest = msgspec.json.decode(blobs.get_manifest(), type=Manifest)
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or not a manifest
        raise BlobDamaged(f"The manifest of the run is damaged: {error}. Resume the run.") from error
    check_mapped(job, manifest)
    number = job.parts.index(part)
    lines = Lines(number, manifest, blobs)
    reduced = job.reduce(part, lines)
    report = PartReport(
        part,
        len(lines.blocks_read),
        reduced.observations,
        dict(reduced.result),
        lines_read=lines_written(number, lines.blocks_read),
    )
    check_reduced(report, job, manifest)
    return report


class Lines:
    """The lines of part ``number``, one per blob, in any order. Each iteration reads them again;
    ``blocks_read`` has the blocks whose line the latest iteration has read and verified.

    A fan-out reads them, because S3 throttles reducers on prefixes that it has not partitioned yet: then the
    fan-out slows down, and nothing that was summed is lost.
    """

    def __init__(self, number: int, manifest: Manifest, blobs: BlobStore) -> None:
        self._number, self._manifest, self._blobs = number, manifest, blobs
        self.blocks_read: list[BlockReport] = []

    def __iter__(self) -> Iterator[bytes]:
        self.blocks_read = []
        for blocks, at_once in self._by_size():
            found = fan_out(self._read, blocks, name=_name, max_concurrency=at_once)
            while True:
                with meter.stage("fetch"):
                    line = next(found, None)
                if line is None:
                    break
                self.blocks_read.append(line[0])
                yield line[1]

    def _read(self, report: BlockReport) -> bytes:
        return self._blobs.get(
            self._number,
            report.block,
            report.header_bytes,
            report.line_bytes,
            report.line_digests,
            variant=variant(report.left_out),
        )

    def _by_size(self) -> Iterator[tuple[list[BlockReport], int]]:
        """The blocks, with how many of their lines to read at once. Long lines come last, with fewer at once,
        so that they do not slow down the others."""
        short_bytes = READ_AHEAD_BYTES // READS_AT_ONCE
        number, blocks = self._number, self._manifest.blocks
        short = [block for block in blocks if block.line_bytes[number] <= short_bytes]
        long = [block for block in blocks if block.line_bytes[number] > short_bytes]
        yield short, READS_AT_ONCE
        if long:
            longest_bytes = max(block.line_bytes[number] for block in long)
            yield long, max(READ_AHEAD_BYTES // longest_bytes, 1)


def _name(report: BlockReport) -> str:
    return f"block {report.block}"
