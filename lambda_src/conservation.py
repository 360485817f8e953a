"""The checks that make a run exact or failed: each byte owned once, each word summed once."""

from lambda_src.blocks import Span, check_chain
from lambda_src.errors import ConservationBroken
from lambda_src.messages import LengthReport, Manifest


def check_parsed(manifest: Manifest) -> None:
    """Raise ConservationBroken unless the blocks of ``manifest`` owned each byte of the source once."""
    check_chain((Span(block.start, block.end) for block in manifest.blocks), manifest.source.bytes)


def check_reduced(report: LengthReport, manifest: Manifest) -> None:
    """Raise ConservationBroken unless a reducer read every blob and summed every word that was counted."""
    if report.blobs_read != len(manifest.blocks):
        raise ConservationBroken(
            f"The reducer of length {report.length} read {report.blobs_read} of {len(manifest.blocks)} blobs."
        )
    counted = sum(block.words[report.length - 1] for block in manifest.blocks)
    if report.words != counted:
        raise ConservationBroken(
            f"The blocks counted {counted} words of length {report.length}, their reducer {report.words}."
        )
