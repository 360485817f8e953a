"""The payloads between Lambdas, and the records they leave.

A worker returns its own report or a ``Failure``: what a caller has to act on is part of the answer, so that
a raised exception always means a crash.
"""

import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from lambda_src.addresses import Listing, Placed, Portion
from lambda_src.errors import (
    CodeChanged,
    FanfoldError,
    InvalidRequest,
    RunCancelled,
    Throttled,
    by_name,
    one_line,
)
from lambda_src.job import Finding, Job, Owned, Span

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

DEFAULT_MAX_CONCURRENCY = 250
MAX_CONCURRENCY = 500
"""Each call is a thread and a connection, and a Lambda has 1,024 of threads and of open files."""

LARGEST_OBJECT_BYTES = 50 * 10**12
"""What S3 stores at most in one object."""

FAILURES, FAILURE_BYTES, ERROR_BYTES = 1000, 250, 4000
WARNINGS, WARNING_BYTES = 50, 1000
LEFT_OUT, REASON_BYTES = 30, 2000
"""As many fit into a run record: an item of DynamoDB holds 400 KB."""

Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Prefix = Annotated[str, Meta(max_length=1024)]
RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
RUN_ID_RULE = "1 to 64 letters, digits, '.', '_' and '-' that begin with a letter or a digit"
RunId = Annotated[str, Meta(pattern=RUN_ID)]
Positive = Annotated[int, Meta(ge=1)]
Concurrency = Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)]
BlockBytes = Annotated[int, Meta(ge=1, le=LARGEST_OBJECT_BYTES)]
Dollars = Annotated[float, Meta(gt=0, le=1e9)]
Count = Annotated[int, Meta(ge=0)]
OnBadObject = Literal["fail", "skip"]
Time = Annotated[float, Meta(ge=0, lt=1e11)]
"""Seconds since the epoch, up to the year 5138: a calendar ends somewhere."""

Part = Annotated[str, Meta(min_length=1, max_length=64)]


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


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """The input, pinned: the object ``key``, or all objects under ``prefix``. ``etag`` names exactly this
    version of it: the object's own ETag, or a digest of the listing. ``version_id`` is for the record."""

    bucket: Text
    key: Text | None
    etag: Text
    bytes: Count
    prefix: Prefix | None = None
    objects: Count = 1
    version_id: str | None = None

    def name(self) -> str:
        """The input for a person."""
        return name_of(self.bucket, self.key, self.prefix)


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


class Usage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one invocation took, as it says itself; times are in milliseconds.

    ``init_ms`` runs from the start of its process to its handler, and is 0 where the process was warm.
    ``handler_ms`` is the handler's time, of which the main thread waited ``fetch_ms`` for input and
    ``store_ms`` for what it stored; the rest is computing. ``requests`` are those that it sent, and the
    capacity units that DynamoDB charged for, by the names of ``prices.ITEMS``. ``request_id`` is Lambda's.
    """

    memory_mb: Count
    init_ms: float
    handler_ms: float
    fetch_ms: float
    store_ms: float
    requests: dict[str, float]
    request_id: str = ""


CallOutcome = Literal["done", "late", "throttled", "failed", "given_up"]


CALL_COUNTS = {"done": "done", "failed": "tried_again", "throttled": "throttled", "late": "copies"}
"""What becomes of calls, and the name by which ``RunRecord.calls`` counts them."""


class Call(Struct, frozen=True, array_like=True):
    """One call of a Lambda, as its caller saw it; times are seconds since the epoch.

    ``task`` names it for a person, such as ``block 7`` or ``length 3``; ``attempt`` counts from 1. It could
    have started at ``queued_at``. ``done``: its answer counted; ``late``: another copy's did; ``failed``: see
    ``error`` (a task may be tried again); ``given_up``: its caller ended first. Of a call without an answer
    there is no ``usage``. ``request_id`` is Lambda's, by which its logs are found; it is empty where no
    answer came, and in old traces.
    """

    function: str
    task: str
    attempt: int
    queued_at: float
    started_at: float
    ended_at: float
    outcome: CallOutcome
    error: str = ""
    usage: Usage | None = None
    request_id: str = ""


class Trace(Struct, frozen=True, forbid_unknown_fields=True):
    """Every call of a run, those of ``parse_file`` itself included: ``runs/<run id>/trace.json``."""

    run_id: RunId
    calls: list[Call]


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


class WarmRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Be ready for the request to come: ``parse_file`` sends it while the first stage is at work."""

    warm: Literal[True] = True


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


Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
Stage = Literal["parse", "reduce", "log", "done"]


