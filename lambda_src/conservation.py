"""The checks that make a run exact or failed: each unit owned once, each observation arrived at once."""

from lambda_src.errors import ConservationBroken
from lambda_src.job import Job
from lambda_src.messages import Manifest, PartReport
from lambda_src.ownership import check_chain


def check_mapped(job: Job, manifest: Manifest) -> None:
    """Raise ConservationBroken unless the blocks of ``manifest`` owned each unit of the input once."""
    check_chain((block.owned for block in manifest.blocks), manifest.units, job.unit)


def check_reduced(report: PartReport, job: Job, manifest: Manifest) -> None:
    """Raise ConservationBroken unless a reducer read every blob and arrived at what was observed."""
    part = f"{job.part} {report.part}"
    if report.blobs_read != len(manifest.blocks):
        raise ConservationBroken(
            f"The reducer of {part} read {report.blobs_read} of {len(manifest.blocks)} blobs."
        )
    number = job.parts.index(report.part)
    observed = sum(block.observations[number] for block in manifest.blocks)
    if report.observations != observed:
        raise ConservationBroken(
            f"The blocks observed {observed:,} in {part}, but its reducer counted {report.observations:,}."
        )
