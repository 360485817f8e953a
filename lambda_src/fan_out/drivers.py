"""What carries out the calls of a fan-out: the driver underneath ``map_reduce``, and the one with threads."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from lambda_src.fan_out.waits import Waits

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Task_contra = TypeVar("Task_contra", contravariant=True)

MAX_THREADS = 500
"""Of all fan-outs of this process, also those that were given up: a thread whose call waits for something
other than a service's answer stays until it comes back. Lambda allows 1,024 threads."""

_thread_slots = threading.BoundedSemaphore(MAX_THREADS)
"""One slot for each thread."""


class Call(NamedTuple):
    """Call ``attempt``, from 1 on, of task ``number``. It could have started at ``queued_at``; times are of
    the driver's clock."""

    number: int
    attempt: int
    queued_at: float
    started_at: float


class Finished(NamedTuple):
    """A call has come back, with its answer or the error that it raised."""

    call: Call
    ended_at: float
    answer: Any
    error: BaseException | None


class Driver(Protocol[Task_contra]):
    """Carries out the calls of one fan-out, whose thread alone uses it."""

    def now(self) -> float:
        """The time, in seconds, of a clock that never goes back."""

    def has_room(self) -> bool:
        """Whether one more call can be started now."""

    def start(self, call: Call, task: Task_contra) -> None:
        """Start a call. Whatever goes wrong is the error of its ``Finished``."""

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        """The calls that have come back since the last wait. If there is none, wait for one, or for room, but
        no longer than ``timeout_s``; it may return earlier."""

    def abandon(self, call: Call) -> None:
        """Stop waiting for a call that was started: it will not come back."""

    def close(self) -> None:
        """End, once every call has come back or was abandoned."""


Calls = Callable[[Task], Answer] | Driver[Task]
"""How to call tasks: a blocking function, which threads call, or a driver of one fan-out."""


class Threads(Generic[Task, Answer]):
    """A driver that calls a blocking function in threads, as many as there are calls at once."""

    def __init__(self, function: Callable[[Task], Answer]) -> None:
        self._function = function
        self._slots = _thread_slots
        self._slots_held = self._threads = self._in_flight = 0
        self._waits = Waits()
        self._started: SimpleQueue[tuple[Call, Task] | None] = SimpleQueue()
        self._finished: SimpleQueue[Finished] = SimpleQueue()

    def now(self) -> float:
        """As ``Driver.now``."""
        return time.monotonic()

    def has_room(self) -> bool:
        """Whether a thread is free, or there may be one more."""
        if self._in_flight == self._slots_held and self._slots.acquire(blocking=False):
            self._slots_held += 1
        return self._in_flight < self._slots_held

    def start(self, call: Call, task: Task) -> None:
        """As ``Driver.start``."""
        self._in_flight += 1
        if self._threads < self._in_flight:
            threading.Thread(target=self._call_in_turn, daemon=True).start()
            self._threads += 1
        self._started.put((call, task))

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        """As ``Driver.wait``."""
        found: list[Finished] = []
        with contextlib.suppress(Empty):
            found.append(self._finished.get(block=timeout_s > 0, timeout=timeout_s))
            while True:
                found.append(self._finished.get_nowait())
        self._in_flight -= len(found)
        return found

    def abandon(self, call: Call) -> None:
        """Its thread cannot be stopped, but ``close`` ends its waits for sockets."""

    def close(self) -> None:
        """Let the threads end: those that are busy after their call, all others now."""
        with contextlib.suppress(Empty):
            while self._started.get_nowait():  # no thread has begun it
                pass
        for _ in range(self._threads):
            self._started.put(None)
        for _ in range(self._slots_held - self._threads):
            self._slots.release()
        self._waits.end()

    def _call_in_turn(self) -> None:
        """A thread's work, from its first call until there is none left to come."""
        self._waits.join()
        try:
            while started := self._started.get():
                call, task = started
                try:
                    answer = self._function(task)
                    self._finished.put(Finished(call, time.monotonic(), answer, None))
                except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, which sorts it
                    self._finished.put(Finished(call, time.monotonic(), None, error))
        finally:
            self._slots.release()


def driver_of(calls: Calls[Task, Answer]) -> Driver[Task]:
    """The driver that makes these calls."""
    return Threads(calls) if callable(calls) else calls
