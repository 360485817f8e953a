"""Virtual time: a heap of events, and processes that take turns.

A process is a thread, so that the engine's code can run in it unchanged; exactly one runs at any moment, and
which one depends on the seed alone. ``time.time``, ``time.monotonic``, ``time.sleep``, ``os.urandom`` and
``random.uniform`` are those of the world while it runs, in its own processes; elsewhere they stay the same.
"""

import heapq
import math
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")

EPOCH_S = 1_800_000_000.0
"""The time of a clock that is right when a world begins."""

STACK_BYTES = 512 << 10

_of_thread = threading.local()


class Killed(BaseException):
    """The process is dead: nothing it does has an effect any more."""


class Stuck(Exception):
    """Processes wait for what cannot happen."""


class Event:
    """Something to be done, unless it is cancelled."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], object] | None) -> None:
        self.action = action

    def cancel(self) -> None:
        """Do nothing instead."""
        self.action = None


class Process:
    """``work`` in a thread of its own, by a clock that is ``skew_s`` ahead. ``about`` is for services, which
    want to know who calls."""

    def __init__(
        self, world: "World", name: str, work: Callable[[], None], skew_s: float = 0.0, about: Any = None
    ) -> None:
        self.name, self.skew_s, self.about = name, skew_s, about
        self.is_alive, self.is_killed = True, False
        self.error: BaseException | None = None
        self.work = work
        self.thread: _Thread | None = None
        self.waits_for: Event | None = None  # what wakes it after a while
        self.joined_by: list[Process] = []
        self._world = world

    def kill(self) -> None:
        """Let it do nothing more."""
        if self.is_alive and not self.is_killed:
            self.is_killed = True
            self._world.wake(self)


class _Thread:
    """A thread that executes one process after another, whenever it has the baton."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.baton = threading.Lock()
        self.baton.acquire()
        self.process: Process | None = None
        self.is_over = False
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def start(self) -> None:
        """Begin to wait for the baton."""
        self._thread.start()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _loop(self) -> None:
        _of_thread.world = self._world
        while True:
            self.baton.acquire()
            if self.is_over:
                return
            process = self.process
            assert process is not None
            try:
                if not process.is_killed:
                    process.work()
            except Killed:
                pass
            except BaseException as error:  # noqa: BLE001 - whoever made the process looks at it
                process.error = error
            process.is_alive = False
            self.process = process.thread = None
            for joined in process.joined_by:
                self._world.wake(joined)
            self._world.leave(self)


