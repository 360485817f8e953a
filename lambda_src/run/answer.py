"""How a worker answers: its report, or a failure as data, and what it took."""

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
    """The plain report of ``work()``, or the ``Failure`` of what it raised, with what it took until then: its
    own usage, and the ``calls`` that it made. Either leaves one line of log."""
    started_at = time.monotonic()
    try:
        report = work()
        log("done", report=type(report).__name__, seconds=round(time.monotonic() - started_at, 3))
    except FanfoldError as error:
        log("failed", error=type(error).__name__, message=str(error))
        report = failure(error)
    taken: dict[str, Any] = {"usage": to_plain(meter.usage())}
    if calls:
        taken["calls"] = [to_plain(call) for call in calls]
    return {**to_plain(report), **taken}
