"""Why a run's result can be trusted: the checks that it made, repeated from what it stored."""

from collections.abc import Sequence
from typing import NamedTuple

from fanfold.format import plural, singular
from lambda_src.errors import ConservationBroken
from lambda_src.job import Job
from lambda_src.run.proof import (
    check_left_out,
    check_mapped,
    check_parts,
    left_out_of,
    lines_by_part,
    shards_of_all_parts,
)
from lambda_src.wire.reports import Manifest, PartReport


class Check(NamedTuple):
    """A claim, how it is checked, the numbers, and whether it holds."""

    claim: str
    how: str
    found: str
    holds: bool


class PartCheck(NamedTuple):
    """The observations of a part: by the blocks, and by its reducer."""

    part: str
    mapped: int
    reduced: int
    blobs_read: int
    holds: bool


class Proof(NamedTuple):
    """``observations`` are those of all parts; ``broken`` is the error with which the run itself would have
    failed."""

    checks: list[Check]
    parts: list[PartCheck]
    observations: int
    broken: str

    def holds(self) -> bool:
        return not self.broken and all(check.holds for check in self.checks)


def proof_of(job: Job, parts: Sequence[PartReport], manifest: Manifest) -> Proof:
    """The checks of a run of ``job`` whose results are ``parts``."""
    broken = ""
    try:
        check_mapped(job, manifest)
        check_parts(parts, job, manifest)
    except ConservationBroken as error:
        broken = str(error)
    by_part = []
    for part in parts:
        number = job.parts.index(part.part)
        mapped = sum(block.observations[number] for block in manifest.blocks)
        whole = part.blobs_read == len(manifest.blocks)
        by_part.append(
            PartCheck(
                part.part, mapped, part.observations, part.blobs_read, whole and mapped == part.observations
            )
        )
    return Proof(
        [
            *_owned(job, manifest),
            *_left_out(job, manifest),
            *_reduced(job, manifest, by_part),
            *_lines(job, manifest, parts),
        ],
        by_part,
        sum(part.reduced for part in by_part),
        broken,
    )


def _owned(job: Job, manifest: Manifest) -> list[Check]:
    spans = [block.owned for block in manifest.blocks if block.owned.start < block.owned.end]
    reached, breaks = 0, 0
    for span in spans:
        breaks += span.start != reached
        reached = span.end
    owned = sum(span.end - span.start for span in spans)
    empty = len(manifest.blocks) - len(spans)
    nothing = f", and {empty} {'that owns' if empty == 1 else 'that own'} nothing" if empty else ""
    one = singular(job.unit)
    return [
        Check(
            f"No {one} is missing, none is counted twice"
            if not left_out_of(manifest)
            else f"Each {one} is owned once, by a block that counted it or left out its object",
            f"Each block states which {job.unit} it owned. In order of the blocks, each begins where the one "
            f"before it ended; the first begins at 0, the last ends at {manifest.units}.",
            f"{len(spans)} {plural(len(spans), 'span')}{nothing}; {breaks} "
            f"{plural(breaks, 'gap')} or {plural(breaks, 'overlap')}; the last ends at {reached}",
            breaks == 0 and reached == manifest.units,
        ),
        Check(
            "The sizes add up",
            f"The end of each span minus its start, summed, is the size of the input in {job.unit}.",
            f"{owned} of {manifest.units} {job.unit}",
            owned == manifest.units,
        ),
    ]


def _left_out(job: Job, manifest: Manifest) -> list[Check]:
    """The check of objects that were left out; empty if there are none."""
    spans, source = left_out_of(manifest), manifest.source
    if not spans:
        return []
    try:
        check_left_out(manifest)
        holds = True
    except ConservationBroken:
        holds = False
    out_bytes = sum(span.end - span.start for span in spans)
    return [
        Check(
            "What was left out was left out as a whole",
            "The run was asked to skip bad objects. Each block states which it left out: every block that "
            "owns a byte of such an object did. The other checks are about the rest.",
            f"covers {source.objects - len(spans)} of {source.objects} objects and "
            f"{source.bytes - out_bytes} of {source.bytes} {job.unit}",
            holds,
        )
    ]


def _reduced(job: Job, manifest: Manifest, parts: Sequence[PartCheck]) -> list[Check]:
    blocks = len(manifest.blocks)
    mapped, reduced = sum(part.mapped for part in parts), sum(part.reduced for part in parts)
    return [
        Check(
            "Every reducer read every block",
            f"Each reducer counts the blocks whose line it read. {_reducers(job, manifest)}",
            _reads(job, manifest, parts),
            len(parts) == len(job.parts) and all(part.blobs_read == blocks for part in parts),
        ),
        Check(
            "What was counted is what arrived",
            "What the blocks observed, summed before anything was stored, equals what the reducers summed "
            f"from what they read: for each {job.part}, in the table below, and in total.",
            f"{mapped} mapped, {reduced} reduced",
            len(parts) == len(job.parts) and all(part.mapped == part.reduced for part in parts),
        ),
    ]


def _reducers(job: Job, manifest: Manifest) -> str:
    shards = shards_of_all_parts(manifest)
    if shards is None:
        return f"There is one reducer for each {job.part}."
    if shards.count == 1:
        return f"There is one reducer, for every {job.part}."
    return f"Each reducer has some of the keys, for every {job.part}."


def _reads(job: Job, manifest: Manifest, parts: Sequence[PartCheck]) -> str:
    blocks, shards = len(manifest.blocks), shards_of_all_parts(manifest)
    if shards is None:
        reads, reducers = sum(part.blobs_read for part in parts), len(job.parts)
    else:
        reducers = shards.count
        reads = reducers * min((part.blobs_read for part in parts), default=0)
    return f"{reads} of {reducers} × {blocks} = {reducers * blocks} lines"


def _lines(job: Job, manifest: Manifest, parts: Sequence[PartReport]) -> list[Check]:
    """Empty for a run from before there were digests."""
    written = lines_by_part(job, manifest)
    if not any(written.values()):
        return []
    same = sum(part.lines_read == written[part.part] != "" for part in parts)
    shards = shards_of_all_parts(manifest)
    lines = len(manifest.blocks) * (shards.count if shards else 1)
    return [
        Check(
            "Every line read is the line that was written",
            "Each block states a SHA-256 digest of each line that it wrote, and a reducer refuses any other "
            f"line. The digests of the lines read for each {job.part}, summed, are those written.",
            f"{same} of {len(job.parts)} sums are the same, of {lines} lines each",
            same == len(job.parts),
        )
    ]