class World:
    """All that happens, in the order of its time. ``chance`` is where every accident comes from."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.chance = random.Random(seed)
        self.current: Process | None = None  # none while an event happens
        self.events = 0
        self._most_events = math.inf
        self._ahead_s: float | None = None  # of ``now``, where a function is carried out at once
        self._heap: list[tuple[float, int, Event]] = []
        self._number = 0
        self._ready: deque[Process] = deque()
        self._main = threading.Lock()
        self._main.acquire()
        self._threads: list[_Thread] = []
        self._idle: list[_Thread] = []
        self._processes: list[Process] = []

    # Events.

    def at(self, when: float, action: Callable[[], object]) -> Event:
        """Do ``action`` then."""
        event = Event(action)
        self._number += 1
        heapq.heappush(self._heap, (max(when, self.now), self._number, event))
        return event

    def after(self, seconds: float, action: Callable[[], object]) -> Event:
        """Do ``action`` so much later."""
        return self.at(self.now + seconds, action)

    # Processes.

    def spawn(
        self, name: str, work: Callable[[], None], *, skew_s: float = 0.0, about: Any = None
    ) -> Process:
        """Begin a process now, after what is ready."""
        process = Process(self, name, work, skew_s, about)
        self._processes.append(process)
        self._ready.append(process)
        return process

    def wake(self, process: Process) -> None:
        """Let a process that waits go on."""
        if process.waits_for:
            process.waits_for.cancel()
            process.waits_for = None
        if process.is_alive and process not in self._ready:
            self._ready.append(process)

    def wait(self, seconds: float = math.inf) -> None:
        """Let this process wait until somebody wakes it, so long at most."""
        process = self.current
        assert process is not None, "only a process waits"
        self.check_alive()
        if seconds < math.inf:
            process.waits_for = self.after(max(seconds, 0.0), lambda: self._time_is_up(process))
        thread = process.thread
        assert thread is not None
        self._turn(process, thread)
        self.check_alive()

    def time(self) -> float:
        """The time, for what is done now: later than ``now`` inside ``ahead``."""
        return self.now + (self._ahead_s or 0.0)

    @property
    def is_ahead(self) -> bool:
        """Whether what happens now is carried out before its time."""
        return self._ahead_s is not None

    def ahead(
        self, function: Callable[[], T], about: Any = None, skew_s: float = 0.0
    ) -> tuple[T | None, BaseException | None, float]:
        """What ``function`` gives or raises, and how long that takes. It is carried out at once, without a
        process, so it must wait for nobody, and have effects only ``at`` their time. With ``about`` it runs
        as if in a process of its own."""
        before = self.current
        if about is not None:
            self.current = Process(self, "ahead", lambda: None, skew_s, about)
        self._ahead_s = 0.0
        try:
            answer = function()
            return answer, None, self._ahead_s
        except Exception as error:  # noqa: BLE001 - as a thread would carry it
            return None, error, self._ahead_s
        finally:
            self._ahead_s, self.current = None, before

    def sleep(self, seconds: float) -> None:
        """Let this process do nothing for so long, whoever wakes it."""
        if self._ahead_s is not None:
            self._ahead_s += seconds
            return
        until = self.now + seconds
        while True:
            self.wait(until - self.now)
            if self.now >= until:
                return

    def join(self, process: Process) -> None:
        """Let this process wait until another one has ended."""
        while process.is_alive:
            assert self.current is not None
            process.joined_by.append(self.current)
            self.wait()

    def check_alive(self) -> None:
        """Raise Killed if this process is dead."""
        if self.current is not None and self.current.is_killed:
            raise Killed

    def run(self, most_events: float = math.inf) -> None:
        """Let everything happen, until nothing is left to do. Raises Stuck if a process still waits then, or
        more than so many events happen; and what ended a process, whoever waited for it."""
        self._most_events = self.events + most_events
        with _clocks_of(self):
            if self._next_thread(None):
                self._main.acquire()
        waiting = [process.name for process in self._processes if process.is_alive]
        if waiting:
            raise Stuck(f"{len(waiting)} processes wait for nothing: {', '.join(waiting[:5])}.")
        errors = [process.error for process in self._processes if process.error is not None]
        self._processes = []
        if errors:
            raise errors[0]

    def close(self) -> None:
        """End all threads."""
        for process in self._processes:
            process.is_killed = True
            if process.thread is not None:
                self.wake(process)
        with _clocks_of(self):
            if self._ready and self._next_thread(None):
                self._main.acquire()
        for thread in self._threads:
            thread.is_over = True
            thread.baton.release()
        for thread in self._threads:
            thread.join()

    # Whose turn it is.

    def leave(self, thread: _Thread) -> None:
        """The process of ``thread`` has ended: another one goes on."""
        self._idle.append(thread)
        self._next_thread(thread)

    def _time_is_up(self, process: Process) -> None:
        process.waits_for = None
        self._ready.append(process)

    def _turn(self, process: Process, thread: _Thread) -> None:
        """Let others go on, until it is the turn of ``process`` again."""
        if self._next_thread(thread) is not thread:
            thread.baton.acquire()
        self.current = process

    def _next_thread(self, own: _Thread | None) -> _Thread | None:
        """Let events happen until a process is ready, and give its thread the baton, unless it is ``own``
        already; none when nothing is left."""
        process = self._next_process()
        if process is None:
            if own is not None:
                self._main.release()
            return None
        thread = process.thread
        if thread is None:  # it begins
            thread = self._idle.pop() if self._idle else self._new_thread()
            thread.process, process.thread = process, thread
            self.current = process
            thread.baton.release()  # even if it is our own, which waits for it next
        elif thread is not own:
            self.current = process
            thread.baton.release()
        return thread

    def _next_process(self) -> Process | None:
        self.current = None
        while not self._ready:
            if not self._heap or self.events > self._most_events:
                return None
            when, _, event = heapq.heappop(self._heap)
            if event.action is not None:
                self.now = when
                self.events += 1
                event.action()
        return self._ready.popleft()

    def _new_thread(self) -> _Thread:
        thread = _Thread(self)
        self._threads.append(thread)
        before = threading.stack_size(STACK_BYTES)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
        return thread


def current_world() -> World | None:
    """The world of this thread, if it has one."""
    return getattr(_of_thread, "world", None)


@contextmanager
def _clocks_of(world: World) -> Iterator[None]:
    """The modules' clocks and chances are those of ``world``, in its threads and in this one."""
    real = (time.time, time.monotonic, time.sleep, os.urandom, random.uniform)

    def now() -> float:
        here = current_world()
        skew_s = here.current.skew_s if here and here.current else 0.0
        return EPOCH_S + here.time() + skew_s if here else real[0]()

    def monotonic() -> float:
        here = current_world()
        return here.time() if here else real[1]()

    def sleep(seconds: float) -> None:
        here = current_world()
        (here.sleep if here else real[2])(seconds)

    def urandom(size: int) -> bytes:
        here = current_world()
        return here.chance.randbytes(size) if here else real[3](size)

    def uniform(low: float, high: float) -> float:
        here = current_world()
        return here.chance.uniform(low, high) if here else real[4](low, high)

    before = current_world()
    with ExitStack() as stack:
        for module, function in (
            (time, now),
            (time, monotonic),
            (time, sleep),
            (os, urandom),
            (random, uniform),
        ):
            name = {"now": "time"}.get(function.__name__, function.__name__)
            stack.enter_context(mock.patch.object(module, name, function))
        _of_thread.world = world
        try:
            yield
        finally:
            _of_thread.world = before
