"""The answers of functions: a report, or a failure."""

from typing import Any, NamedTuple, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from lambda_src.fields import Count, Part, Positive, RunId
from lambda_src.job import Finding, Owned, Shards, Span
from lambda_src.telemetry.calls import Call, Usage
from lambda_src.wire.source import Source

S = TypeVar("S", bound=Struct)


class BadObject(NamedTuple):
    """The object at ``address`` cannot be read."""

    address: int
    reason: str


class Range(NamedTuple):
    """The bytes of a blob that one shard has, from ``start`` on. ``variant`` names the variant of the blob of
    ``block``, or is the key of a reusable blob. ``observed`` are the observations of the block in the
    shard."""

    block: Count
    start: Count
    size: Count
    digest: bytes
    variant: str
    observed: Count


class Piece(NamedTuple):
    """A piece that a block stores beside its lines."""

    size: Count
    digest: bytes


class Section(Struct, frozen=True, array_like=True):
    """Rows of one ``part`` in the complete sums of a run: in the object ``name``, from ``start`` on, in
    ``frames``. ``digest`` is that of the header. The rows have ``keys``, whose first counts add up to
    ``observed``."""

    part: Count
    name: str
    start: Count
    size: Count
    frames: Positive
    digest: bytes
    keys: Positive
    observed: Count


class BlockReport(Struct, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"):
    """The result of mapping one block: what it owned; the sizes of its blob's header and lines, one line per
    shard or one for all, and the digests of the lines, end to end; its observations per part; its findings.

    ``shard_observations`` are per line. Where each part is a shard, they are left out: see
    ``observed_in_line``.

    ``blob`` is the key of a blob that later runs may use. In the blob itself, and among what a family of runs
    knows, such a report has no key and no number of its block, and its addresses count from its group.
    ``pieces`` are what the block stores beside its lines, in order.

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
    shard_observations: list[Count] = []
    blob: str = ""
    pieces: list[Piece] = []

    def observed_in_line(self, line: int) -> int:
        """The observations in one line."""
        return (self.shard_observations or self.observations)[line]


class BlobHeader(Struct, frozen=True, forbid_unknown_fields=True):
    """The header of a blob: what was mapped, by which job, so that a resumed run can tell whether the blob is
    its own. ``rules`` are those of the job, ``shards`` and ``options`` those of the run; ``report_digest``
    is the digest of the report as JSON. Versions without shards, or with one stack per job, wrote other
    headers."""

    job: str
    etag: str
    start: Count
    end: Positive
    rules: str
    shards: Shards
    options: dict[str, Any]
    report_digest: bytes
    report: BlockReport


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The reports of all blocks, in block order: what the reducers must read, and the counts they must reach.
    The blocks cover ``units``. Manifests of versions that knew no shards have none: each part was one."""

    run_id: RunId
    source: Source
    units: Count
    blocks: list[BlockReport]
    shards: Shards | None = None


class PartReport(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"
):
    """The result of one part, and what was read and counted for it. ``lines_read`` is the sum of the digests
    of the lines that were read and verified; old runs have none. Where shards are by key, a part is made of
    all lines of all shards. ``complete`` says where its complete sums are, if the run keeps them."""

    part: Part
    blobs_read: Count
    observations: Count
    result: dict[str, Any]
    usage: Usage | None = None
    lines_read: str = ""
    complete: list[Section] = []


class ShardReport(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="shard", tag_field="outcome"
):
    """What one reducer made of a shard that has keys of several parts: ``data``, from which all parts are
    finished, compressed by zlib; ``observed`` is per part. ``lines_read`` is as in ``PartReport``, and so is
    ``complete``, for all parts."""

    shard: Count
    blobs_read: Count
    observed: list[Count]
    lines_read: str
    data: bytes = b""
    usage: Usage | None = None
    complete: list[Section] = []


class AllPartsReport(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="done", tag_field="outcome"
):
    """The reports of all parts, in the job's order, and the calls that it took. Where shards are by key, also
    the reports of all ``shards``, in order, without their data and their sections, which the parts have."""

    parts: list[PartReport]
    calls: list[Call] = []
    usage: Usage | None = None
    shards: list[ShardReport] = []


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


Reduced = PartReport | ShardReport
"""What ``get_occurrences`` answers."""

REDUCED = cast(Any, Reduced)
"""The same as a type to decode."""


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
