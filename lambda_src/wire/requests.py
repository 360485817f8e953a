"""The requests that functions get."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lambda_src.fields import (
    DEFAULT_MAX_CONCURRENCY,
    BlockBytes,
    Concurrency,
    Count,
    Dollars,
    Keep,
    OnBadObject,
    Part,
    Positive,
    Prefix,
    ReuseDays,
    RunId,
    ShardCount,
    Text,
)
from lambda_src.input.addresses import Listing, Portion
from lambda_src.job import Context, Job, ShardBy, Shards, Span
from lambda_src.wire.record import RunRecord, RunWarning
from lambda_src.wire.reports import BlockReport, Range
from lambda_src.wire.source import Source


class ParseFileRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The event of ``parse_file``: run ``job`` on the object ``key``, or on all objects whose keys begin with
    ``prefix``.

    - ``job``: one of those that are deployed. Default: the first of them.
    - ``etag``: exactly this version of the object, as S3 names it (in double quotes).
    - ``run_id``: if this run did not finish, resume it. It keeps its own choice of the fields left out here.
    - ``block_bytes``: the size of a block, in the job's units. Default: the job's choice, or what fits the
      input and ``max_concurrency``.
    - ``include_hidden``: also read objects under the prefix whose names look stray. Default: false.
    - ``on_bad_object``: what bad objects under the prefix do: ``fail`` the run (default), or ``skip``.
    - ``must_be_new``: refuse a run id that has a record: Lambda may deliver an event late or twice.
    - ``max_dollars``: cancel the run once it has cost this many dollars.
    - ``shards``, ``shard_by``: how many reducers share what the blocks counted, and whether each gets a
      ``part`` or some of the keys (``key``). Default: the job's choice.
    - ``options``: the job's own options.
    - ``reuse_days``: use what runs of the last days have mapped of the objects under the prefix, and keep
      what this run maps for as long.
    - ``keep``: ``all`` also stores all sums, under ``results/`` and the run id. Default: only the answer.
    """

    key: Text | None = None
    prefix: Prefix | None = None
    bucket: Text | None = None
    etag: Text | None = None
    run_id: RunId | None = None
    block_bytes: BlockBytes | None = None
    max_concurrency: Concurrency = DEFAULT_MAX_CONCURRENCY
    include_hidden: bool | None = None
    on_bad_object: OnBadObject | None = None
    must_be_new: bool = False
    max_dollars: Dollars | None = None
    shards: ShardCount | None = None
    shard_by: ShardBy | None = None
    options: dict[str, Any] | None = None
    reuse_days: ReuseDays | None = None
    keep: Keep | None = None
    job: Text | None = None


class HandOverRequest(ParseFileRequest, frozen=True, kw_only=True):
    """Sent by ``parse_file`` to itself when its time runs out: continue the run that the owner
    ``handed_over_by`` released."""

    handed_over_by: Text


class Pinned(NamedTuple):
    """The input when a run begins or is resumed, with warnings. ``left_out`` has the addresses of objects
    that are known to be bad, and why."""

    source: Source
    listing: Listing
    warnings: Sequence["RunWarning"] = ()
    left_out: Mapping[int, str] = {}


class RunContext(Struct, frozen=True, forbid_unknown_fields=True):
    """The job of a run, and what it may use besides its data: ``job.Context`` in a request."""

    job: str
    shards: Shards
    options: dict[str, Any]
    facts: dict[str, Any]

    def of(self, job: Job) -> Context:
        """The context as ``job`` gets it. Raises InvalidRequest."""
        return Context(self.shards, job.read_options(self.options), self.facts)


def context_of(record: RunRecord) -> RunContext:
    """The context of the run of ``record``, whose shards are chosen."""
    shards = Shards(record.shard_by or "key", record.shards, record.reuse_secret or record.run_id)
    return RunContext(record.job, shards, record.options, record.facts)


class Reusable(Struct, frozen=True, forbid_unknown_fields=True):
    """A block whose blob runs of the next ``days`` may use. ``identity`` says what it is made from, by which
    ``code``; ``group`` has the addresses of its group, which is of that many ``objects``."""

    days: ReuseDays
    identity: str
    code: str
    group: Span
    objects: Count


class ParseBlockRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Map block ``block``, nominally units ``[start, end)``, of ``source``; ``portion`` has their objects. A
    function whose job has other ``rules`` refuses this and every request below.

    Later runs may use the blob of a ``reusable`` block. The objects at the addresses ``left_out`` are not
    read. With ``skip_bad_objects``, further bad objects are
    reported instead of failing the block."""

    run_id: RunId
    source: Source
    block: Count
    start: Count
    end: Positive
    portion: Portion
    rules: str
    context: RunContext
    left_out: list[Span] = []
    skip_bad_objects: bool = False
    reusable: Reusable | None = None

    def without(self, left_out: list[Span]) -> "ParseBlockRequest":
        """The same block, without the objects in these spans."""
        return replace(self, left_out=left_out)


class GetAllOccurrencesRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Reduce every shard of a run for the invocation ``owner``. The blocks' reports are in the manifest,
    unless ``blocks`` has them. ``keep`` is that of the run."""

    run_id: RunId
    owner: str
    max_concurrency: Concurrency
    rules: str
    context: RunContext
    blocks: list[BlockReport] | None = None
    keep: Keep | None = None


class GetOccurrencesRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Reduce one shard, for the invocation ``owner``. Where it holds a single ``part``, that is named. The
    ranges of the blobs that it reads are in the manifest, unless ``ranges`` has them. ``keep`` is that of the
    run."""

    run_id: RunId
    owner: str
    shard: Count
    rules: str
    context: RunContext
    part: Part | None = None
    ranges: list[Range] | None = None
    keep: Keep | None = None


class WarmRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Get ready for a request of a run of ``job``: ``parse_file`` sends it during the first stage."""

    job: str
    warm: Literal[True] = True


class LogResultsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Log the results of the run of ``record``, which may be newer than the stored one."""

    record: RunRecord


def new_run_id() -> str:
    """A unique run id that sorts by time."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(4).hex()}"
