"""Starting the second stage's functions while the first is at work: a run that finds nothing warm would wait
for three starts, one after the other.
"""

import threading
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from lambda_src.errors import FanfoldError, Throttled
from lambda_src.telemetry.calls import Call, CallOutcome, error_text
from lambda_src.waits import Waits
from lambda_src.wire.reports import Warmed

TASK = "warming"


class Warming:
    """Invokes functions only to have them started: each call in a thread of its own, for which nobody waits,
    and whose failure is no failure of the run."""

    def __init__(self, invoke: Callable[[str], Warmed]) -> None:
        self._invoke = invoke
        self._calls: list[Call] = []
        self._waits = Waits()

    def begin(self, functions: Sequence[str]) -> None:
        """Invoke each of ``functions`` once, all at the same time: one environment answers one call, so a
        function that is named n times has n."""
        began_at = time.time()
        self._calls = [
            Call(function, TASK, 1, began_at, began_at, began_at, "given_up") for function in functions
        ]
        for number in range(len(functions)):
            threading.Thread(target=self._call, args=[number], daemon=True).start()

    def end(self) -> list[Call]:
        """The calls, for the books of the run, once; one that has not come back is given up."""
        calls, self._calls = self._calls, []
        self._waits.end()
        return [_ended(call, call.outcome) if call.outcome == "given_up" else call for call in calls]

    def _call(self, number: int) -> None:
        calls = self._calls
        self._waits.join()
        try:
            warmed = self._invoke(calls[number].function)
        except FanfoldError as error:
            outcome: CallOutcome = "throttled" if isinstance(error, Throttled) else "failed"
            call = replace(calls[number], error=error_text(error), request_id=error.request_id)
            calls[number] = _ended(call, outcome)
        else:
            usage = warmed.usage
            request_id = usage.request_id if usage else ""
            call = replace(
                calls[number], usage=usage and replace(usage, request_id=""), request_id=request_id
            )
            calls[number] = _ended(call, "done")


def _ended(call: Call, outcome: CallOutcome) -> Call:
    return replace(call, ended_at=time.time(), outcome=outcome)
