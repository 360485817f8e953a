"""The calls of a run, and what each used."""

from msgspec import Struct

from lambda_src.fields import Count, RunId
from lambda_src.outcomes import Outcome

FAILURES, FAILURE_BYTES, ERROR_BYTES = 1000, 250, 4000


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
    outcome: Outcome
    error: str = ""
    usage: Usage | None = None
    request_id: str = ""


class Trace(Struct, frozen=True, forbid_unknown_fields=True):
    """Every call of a run, those of ``parse_file`` itself included: ``runs/<run id>/trace.json``."""

    run_id: RunId
    calls: list[Call]


def error_text(error: BaseException) -> str:
    """An error in a trace."""
    return cut(f"{type(error).__name__}: {error}", FAILURE_BYTES)


def cut(text: str, size: int) -> str:
    """``text``, or as much of its beginning as has ``size`` bytes."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")
