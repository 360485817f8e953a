"""Starts the functions of the second stage during the first: otherwise a cold run would wait for three cold
starts, one after the other.
"""

import threading
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from lambda_src.errors import FanfoldError, Throttled
from lambda_src.outcomes import Outcome
from lambda_src.telemetry.calls import Call, error_text
from lambda_src.waits import Waits
from lambda_src.wire.reports import Warmed

TASK = "warming"


class Warming:
    """Invokes ``functions`` only to start them. Each call has its own thread, nobody waits for it, and its
    failure does not fail the run."""

    def __init__(self, invoke: Callable[[str], Warmed], functions: Sequence[str]) -> None:
        self._invoke = invoke
        self._functions = functions
        self._calls: list[Call] = []
        self._waits = Waits()
        self._begun = False

    def begin_once(self, spare_concurrency: int) -> None:
        """Invoke all functions at the same time, unless that was done, as soon as there is
        ``spare_concurrency`` for all of them. An environment answers one call at a time, so a function that
        is listed n times gets n environments."""
        if self._begun or spare_concurrency < len(self._functions):
            return
        self._begun = True
        functions, began_at = self._functions, time.time()
        self._calls = [
            Call(function, TASK, 1, began_at, began_at, began_at, "given_up") for function in functions
        ]
        for number in range(len(functions)):
            threading.Thread(target=self._call, args=[number], daemon=True).start()

    def end(self) -> list[Call]:
        """The calls, for the ledger of the run; those that have not returned are given up."""
        calls, self._calls = self._calls, []
        self._waits.end()
        return [_ended(call, call.outcome) if call.outcome == "given_up" else call for call in calls]

    def _call(self, number: int) -> None:
        calls = self._calls
        self._waits.join()
        try:
            warmed = self._invoke(calls[number].function)
        except FanfoldError as error:
            outcome: Outcome = "throttled" if isinstance(error, Throttled) else "failed"
            call = replace(calls[number], error=error_text(error), request_id=error.request_id)
            calls[number] = _ended(call, outcome)
        else:
            usage = warmed.usage
            request_id = usage.request_id if usage else ""
            call = replace(
                calls[number], usage=usage and replace(usage, request_id=""), request_id=request_id
            )
            calls[number] = _ended(call, "done")


def _ended(call: Call, outcome: Outcome) -> Call:
    return replace(call, ended_at=time.time(), outcome=outcome)
