"""What an event says about a run that has ended."""

from typing import Any

from lambda_src.wire.record import RunRecord, total_dollars

SOURCE = "fanfold"
DETAIL_TYPE = "Run Ended"

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


def detail_of(record: RunRecord, stack: str) -> dict[str, Any]:
    """The detail of the event for the run of ``record`` in ``stack``. Its ``dollars`` include earlier
    attempts; ``seconds`` is the time from its beginning to its end."""
    return {
        "run_id": record.run_id,
        "status": record.status,
        "stack": stack,
        "job": record.job,
        "input": record.name(),
        "seconds": round(record.finished_at - record.started_at, 3),
        "dollars": total_dollars(record),
        **({"error_code": record.error_code, "error": record.error} if record.error else {}),
    }
