"""The checks by which a run is exact or fails: each unit is owned once, each observation counted once."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from lambda_src.errors import ConservationBroken
from lambda_src.input.ownership import check_chain
from lambda_src.job import Job, Span
from lambda_src.store.digests import digest_at
from lambda_src.wire.reports import BlockReport, Manifest, PartReport


def check_mapped(job: Job, manifest: Manifest) -> None:
    """Raise ConservationBroken unless the blocks of ``manifest`` own each unit of the input once, and agree
    on the objects they leave out."""
    check_chain((block.owned for block in manifest.blocks), manifest.units, job.unit)
    check_left_out(manifest)


def check_left_out(manifest: Manifest) -> None:
    """Raise ConservationBroken if a block read an object that another block left out."""
    left_out = left_out_of(manifest)
    starts, ends = [span.start for span in left_out], [span.end for span in left_out]
    for block in manifest.blocks:
        owned = block.owned
        touched = left_out[bisect_right(ends, owned.start) : bisect_left(starts, owned.end)]
        if owned.start < owned.end and touched != block.left_out:
            raise ConservationBroken(
                f"Block {block.block} read an object that another block left out, from byte "
                f"{min(set(touched) ^ set(block.left_out)).start} on."
            )


def left_out_of(manifest: Manifest) -> list[Span]:
    """The bytes of the objects that the blocks left out."""
    return sorted({span for block in manifest.blocks for span in block.left_out})


def check_reduced(report: PartReport, job: Job, manifest: Manifest) -> None:
    """Raise ConservationBroken unless a reducer read every blob and counted what the blocks observed."""
    part = f"{job.part} {report.part}"
    if report.blobs_read != len(manifest.blocks):
        raise ConservationBroken(
            f"The reducer of {part} read {report.blobs_read} of {len(manifest.blocks)} blobs."
        )
    number = job.parts.index(report.part)
    if report.lines_read != lines_written(number, manifest.blocks):
        raise ConservationBroken(f"The lines that the reducer of {part} read are not those of the blocks.")
    observed = sum(block.observations[number] for block in manifest.blocks)
    if report.observations != observed:
        raise ConservationBroken(
            f"The blocks observed {observed:,} in {part}, but its reducer counted {report.observations:,}."
        )


def lines_written(number: int, blocks: Iterable[BlockReport]) -> str:
    """The sum of the digests of line ``number`` of all ``blocks``, which identifies the lines in any order.
    Empty if a version without digests wrote the blocks."""
    digests = [digest_at(number, block.line_digests) for block in blocks]
    total = sum(int.from_bytes(digest) for digest in digests)
    return f"{total:x}" if all(digests) and digests else ""
