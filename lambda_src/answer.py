"""How a worker answers: its report, or a failure as data."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from lambda_src.errors import FanfoldError
from lambda_src.log import log
from lambda_src.messages import failure, to_plain


def answer(work: Callable[[], Struct]) -> Mapping[str, Any]:
    """The plain report of ``work()``, or the ``Failure`` of what it raised. Either leaves one line of log."""
    started_at = time.monotonic()
    try:
        report = work()
        log("done", report=type(report).__name__, seconds=round(time.monotonic() - started_at, 3))
        return to_plain(report)
    except FanfoldError as error:
        log("failed", error=type(error).__name__, message=str(error))
        return to_plain(failure(error))
