"""A driver in virtual time: calls take as long, and end, as a test says."""

import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lambda_src.errors import Throttled
from lambda_src.fan_out.drivers import Call, Finished

THROTTLE_S = 0.02
"""How soon a service answers that it is too busy."""


class Course(NamedTuple):
    """What becomes of a call."""

    seconds: float
    answer: Any = None
    error: BaseException | None = None


class SimulatedCalls:
    """``course(task, call)`` says what becomes of each call. At most ``quota`` of them are carried out at
    once: the service throttles the others. Starting a call takes its caller ``start_s``."""

    def __init__(
        self, course: Callable[[Any, Call], Course], *, quota: float = float("inf"), start_s: float = 0.0
    ) -> None:
        self._course, self.quota, self._start_s = course, quota, start_s
        self.time = 1000.0
        self._order = itertools.count()
        self._ends: list[tuple[float, int, Finished]] = []
        self.in_flight: set[Call] = set()
        self._carried_out: set[Call] = set()
        self.started: list[tuple[Any, Call]] = []
        self.abandoned: list[Call] = []
        self.used_s = 0.0
        self.most_in_flight = 0
        self.is_closed = False

    @property
    def requests(self) -> int:
        """How many calls were started."""
        return len(self.started)

    def now(self) -> float:
        return self.time

    def has_room(self) -> bool:
        return True

    def start(self, call: Call, task: Any) -> None:
        assert call.started_at <= self.time
        assert call not in self.in_flight
        self.time += self._start_s
        self.started.append((task, call))
        self.in_flight.add(call)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        if len(self._carried_out) >= self.quota:
            course = Course(THROTTLE_S, error=Throttled("Rate Exceeded."))
        else:
            self._carried_out.add(call)
            course = self._course(task, call)
            self.used_s += course.seconds
        ends_at = self.time + course.seconds
        finished = Finished(call, ends_at, course.answer, course.error)
        heapq.heappush(self._ends, (ends_at, next(self._order), finished))

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        assert timeout_s >= 0
        until = self.time + timeout_s
        first = self._ends[0][0] if self._ends else until
        self.time = max(min(first, until), self.time)
        found = []
        while self._ends and self._ends[0][0] <= self.time:
            finished = heapq.heappop(self._ends)[2]
            self._carried_out.discard(finished.call)
            if finished.call in self.in_flight:
                self.in_flight.remove(finished.call)
                found.append(finished)
        return found

    def abandon(self, call: Call) -> None:
        self.in_flight.remove(call)
        self.abandoned.append(call)

    def close(self) -> None:
        assert not self.in_flight
        self.is_closed = True
