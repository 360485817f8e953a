"""The answers of functions: a report, or a failure."""

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
    """The result of mapping one block: what it owned; the sizes of its blob's header and lines, and the
    digests of the lines, end to end; its observations per part; its findings.

    ``usage`` is for the caller. It is not stored, so that a block that is mapped again has the same blob. The
    block did not read the objects at the addresses ``left_out``. A block that found ``bad_objects`` has no
    blob: it must be mapped again, without them."""

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
    ``rules`` are those of the job, ``report_digest`` is the digest of the report as JSON."""

    etag: str
    start: Count
    end: Positive
    rules: str
    report_digest: bytes
    report: BlockReport


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The reports of all blocks, in block order: what the reducers must read, and the counts they must reach.
    The blocks cover ``units``."""

    run_id: RunId
    source: Source
    units: Count
    blocks: list[BlockReport]


class PartReport(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"
):
    """What one reducer read, counted and found. ``lines_read`` is the sum of the digests of the lines it read
    and verified; old runs have none."""

    part: Part
    blobs_read: Count
    observations: Count
    result: dict[str, Any]
    usage: Usage | None = None
    lines_read: str = ""


class AllPartsReport(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"
):
    """The reports of all reducers, in the job's order of parts, and the calls that it took."""

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
    """An expected failure of a function: ``error`` is the name of a class of ``errors``. ``usage`` and
    ``calls`` say what the invocation used and called until then."""

    error: str
    message: str
    retry_after_s: float = 0.0
    calls: list[Call] = []
    usage: Usage | None = None


def bare(report: BlockReport) -> BlockReport:
    """A block's report for the manifest, without what reducers do not need."""
    return replace(report, usage=None, findings={})


def without_usage(report: S) -> S:
    """A report for storing."""
    return replace(report, usage=None)