class RunWarning(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that a person should know before relying on an answer.

    ``code`` is for programs, such as ``invalid_utf8``; ``message`` is one sentence for a person. ``key`` and
    ``offset`` name the first object and byte concerned, ``count`` says how many bytes, lines or objects are.
    """

    code: str
    message: str
    key: str | None = None
    offset: Count | None = None
    count: Count | None = None


class LeftOut(Struct, frozen=True, forbid_unknown_fields=True):
    """An object that a run has left out, and why."""

    key: str
    reason: str


class RunRecord(Struct, kw_only=True):
    """The run as the results table shows it. Times are seconds since the epoch, ``seconds`` is per stage.

    ``owner`` is the one invocation of ``parse_file`` that works on it, as long as its lease lasts. Once it
    has ``released`` the run, nobody does until the invocation that it named itself to has taken over.
    The blocks done own ``units_done``; ``blocks_kept`` of them were found done when that invocation began.
    ``rules`` are those of the job, by which the whole answer is made. ``facts`` are what the job found out
    about its input, ``extras`` what its blocks counted besides their observations.

    ``calls`` counts the Lambdas that are ``running``, how many may (``at_most``), the tasks that are ``slow``
    (``map_reduce.Observer``), and what became of the other calls so far: ``done``, ``tried_again``,
    ``throttled``, ``copies``. ``used`` is what is paid for so far,
    and ``dollars`` the price of it, by the names of ``prices.ITEMS``, at the prices that ``prices`` names;
    ``dollars_estimated`` is the part of their sum that nobody could measure. A run that has cost more than
    ``max_dollars`` is cancelled.
    """

    run_id: str
    owner: str = ""
    lease_until: Time = 0.0
    released: bool = False
    cancel_requested: bool = False
    status: Status = "RUNNING"
    stage: Stage = "parse"
    bucket: str = ""
    key: str | None = None
    prefix: str | None = None
    etag: str = ""
    version_id: str = ""
    bytes: Count = 0
    objects: Count = 0
    include_hidden: bool = False
    on_bad_object: OnBadObject = "fail"
    left_out: list[LeftOut] = []
    objects_left_out: Count = 0
    bytes_left_out: Count = 0
    block_bytes: Count = 0
    block_bytes_because: str = ""
    blocks: Count = 0
    blocks_done: Count = 0
    blocks_kept: Count = 0
    units_done: Count = 0
    max_concurrency: Count = 0
    units: Count = 0
    rules: str = ""
    facts: dict[str, Any] = {}
    extras: dict[str, int] = {}
    error: str = ""
    failures: list[str] = []
    warnings: list[RunWarning] = []
    started_at: Time
    finished_at: Time = 0.0
    seconds: dict[str, float] = {}
    calls: dict[str, int] = {}
    used: dict[str, float] = {}
    dollars: dict[str, float] = {}
    dollars_estimated: float = 0.0
    prices: str = ""
    max_dollars: float | None = None

    def name(self) -> str:
        """The input for a person."""
        return name_of(self.bucket, self.key, self.prefix)

    def warn(self, warning: RunWarning) -> None:
        """Add ``warning`` once. A run keeps ``WARNINGS`` of them; the last one then counts the rest."""
        warning = replace(warning, message=cut(warning.message, WARNING_BYTES))
        if warning in self.warnings:
            return
        kept = self.warnings[: WARNINGS - 1]
        if len(self.warnings) >= WARNINGS - 1:
            more = 1 + sum(last.count or 0 for last in self.warnings[WARNINGS - 1 :])
            warning = RunWarning("more_warnings", f"There are {more:,} more warnings.", count=more)
        self.warnings = [*kept, warning]

    def leave_out(self, objects: Sequence[tuple[Placed, str]]) -> None:
        """Note that the answer is without ``objects``, each with the reason; the first ``LEFT_OUT`` by
        name."""
        self.objects_left_out = len(objects)
        self.bytes_left_out = sum(one.bytes for one, _ in objects)
        self.left_out = [LeftOut(one.key, cut(why, REASON_BYTES)) for one, why in objects[:LEFT_OUT]]

    def covers(self) -> str:
        """What of the input the answer is about, for a sentence."""
        read = self.objects - self.objects_left_out
        return (
            f"{read:,} of {self.objects:,} objects and {self.bytes - self.bytes_left_out:,} of "
            f"{self.bytes:,} bytes"
        )

    def fail(self, error: Exception) -> None:
        """Note that ``error`` ended the run, now: as CANCELLED if a person cancelled it, else as FAILED."""
        self.status = "CANCELLED" if isinstance(error, RunCancelled) else "FAILED"
        self.released = False
        self.error = cut(f"{type(error).__name__}: {error}", ERROR_BYTES)
        self.failures = [cut(text, FAILURE_BYTES) for text in getattr(error, "failures", ())[:FAILURES]]
        self.finished_at = time.time()


class LogResultsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Log the results of the run of ``record``, which need not stand in the table yet, and has the rules."""

    record: RunRecord


def name_of(bucket: str, key: str | None, prefix: str | None) -> str:
    """An input for a person.

    >>> name_of("b", "k", None), name_of("b", None, "logs/")
    ('s3://b/k', 's3://b/logs/*')
    """
    return one_line(f"s3://{bucket}/{prefix}*" if key is None else f"s3://{bucket}/{key}")


def error_text(error: BaseException) -> str:
    """An error in a trace."""
    return cut(f"{type(error).__name__}: {error}", FAILURE_BYTES)


def cut(text: str, size: int) -> str:
    """``text``, or as much of its beginning as has ``size`` bytes."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")


def new_run_id() -> str:
    """A run id that sorts by time and does not repeat."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(4).hex()}"


ENGINE_FIELDS = frozenset(
    {"run_id", "status", "block_bytes", "block_bytes_because", "blocks", "warnings", "seconds", "dollars"}
    | {"objects_left_out", "bytes_left_out", "left_out"}
)
"""Of an answer: no job may have a field of that name."""


def summarize(job: Job, record: RunRecord, parts: Sequence[PartReport]) -> dict[str, Any]:
    """The answer of a run, from what the results table holds of it: of one that has not finished without the
    job's own fields."""
    own = (
        job.summarize(record.facts, record.extras, {report.part: report.result for report in parts})
        if parts
        else {}
    )
    return {
        "run_id": record.run_id,
        "status": record.status,
        "bytes": record.bytes,
        "block_bytes": record.block_bytes,
        "block_bytes_because": record.block_bytes_because,
        "blocks": record.blocks,
        **own,
        **what_is_left_out(record),
        "warnings": plain_warnings(record.warnings),
        "seconds": record.seconds,
        "dollars": total_dollars(record),
    }


def what_is_left_out(record: RunRecord) -> dict[str, Any]:
    """What an answer, and a log, say of it: nothing where nothing may be left out."""
    if record.on_bad_object == "fail":
        return {}
    return {
        "objects_left_out": record.objects_left_out,
        "bytes_left_out": record.bytes_left_out,
        "left_out": [asdict(one) for one in record.left_out],
    }


def plain_warnings(warnings: Iterable[RunWarning]) -> list[dict[str, Any]]:
    """Warnings as answers and logs hold them: every field, those without a value as None."""
    return [asdict(warning) for warning in warnings]


def total_dollars(record: RunRecord) -> float:
    """What a run cost so far, to three digits.

    >>> total_dollars(RunRecord(run_id="r", started_at=0.0, dollars={"gb_s": 0.0041288, "s3_puts": 2e-5}))
    0.00415
    """
    return float(f"{math.fsum(record.dollars.values()):.3g}")


def bare(report: BlockReport) -> BlockReport:
    """What the manifest holds of a block's report: nothing that the reducers do not need."""
    return replace(report, usage=None, findings={})


def without_usage(report: S) -> S:
    """The report as it is stored."""
    return replace(report, usage=None)


def is_warm_request(event: object) -> bool:
    """Whether the event is a ``WarmRequest``."""
    return event == to_plain(WarmRequest())


NOT_VALID = "The request is not valid: "


def decode_request(event: object, kind: type[S]) -> S:
    """The request of another function as a message. Raises CodeChanged: the functions of one version do not
    send each other anything else."""
    try:
        return decode_event(event, kind)
    except InvalidRequest as error:
        raise _code_changed(str(error)) from None


def _code_changed(text: str) -> CodeChanged:
    return CodeChanged(
        f"A function does not know a request of another one, so their versions differ: {text} If the stack "
        "was deployed while the run was going on, resume the run once the deployment has ended."
    )


def decode_event(event: object, kind: type[S]) -> S:
    """The event as a message. Raises InvalidRequest, naming the field."""
    try:
        msgspec.json.encode(event)  # refuses what is no Unicode text, such as half a surrogate pair
        return msgspec.convert(event, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        fields = ", ".join(field.name for field in msgspec.structs.fields(kind))
        text = str(error).replace(f"`str` matching regex {RUN_ID!r}", RUN_ID_RULE)
        what = cut(text, FAILURE_BYTES)  # it names the field, which is as long as the sender likes
        raise InvalidRequest(f"{NOT_VALID}{what}. Its fields are: {fields}.") from None


def decode_answer(payload: bytes, kind: type[T]) -> T:
    """A worker's answer. Raises the failure that it reports, with what it took."""
    answer: T | Failure = msgspec.json.decode(payload, type=kind | Failure)
    if not isinstance(answer, Failure):
        return answer
    error = by_name(answer.error, answer.message)
    if isinstance(error, InvalidRequest) and answer.message.startswith(NOT_VALID):
        error = _code_changed(answer.message)  # a version that does not know CodeChanged
    if isinstance(error, Throttled):
        error.retry_after_s = answer.retry_after_s
    error.usage, error.calls = answer.usage, answer.calls
    raise error


def failure(error: FanfoldError) -> Failure:
    """``error`` as a payload."""
    return Failure(type(error).__name__, str(error), getattr(error, "retry_after_s", 0.0))


def encode(message: Struct) -> bytes:
    """``message`` as JSON."""
    return msgspec.json.encode(message)


def to_plain(message: Struct) -> Mapping[str, Any]:
    """``message`` as the plain dict that a Lambda handler returns."""
    plain: Mapping[str, Any] = msgspec.to_builtins(message)
    return plain
