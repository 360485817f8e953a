"""Starts the functions of the second stage during the first: otherwise a cold run would wait for three cold
starts, one after the other.
"""

import time
from collections import deque
from collections.abc import Sequence

from msgspec.structs import replace

from lambda_src.errors import Throttled
from lambda_src.fan_out.drivers import Call as Started
from lambda_src.fan_out.drivers import Calls, Finished, driver_of
from lambda_src.fan_out.outcomes import Outcome
from lambda_src.fields import Function
from lambda_src.telemetry.calls import Call, error_text
from lambda_src.wire.reports import Warmed

TASK = "warming"

PATIENCE_S = 1.0
"""A cold start takes about half as long. A call that comes before its end starts another environment."""


class Warming:
    """Calls ``functions`` only to start them. Failures of these calls do not fail the run."""

    def __init__(self, warm: Calls[Function, Warmed], functions: Sequence[Function]) -> None:
        self._driver = driver_of(warm)
        self._functions = functions
        self._to_start = deque(range(len(functions)))
        self._started: set[Started] = set()
        self._calls: list[Call] = []
        self._epoch_s = time.time() - self._driver.now()
        self._begun = self._has_ended = False

    def begin_once(self, spare_concurrency: int) -> None:
        """Call all functions, unless that was done, once there is ``spare_concurrency`` for all of them: at
        the same time, or as soon as the driver has room. An environment answers one call at a time, so a
        function that is listed n times gets n environments."""
        if not self._begun and spare_concurrency < len(self._functions):
            return
        self._begun = True
        while self._to_start and self._driver.has_room():
            number, now = self._to_start.popleft(), self._driver.now()
            started = Started(number, 1, now, now)
            self._driver.start(started, self._functions[number])
            self._started.add(started)

    def wait(self) -> None:
        """Wait until the functions have started, but no longer than ``PATIENCE_S``."""
        until = self._driver.now() + PATIENCE_S
        while self._started and (left_s := until - self._driver.now()) > 0:
            self._calls += [self._ended(finished) for finished in self._driver.wait(left_s)]

    def end(self) -> list[Call]:
        """The calls, for the ledger of the run; those that have not returned are given up."""
        if self._has_ended:
            return []
        self._has_ended = True
        calls = [*self._calls, *(self._ended(finished) for finished in self._driver.wait(0.0))]
        for started in sorted(self._started):
            self._driver.abandon(started)
            calls.append(self._call(started, self._driver.now(), "given_up"))
        self._started.clear()
        self._driver.close()
        return calls

    def _ended(self, finished: Finished) -> Call:
        self._started.discard(finished.call)
        error, usage = finished.error, getattr(finished.answer, "usage", None)
        if error is None:
            call = self._call(finished.call, finished.ended_at, "done")
            request_id = usage.request_id if usage else ""
            return replace(call, usage=usage and replace(usage, request_id=""), request_id=request_id)
        outcome: Outcome = "throttled" if isinstance(error, Throttled) else "failed"
        call = self._call(finished.call, finished.ended_at, outcome)
        return replace(call, error=error_text(error), request_id=getattr(error, "request_id", ""))

    def _call(self, started: Started, ended_at: float, outcome: Outcome) -> Call:
        began_at, ended_at = self._epoch_s + started.started_at, self._epoch_s + ended_at
        function = self._functions[started.number]
        return Call(function, TASK, 1, began_at, began_at, ended_at, outcome)
