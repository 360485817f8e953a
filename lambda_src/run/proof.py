"""The checks by which a run is exact or fails: each unit is owned once, each observation counted once."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from lambda_src.errors import ConservationBroken
from lambda_src.input.ownership import check_chain
from lambda_src.job import Job, Shards, Span
from lambda_src.run.ranges import Written, lines_written, written
from lambda_src.wire.reports import Manifest, PartReport, Section, ShardReport


def check_mapped(job: Job, manifest: Manifest) -> None:
    """Raise ConservationBroken unless the blocks of ``manifest`` own each unit of the input once, and agree
    on the objects they leave out."""
    try:
        check_chain((block.owned for block in manifest.blocks), manifest.units, job.unit)
    except ConservationBroken as error:  # to resume would find the same blobs
        raise ConservationBroken(f"{error} Start a new run.") from error
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


def check_reducer(name: str, read: Written, wrote: Written) -> None:
    """Raise ConservationBroken unless the reducer of ``name`` has ``read`` every blob, and counted what the
    blocks observed."""
    if read.blobs != wrote.blobs:
        raise ConservationBroken(f"The reducer of {name} read {read.blobs} of {wrote.blobs} blobs.")
    if read.lines != wrote.lines:
        raise ConservationBroken(f"The lines that the reducer of {name} read are not those of the blocks.")
    if read.observed != wrote.observed:
        raise ConservationBroken(
            f"The blocks observed {wrote.observed:,} in {name}, but its reducer counted {read.observed:,}."
        )


def check_complete(name: str, complete: Sequence[Section], observed: Sequence[int]) -> None:
    """Raise ConservationBroken unless the rows stored for ``name`` have ``observed`` that in each part."""
    stored = [0] * len(observed)
    for section in complete:
        stored[section.part] += section.observed
    if stored != list(observed):
        raise ConservationBroken(
            f"The complete sums of {name} that were stored have {sum(stored):,} observations, but "
            f"{sum(observed):,} were counted."
        )


def shards_of_all_parts(manifest: Manifest) -> Shards | None:
    """The shards of a run, if each has something of all parts. In a manifest that names no shards, each part
    is one."""
    shards = manifest.shards
    return shards if shards and shards.by != "part" else None


def lines_by_part(job: Job, manifest: Manifest) -> dict[str, str]:
    """``lines_written`` for each part: where shards are not parts, all lines are read for each."""
    if shards := shards_of_all_parts(manifest):
        read = [shards.line_of(shard) for shard in range(shards.count)]
        return dict.fromkeys(job.parts, lines_written(read, manifest.blocks))
    return {part: lines_written([number], manifest.blocks) for number, part in enumerate(job.parts)}


def check_parts(reports: Sequence[PartReport], job: Job, manifest: Manifest) -> None:
    """Raise ConservationBroken unless all blobs were read for every part, and what the blocks observed in it
    was counted."""
    lines = lines_by_part(job, manifest)
    for report in reports:
        number = job.parts.index(report.part)
        observed = sum(block.observations[number] for block in manifest.blocks)
        wrote = Written(len(manifest.blocks), lines[report.part], observed)
        read = Written(report.blobs_read, report.lines_read, report.observations)
        check_reducer(f"{job.part} {report.part}", read, wrote)


def check_shards(reports: Sequence[ShardReport], job: Job, manifest: Manifest) -> None:
    """Raise ConservationBroken unless every shard, and every part over all shards, arrived at what the blocks
    observed. Where all reducers read the same line, each arrived at all of it."""
    shards = manifest.shards
    if shards is None or [report.shard for report in reports] != list(range(shards.count)):
        raise ConservationBroken(f"Only the shards {[report.shard for report in reports]} were reduced.")
    for report in reports:
        read = Written(report.blobs_read, report.lines_read, sum(report.observed))
        check_reducer(f"shard {report.shard}", read, written(manifest.blocks, shards.line_of(report.shard)))
    for number, part in enumerate(job.parts):
        mapped = sum(block.observations[number] for block in manifest.blocks)
        reduced = sum(report.observed[number] for report in reports)
        if mapped * (shards.count // shards.lines) != reduced:
            raise ConservationBroken(
                f"The blocks observed {mapped:,} in {job.part} {part}, but the reducers of all shards "
                f"counted {reduced:,}."
            )
