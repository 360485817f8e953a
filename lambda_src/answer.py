"""How a worker answers: its report, or a failure as data."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from lambda_src.errors import FanfoldError
from lambda_src.log import log
from lambda_src.messages import failure, to_plain


def answer(work: Callable[[], Struct]) -> Mapping[str, Any]:
    """The plain report of ``work()``, or the ``Failure`` of what it raised, which is logged."""
    try:
        return to_plain(work())
    except FanfoldError as error:
        log("failed", error=type(error).__name__, message=str(error))
        return to_plain(failure(error))
