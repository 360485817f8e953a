"""What one function asks of another."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lambda_src.fields import (
    DEFAULT_MAX_CONCURRENCY,
    BlockBytes,
    Concurrency,
    Count,
    Dollars,
    OnBadObject,
    Part,
    Positive,
    Prefix,
    RunId,
    Text,
)
from lambda_src.input.addresses import Listing, Portion
from lambda_src.job import Span
from lambda_src.wire.record import RunRecord, RunWarning
from lambda_src.wire.source import Source


class ParseFileRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a person asks for: the deployed job's answer for the object ``key``, or for all objects whose keys
    begin with ``prefix``.

    With an ``etag`` it means exactly that version of the object, as S3 names it (in double quotes). With the
    ``run_id`` of a run that did not finish, that run is resumed; ``block_bytes`` is then the run's own, else
    by default the job's, or what fits the input and ``max_concurrency``; of a job whose units are not bytes,
    it counts those. Under a prefix, names that ``object_names`` calls stray are skipped, unless
    ``include_hidden`` says to read them too; by default the run's own choice, else not. Bad objects under a
    prefix make the run fail, or are left out: ``on_bad_object``, by default the run's own choice, else
    ``fail``. A run that ``must_be_new`` is refused if its run id has a record: an asynchronous event may come
    twice, and late. A run that has cost more than ``max_dollars`` is cancelled; without it, a run that is
    resumed keeps its own limit.
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


class HandOverRequest(ParseFileRequest, frozen=True, kw_only=True):
    """What ``parse_file`` sends to itself when its time runs out: go on with the run that ``handed_over_by``,
    an owner, has released."""

    handed_over_by: Text


class Pinned(NamedTuple):
    """The input as it is when a run begins or goes on, and what a person should know of it. ``left_out``
    has the addresses of objects that are known to be bad, and why."""

    source: Source
    listing: Listing
    warnings: Sequence["RunWarning"] = ()
    left_out: Mapping[int, str] = {}


class ParseBlockRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Map block ``block``, nominally units ``[start, end)``, of ``source``; ``portion`` says in which objects
    they are. A function whose job has other ``rules`` refuses this, as every request below.

    The objects at the addresses ``left_out`` are not read. Further bad objects are reported, not failed with,
    if they are to be skipped: ``skip_bad_objects``."""

    run_id: RunId
    source: Source
    block: Count
    start: Count
    end: Positive
    portion: Portion
    rules: str
    left_out: list[Span] = []
    skip_bad_objects: bool = False

    def without(self, left_out: list[Span]) -> "ParseBlockRequest":
        """The same block, without the objects in these spans."""
        return replace(self, left_out=left_out)


class GetAllOccurrencesRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Reduce every part of a run whose manifest is written, for the invocation ``owner``."""

    run_id: RunId
    owner: str
    max_concurrency: Concurrency
    rules: str


class GetOccurrencesRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Reduce one part, for the invocation ``owner``."""

    run_id: RunId
    owner: str
    part: Part
    rules: str


class WarmRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Be ready for the request to come: ``parse_file`` sends it while the first stage is at work."""

    warm: Literal[True] = True


class LogResultsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Log the results of the run of ``record``, which need not stand in the table yet, and has the rules."""

    record: RunRecord


def new_run_id() -> str:
    """A run id that sorts by time and does not repeat."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(4).hex()}"
