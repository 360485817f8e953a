"""The calls of a run, and what each used."""

from msgspec import Struct

from lambda_src.fan_out.outcomes import Outcome
from lambda_src.fields import Count, RunId

FAILURES, FAILURE_BYTES, ERROR_BYTES = 1000, 250, 4000


class Usage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one invocation used, measured by itself; times are in milliseconds.

    ``init_ms`` is the time from the start of the process to the handler, and 0 in a warm process.
    ``handler_ms`` is the handler's time. It includes ``fetch_ms`` and ``store_ms``, in which the main thread
    waited for input and for output; the rest is computing. ``requests`` counts the requests it sent, and the
    capacity units that DynamoDB charged, by the names of ``prices.ITEMS``. ``request_id`` is Lambda's.
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

    ``task`` is a name for people, such as ``block 7`` or ``length 3``; ``attempt`` counts from 1. The call
    could have started at ``queued_at``. A call without an answer has no ``usage``. ``request_id`` is that of
    Lambda, for finding the logs; it is empty if no answer came, and in old traces.
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
    """The calls of a run, including ``parse_file`` itself: ``runs/<run id>/trace.json``. If the run has
    succeeded, its record has those that ended last (``RunRecord.last_calls``)."""

    run_id: RunId
    calls: list[Call]


def error_text(error: BaseException) -> str:
    """An error as text for a trace."""
    return cut(f"{type(error).__name__}: {error}", FAILURE_BYTES)


def cut(text: str, size: int) -> str:
    """``text``, cut to at most ``size`` bytes."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")
