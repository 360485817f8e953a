"""The answer of a worker: its report, or its failure as data, and what it used."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from lambda_src.errors import FanfoldError
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Call
from lambda_src.telemetry.log import log
from lambda_src.wire.codec import failure, to_plain


def answer(work: Callable[[], Struct], calls: Sequence[Call] = ()) -> Mapping[str, Any]:
    """The report of ``work()``, or a ``Failure`` for what it raised, with the usage of this invocation and
    the ``calls`` it made. Writes one line of log."""
    started_at = time.monotonic()
    try:
        report = work()
        log("done", report=type(report).__name__, seconds=round(time.monotonic() - started_at, 3))
    except FanfoldError as error:
        log("failed", error=type(error).__name__, message=str(error))
        report = failure(error)
    used: dict[str, Any] = {"usage": to_plain(meter.usage())}
    if calls:
        used["calls"] = [to_plain(call) for call in calls]
    return {**to_plain(report), **used}
