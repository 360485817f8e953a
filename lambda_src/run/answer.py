"""The answer of a worker: its report, or its failure as data, and what it used."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from lambda_src.errors import FanfoldError
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Call
from lambda_src.telemetry.log import log
from lambda_src.wire.codec import failure, to_plain

JOBS = Path(__file__).parents[1] / "jobs"


class JobCrashed(Exception):
    """The code of a job has raised something that is none of the engine's errors. The text names it, and the
    line of the job's code."""


def answer(work: Callable[[], Struct], calls: Sequence[Call] = ()) -> Mapping[str, Any]:
    """The report of ``work()``, or a ``Failure`` for what it raised, with the usage of this invocation and
    the ``calls`` it made. Writes one line of log. Raises JobCrashed."""
    started_at = time.monotonic()
    try:
        report = work()
        log("done", report=type(report).__name__, seconds=round(time.monotonic() - started_at, 3))
    except FanfoldError as error:
        log("failed", error=type(error).__name__, message=str(error))
        report = failure(error)
    except MemoryError:
        raise
    except Exception as error:
        if line := _line_of_job(error):
            raise JobCrashed(f"{type(error).__name__}: {error} ({line})") from error
        raise
    used: dict[str, Any] = {"usage": to_plain(meter.usage())}
    if calls:
        used["calls"] = [to_plain(call) for call in calls]
    return {**to_plain(report), **used}


def _line_of_job(error: Exception) -> str:
    """The last line of a job's code that led to ``error``; nothing if none did."""
    found, at = "", error.__traceback__
    while at:
        path = Path(at.tb_frame.f_code.co_filename)
        if path.is_relative_to(JOBS):
            found = f"{path.relative_to(JOBS)}, line {at.tb_lineno}, in {at.tb_frame.f_code.co_name}"
        at = at.tb_next
    return found
