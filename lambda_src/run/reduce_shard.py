"""Reduces one shard: reads its line of every blob, as fast as S3 allows."""

import zlib
from collections.abc import Iterator, Sequence

import msgspec

from lambda_src.errors import BlobDamaged, InvalidRequest, JobContractViolated
from lambda_src.fan_out.map_reduce import fan_out
from lambda_src.job import MAX_REDUCED_BYTES, MAX_UNPACKED_BYTES, Job, Shards
from lambda_src.run.finish import finish
from lambda_src.run.proof import check_complete, check_mapped, check_reducer
from lambda_src.run.ranges import ranges_of, written_at
from lambda_src.store.blobs import BlobStore
from lambda_src.store.complete import CompleteSums
from lambda_src.telemetry import meter
from lambda_src.wire.reports import Manifest, Range, Reduced, Section, ShardReport
from lambda_src.wire.requests import GetOccurrencesRequest

READS_AT_ONCE = 32
"""Enough to hide S3's latency."""

READ_AHEAD_BYTES = 64 << 20
"""With long lines, fewer are read at once, so that they fit into memory."""


def reduce_shard(job: Job, request: GetOccurrencesRequest, blobs: BlobStore) -> Reduced:
    """Reduce the shard of ``request``, and check that no blob is missing. The result is the part's, where the
    shard holds a single part. Raises InvalidRequest if the run has no such shard, or if the job cannot keep
    all sums; JobContractViolated, BlobDamaged, ConservationBroken, FanOutFailed."""
    context, shard = request.context.of(job), request.shard
    shards = context.shards
    if shard >= shards.count:
        raise InvalidRequest(f"shard: the run has no shard {shard}, but {shards.count}.")
    if request.ranges is None:
        manifest = _manifest(job, shards, blobs)
        ranges = ranges_of(manifest.blocks, shards.line_of(shard))
    else:
        ranges = request.ranges
    name = shards.name(shard, job.part, job.parts)
    lines = Lines(ranges, blobs)
    job.check_keep(request.keep, context.options)
    complete: list[Section] = []
    if request.keep and job.complete:
        writer = CompleteSums(blobs, shard)
        line = job.complete.reduce(shard, lines, context, writer)
        complete = writer.sections()
    else:
        line = job.reduce(shard, lines, context)
    job.check_observed("reduce", shard, line, shards)
    if request.keep:
        check_complete(name, complete, line.observed)
    read = written_at(lines.ranges_read)._replace(observed=sum(line.observed))
    check_reducer(name, read, written_at(ranges))
    if shards.by == "part":
        (report,) = finish(job, context, [line.data], [shard], read, complete=complete)
        return report
    packed = zlib.compress(line.data, 1)
    if len(packed) > MAX_REDUCED_BYTES or len(line.data) > MAX_UNPACKED_BYTES:
        raise JobContractViolated(
            f"reduce gave {len(line.data):,} bytes for {name}, {len(packed):,} when compressed: it must give "
            f"at most {MAX_UNPACKED_BYTES:,} and {MAX_REDUCED_BYTES:,}."
        )
    return ShardReport(shard, read.blobs, list(line.observed), read.lines, packed, complete=complete)


def _manifest(job: Job, shards: Shards, blobs: BlobStore) -> Manifest:
    """The manifest of the run. Raises BlobDamaged, ConservationBroken."""
    try:
        manifest = msgspec.json.decode(blobs.get_manifest(), type=Manifest)
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or not a manifest
        raise BlobDamaged(f"The manifest of the run is damaged: {error}. Resume the run.") from error
    by_shard = 0 if shards.by == "part" else shards.lines
    for block in manifest.blocks:
        found = len(block.line_bytes), len(block.observations), len(block.shard_observations)
        if found != (shards.lines, len(job.parts), by_shard):
            raise BlobDamaged(
                f"The manifest of the run is damaged: the report of block {block.block} does not have an "
                "entry for each shard and part. Resume the run."
            )
    check_mapped(job, manifest)
    return manifest


class Lines:
    """The lines at ``ranges``, one per blob, in any order. Each iteration reads them again; ``ranges_read``
    are those whose line the latest iteration has read and verified.

    A fan-out reads them, because S3 throttles reducers on prefixes that it has not partitioned yet: then the
    fan-out slows down, and nothing that was summed is lost.
    """

    def __init__(self, ranges: Sequence[Range], blobs: BlobStore) -> None:
        self._ranges, self._blobs = ranges, blobs
        self.ranges_read: list[Range] = []

    def __iter__(self) -> Iterator[bytes]:
        self.ranges_read = []
        for ranges, at_once in self._by_size():
            found = fan_out(self._blobs.get, ranges, name=_name, max_concurrency=at_once)
            while True:
                with meter.stage("fetch"):
                    line = next(found, None)
                if line is None:
                    break
                self.ranges_read.append(line[0])
                yield line[1]

    def _by_size(self) -> Iterator[tuple[list[Range], int]]:
        """The ranges, with how many of them to read at once. Long lines come last, with fewer at once, so
        that they do not slow down the others."""
        short_bytes = READ_AHEAD_BYTES // READS_AT_ONCE
        short = [one for one in self._ranges if one.size <= short_bytes]
        long = [one for one in self._ranges if one.size > short_bytes]
        yield short, READS_AT_ONCE
        if long:
            longest_bytes = max(one.size for one in long)
            yield long, max(READ_AHEAD_BYTES // longest_bytes, 1)


def _name(one: Range) -> str:
    return f"block {one.block}"
