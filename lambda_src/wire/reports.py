"""What functions answer: a report, or a failure."""

from typing import Any, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from lambda_src.fields import Count, Part, Positive, RunId
from lambda_src.job import Finding, Owned, Span
from lambda_src.telemetry.calls import Call, Usage
from lambda_src.wire.source import Source

S = TypeVar("S", bound=Struct)


class BadObject(NamedTuple):
    """The object at ``address`` cannot be read."""

    address: int
    reason: str


class BlockReport(Struct, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"):
    """What became of one block: what it owned; of its blob, how many bytes the header and each line have, and
    the lines' digests, end to end; what it observed in each part; what a person should know of its text.

    The ``usage`` of a report is for its caller. It is not stored: a block that is mapped again has the same
    blob. What the block owns of the objects at the addresses ``left_out`` it has not read. A block that found
    ``bad_objects`` has no blob: it is to be mapped again, without them."""

    block: Count
    owned: Owned
    header_bytes: Count
    line_bytes: list[Count]
    observations: list[Count]
    extras: dict[str, Count]
    usage: Usage | None = None
    line_digests: bytes = b""
    findings: dict[str, Finding] = {}
    left_out: list[Span] = []
    bad_objects: list[BadObject] = []


class BlobHeader(Struct, frozen=True, forbid_unknown_fields=True):
    """The header of a blob: what was mapped, so that a resumed run can tell whether the blob is its own.
    ``rules`` names the job's rules that it was mapped by, ``report_digest`` is that of the report as JSON."""

    etag: str
    start: Count
    end: Positive
    rules: str
    report_digest: bytes
    report: BlockReport


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """Every block's report, in block order: what the reducers need to read and have to arrive at. The blocks
    cover ``units``."""

    run_id: RunId
    source: Source
    units: Count
    blocks: list[BlockReport]


class PartReport(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"
):
    """What one reducer read, arrived at, and found. ``lines_read`` is the sum of the digests of the lines it
    read, each of which was the one that its block wrote; older runs have none."""

    part: Part
    blobs_read: Count
    observations: Count
    result: dict[str, Any]
    usage: Usage | None = None
    lines_read: str = ""


class AllPartsReport(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"
):
    """The reports of all reducers, in the job's order of parts, and the calls that brought them."""

    parts: list[PartReport]
    calls: list[Call] = []
    usage: Usage | None = None


class Warmed(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"
):
    """The function is ready."""

    usage: Usage | None = None


class LogResultsReport(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"
):
    """How many parts were logged."""

    parts: Count
    usage: Usage | None = None


class Failure(Struct, frozen=True, forbid_unknown_fields=True, tag="failure", tag_field="outcome"):
    """A foreseen failure on its way between Lambdas: ``error`` is the name of a class of ``errors``. What it
    took all the same is in ``usage`` and in the ``calls`` that it made."""

    error: str
    message: str
    retry_after_s: float = 0.0
    calls: list[Call] = []
    usage: Usage | None = None


def bare(report: BlockReport) -> BlockReport:
    """What the manifest holds of a block's report: nothing that the reducers do not need."""
    return replace(report, usage=None, findings={})


def without_usage(report: S) -> S:
    """The report as it is stored."""
    return replace(report, usage=None)
