"""Fan out over tasks, fold the answers: a sliding window of calls, with retries. Knows no job.

``FanOut`` is a state machine: it receives events and their times, and decides what to do. A driver does that:
in threads, with one thread that waits for all calls, or in simulated time.

The window begins with all calls that are allowed. A throttled call shrinks it to what the service has
accepted: the calls that are still under way. Then two calls follow each that was accepted, as in TCP, up to
half of the former size; beyond, the window grows by one a round.
"""

import bisect
import contextlib
import heapq
import random
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from lambda_src.errors import CapacityExhausted, EndsRun, FanfoldError, FanOutFailed, Throttled, Transient
from lambda_src.fan_out.drivers import MAX_THREADS, Call, Calls, Driver, Finished, driver_of
from lambda_src.fan_out.outcomes import Outcome
from lambda_src.fan_out.pace import Pace

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Work = Callable[[Task, Answer | None], float]
"""How much work a task is, in any unit; with its answer, how much it was. What nobody knows is 1."""

MAX_ATTEMPTS = 5
"""Of one task. Throttled calls are not counted: they say nothing of the task."""

BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
STALLED_S = 60.0
"""When every call has been throttled for this long, there is no room for this fan-out."""

ACCEPTED_S = 1.0
"""A call that has been under way for this long was not throttled: services say so at once."""

STARTS_AT_ONCE = 16
"""How many calls are started before the driver may wait: the first throttles stop the start of more."""

TICK_S = 0.5
SLOW_FACTOR, SLOW_MIN_S = 2.0, 1.0
STRAGGLER_FACTOR = 3.0
STRAGGLER_MIN_S = 1.0
LOOK_S = 0.1
"""How often to look for stragglers."""

NAMED_FAILURES = 3
"""As many failures stand in the message; all of them in ``FanOutFailed.failures``."""


class Ended(NamedTuple):
    """A call has ended; times are of the driver's clock. It is the task's call number ``attempt``, from 1 on,
    and could have started at ``queued_at``.

    ``done``: its answer is the task's; ``late``: another copy's was, be this one back or not; ``throttled``
    and ``failed``: see ``error``; ``given_up``: the fan-out ended without an answer for its task.
    """

    task: Any
    attempt: int
    queued_at: float
    started_at: float
    ended_at: float
    outcome: Outcome
    answer: Any
    error: BaseException | None


class Observer(Protocol):
    """Follows a fan-out, in its caller's thread."""

    def ended(self, call: Ended) -> None:
        """One more call has ended: every call that was started does so once."""

    def progress(self, running: int, at_most: int, slow: int, running_s: float) -> None:
        """``running`` calls are in flight, of ``at_most`` allowed, and have taken ``running_s``
        together. ``slow`` tasks take much longer than those that are done. Called before each tick, and at
        the end."""


def map_reduce(
    call: Calls[Task, Answer],
    tasks: Sequence[Task],
    fold: Callable[[Task, Answer], None],
    *,
    name: Callable[[Task], str],
    max_concurrency: int,
    tick: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
    work: Work[Task, Answer] = lambda _task, _answer: 1.0,
) -> None:
    """Call every task, at most ``max_concurrency`` at once, and give each answer to ``fold(task, answer)``,
    once per task, in this thread, in the order of arrival. A driver is closed at the end.

    Throttled and Transient calls are tried again after full-jitter backoff. A call that runs three times as
    long as is usual for its ``work`` gets a second copy, and the first answer wins: ``call`` must be
    idempotent. Any other failure stops the start of new calls; those under way are waited for. ``tick`` runs
    after a quarter of a second, and then about every half; what it raises ends the fan-out at once.

    Raises FanOutFailed, which names each failed task by ``name(task)``, or a task's EndsRun;
    CapacityExhausted when only throttles came back for long, or calls that were given up earlier hold every
    thread of this process.
    """
    running = fan_out(
        call,
        tasks,
        name=name,
        max_concurrency=max_concurrency,
        tick=tick,
        observer=observer,
        work=work,
    )
    with contextlib.closing(running) as answers:
        for task, answer in answers:
            fold(task, answer)


def fan_out(
    call: Calls[Task, Answer],
    tasks: Sequence[Task],
    *,
    name: Callable[[Task], str],
    max_concurrency: int,
    tick: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
    work: Work[Task, Answer] = lambda _task, _answer: 1.0,
) -> Generator[tuple[Task, Answer]]:
    """As ``map_reduce``, but gives the answers one by one. Closing it early gives the rest up."""
    driver = driver_of(call)
    state: FanOut[Task, Answer] = FanOut(tasks, max_concurrency, driver.now(), work=work)
    yield from _run(state, tasks, driver, tick, observer)
    if failures := state.failures():
        for error in failures.values():
            if isinstance(error, EndsRun):
                raise error
        named = tuple(
            f"{name(tasks[number])}: {type(error).__name__}: {error}"
            for number, error in sorted(failures.items())
        )
        more = f" (and {len(named) - NAMED_FAILURES} more)" if len(named) > NAMED_FAILURES else ""
        of_all = f"{len(named)} of {len(tasks)} task{'' if len(tasks) == 1 else 's'} failed."
        message = f"{of_all} {' '.join(named[:NAMED_FAILURES])}{more}"
        bugs = [error for error in failures.values() if not isinstance(error, FanfoldError)]
        raise FanOutFailed(message, named) from (bugs[0] if bugs else None)


def call_once(
    call: Calls[Task, Answer],
    task: Task,
    *,
    tick: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
    max_attempts: int | None = None,
) -> Answer:
    """The answer of one call, with the retries and ticks of a fan-out, or fewer retries.

    Raises the call's own failure, and CapacityExhausted as ``map_reduce`` does.
    """
    driver = driver_of(call)
    state: FanOut[Task, Answer] = FanOut([task], 1, driver.now(), max_attempts=max_attempts)
    answers = [answer for _, answer in _run(state, [task], driver, tick, observer)]
    if failures := state.failures():
        raise failures[0]
    return answers[0]


def _run(
    state: "FanOut[Task, Answer]",
    tasks: Sequence[Task],
    driver: Driver[Task],
    tick: Callable[[], None],
    observer: Observer | None,
) -> Iterator[tuple[Task, Answer]]:
    """Have the driver do what the state says. Each answer as it comes, until all is done or has failed."""
    arrived: deque[Finished] = deque()
    tick_at = driver.now() + TICK_S / 2
    try:
        while not state.is_over:
            now = driver.now()
            started = 0
            while started < STARTS_AT_ONCE and driver.has_room() and (call := state.next_call(now)):
                driver.start(call, tasks[call.number])
                started += 1
            if now >= tick_at:
                tick_at = now + TICK_S
                if observer:
                    observer.progress(*state.progress(now))
                tick()
            state.check_capacity(now)
            if not arrived:
                nap_s = 0.0 if started == STARTS_AT_ONCE else min(state.nap_s(now), tick_at - now)
                arrived.extend(driver.wait(nap_s))
            if arrived:
                ended = state.settle(arrived.popleft(), driver.now())
                if observer:
                    observer.ended(ended)
                if ended.outcome == "done":
                    yield ended.task, ended.answer
                    state.go_on(driver.now())
    finally:
        # A copy that lost, or calls that `tick` gave up, may still be under way.
        _give_up(state, driver, [*arrived, *driver.wait(0.0)], observer)


def _give_up(
    state: "FanOut[Task, Answer]",
    driver: Driver[Task],
    arrived: Sequence[Finished],
    observer: Observer | None,
) -> None:
    now = driver.now()
    came_back = {finished.call for finished in arrived}
    for call, ended in state.give_up(arrived, now):
        if call not in came_back:
            driver.abandon(call)
        if observer:
            observer.ended(ended)
    driver.close()
    if observer:
        observer.progress(*state.progress(now))


class Window:
    """How many calls may be under way at once: at first the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = self._size = self._threshold = float(limit)
        self._cut_at = float("-inf")

    @property
    def size(self) -> int:
        """At least 1, at most the limit."""
        return int(self._size)

    def accepted(self, *, has_ended: bool) -> None:
        """Grow with a call: up to the threshold so that two can follow it, beyond by one a round."""
        if self._size < self._threshold:
            self._size = min(self._size + (1.0 if has_ended else 2.0), self._threshold)
        else:
            self._size = min(self._size + 1.0 / self._size, self._limit)

    def throttled(self, started_at: float, now: float, under_way: int) -> None:
        """Shrink to the calls that are still ``under_way``. The threshold is halved, unless the call started
        before the last time, or nothing was accepted, which says nothing of how much would be."""
        if started_at >= self._cut_at and under_way:
            self._cut_at = now
            self._threshold = max(self._size / 2, 1.0)
        self._size = max(min(self._size, float(under_way)), 1.0)


def full_jitter(most_s: float) -> float:
    """A pause of up to ``most_s``."""
    return random.uniform(0.0, most_s)  # noqa: S311 - no secret


class FanOut(Generic[Task, Answer]):
    """The state of a fan-out that begins at ``now``. Told what happens and when, it says which call to start
    next. Tasks go by their numbers. ``jitter(most_s)`` draws a pause of up to ``most_s``."""

    def __init__(
        self,
        tasks: Sequence[Task],
        max_concurrency: int,
        now: float,
        *,
        work: Work[Task, Answer] = lambda _task, _answer: 1.0,
        jitter: Callable[[float], float] = full_jitter,
        max_attempts: int | None = None,
    ) -> None:
        self._tasks, self._work, self._jitter = tasks, work, jitter
        self._max_attempts = max_attempts or MAX_ATTEMPTS
        self._pace = Pace()
        self._durations_s: list[float] = []  # sorted
        self._window = Window(max_concurrency)
        self._fresh = deque(range(len(tasks)))
        self._again: list[tuple[float, int]] = []  # a heap of (not before, task)
        self._under_way: dict[int, list[float]] = {}  # task -> when each of its copies started
        self._calls: set[Call] = set()  # copies under way, those of finished tasks included
        self._started: deque[Call] = deque()  # those that may still be throttled
        self._accepted_before = float("-inf")  # what was started earlier was accepted
        self._starts = [0] * len(tasks)
        self._attempts = [0] * len(tasks)
        self._throttles = [0] * len(tasks)
        self._done: set[int] = set()
        self._setbacks: dict[int, BaseException] = {}  # the last fault of a task that is to be tried again
        self._lasting: dict[int, BaseException] = {}  # faults that no retry helps, while a copy may answer
        self._failures: dict[int, BaseException] = {}
        self._throttle: Throttled | None = None  # the last one
        self._stragglers: list[int] = []
        self._look_at = self._began_at = self._moved_at = now

    @property
    def is_over(self) -> bool:
        """Whether every task is done, or one has failed and nothing is under way any more."""
        return not self._under_way and (bool(self._failures) or not (self._fresh or self._again))

    def failures(self) -> dict[int, BaseException]:
        """By task, once it is over: with the setbacks of those that were to be tried again."""
        return self._setbacks | self._failures if self._failures else {}

    def next_call(self, now: float) -> Call | None:
        """The next call, to be started now, if one is due and the window has room.

        Those to be tried again come first: what never works is known before much else is paid for. Copies of
        stragglers come last.
        """
        self._accepted_before = now - ACCEPTED_S
        while self._started and self._started[0].started_at < self._accepted_before:
            if self._started.popleft() in self._calls:
                self._window.accepted(has_ended=False)
        if self._failures or len(self._calls) >= self._window.size:
            return None
        if self._again and self._again[0][0] <= now:
            queued_at, number = heapq.heappop(self._again)
        elif self._fresh:
            queued_at, number = self._began_at, self._fresh.popleft()
        elif (straggler := self._next_straggler(now)) is not None:
            queued_at, number = now, straggler
        else:
            return None
        self._starts[number] += 1
        call = Call(number, self._starts[number], queued_at, now)
        self._calls.add(call)
        self._started.append(call)
        self._under_way.setdefault(number, []).append(now)
        return call

    def nap_s(self, now: float) -> float:
        """How long nothing will be due unless a call comes back: at most until the next tick."""
        if self._again and not self._failures and len(self._calls) < self._window.size:
            return min(max(self._again[0][0] - now, 0.001), TICK_S)
        return TICK_S

    def settle(self, finished: Finished, now: float) -> Ended:
        """A call has come back: what its end means. ``done`` if it brings the answer of its task."""
        (number, _, _, started_at), error = finished.call, finished.error
        late = number in self._done or number in self._failures
        ended = self._ended(finished, "late" if late else "done")
        self._calls.discard(finished.call)
        copies = self._under_way.get(number, [])
        if started_at in copies:
            copies.remove(started_at)
        if not copies:
            self._under_way.pop(number, None)

        if isinstance(error, Throttled):
            self._throttle = error
            self._window.throttled(started_at, now, len(self._calls))
        else:
            self._moved_at = now
        if late:
            return ended
        if error is None:
            if started_at >= self._accepted_before:
                self._window.accepted(has_ended=True)
            bisect.insort(self._durations_s, now - started_at)
            answer = cast(Answer, finished.answer)
            self._pace.took(self._work(self._tasks[number], answer), now - started_at)
            self._done.add(number)
            self._setbacks.pop(number, None)
            self._under_way.pop(number, None)
        elif isinstance(error, Throttled) and number not in self._lasting:
            self._throttles[number] += 1
            self._try_again(number, now + error.retry_after_s + self._backoff_s(self._throttles[number]))
        elif isinstance(error, Transient) and self._may_try_again(number):
            self._attempts[number] += 1
            self._setbacks[number] = error
            self._try_again(number, now + self._backoff_s(self._attempts[number]))
        elif number not in self._under_way:
            self._failures[number] = self._lasting.get(number, error)
        elif not isinstance(error, Transient):
            self._lasting[number] = error
        return ended

    def check_capacity(self, now: float) -> None:
        """Raise CapacityExhausted if nothing but throttles came back for long, and no call has been under way
        for long enough to be working."""
        long_ago = now - STALLED_S
        if self._moved_at >= long_ago or any(
            started_at <= long_ago for starts in self._under_way.values() for started_at in starts
        ):
            return
        if self._throttle is None:  # so nothing was ever started
            raise CapacityExhausted(
                f"Calls that were given up earlier have held all {MAX_THREADS} threads of this process for "
                f"{STALLED_S:.0f} s: try again when they have ended."
            )
        raise CapacityExhausted(
            f"Every call was throttled for {STALLED_S:.0f} s; there is no room for more: {self._throttle}"
        )

    def go_on(self, now: float) -> None:
        """The caller used the answers until ``now``, so the time since then does not count as a stall."""
        self._moved_at = now

    def progress(self, now: float) -> tuple[int, int, int, float]:
        """The arguments of ``Observer.progress``."""
        running_s = sum(now - call.started_at for call in self._calls)
        return len(self._calls), self._window.size, self._slow(now), running_s

    def give_up(self, arrived: Sequence[Finished], now: float) -> Iterator[tuple[Call, Ended]]:
        """End it: what becomes of the calls under way. Those that have ``arrived`` meanwhile come first; the
        others are to be abandoned."""
        self._under_way.clear()
        came_back = {finished.call for finished in arrived}
        rest = [Finished(call, now, None, None) for call in sorted(self._calls - came_back)]
        for finished in (*arrived, *rest):
            self._calls.discard(finished.call)
            number = finished.call.number
            yield finished.call, self._ended(finished, "late" if number in self._done else "given_up")

    def _ended(self, finished: Finished, outcome: Outcome) -> Ended:
        """A call's end: it has the ``outcome`` unless it brought an error."""
        call, ended_at, answer, error = finished
        if error is not None:
            outcome = "throttled" if isinstance(error, Throttled) else "failed"
        task = self._tasks[call.number]
        return Ended(task, call.attempt, call.queued_at, call.started_at, ended_at, outcome, answer, error)

    def _next_straggler(self, now: float) -> int | None:
        """The task that has been under way for longest, of those that should have a second copy."""
        if self._again or len(self._done) < len(self._tasks) / 2:
            return None
        if now >= self._look_at:
            self._look_at = now + min(LOOK_S, TICK_S)
            # Not in a task's last attempt: copies that fail in turn would try it for ever.
            late = sorted(
                (starts[0], number)
                for number, starts in self._under_way.items()
                if len(starts) == 1 and self._may_try_again(number) and self._is_late(number, now - starts[0])
            )
            self._stragglers = [number for _, number in reversed(late)]
        while self._stragglers:
            number = self._stragglers.pop()
            if len(self._under_way.get(number, ())) == 1 and self._may_try_again(number):
                return number
        return None

    def _is_late(self, number: int, running_s: float) -> bool:
        if running_s <= STRAGGLER_MIN_S:
            return False
        return running_s > STRAGGLER_FACTOR * self._pace.usual_s(self._work(self._tasks[number], None))

    def _slow(self, now: float) -> int:
        """How many tasks have been under way for more than twice the median of those that are done."""
        if not self._durations_s:
            return 0
        median_s = self._durations_s[len(self._durations_s) // 2]
        began_before = now - max(SLOW_FACTOR * median_s, SLOW_MIN_S)
        return sum(min(starts) < began_before for starts in self._under_way.values() if starts)

    def _may_try_again(self, number: int) -> bool:
        return self._attempts[number] + 1 < self._max_attempts and number not in self._lasting

    def _try_again(self, number: int, not_before: float) -> None:
        if number not in self._under_way:  # or its other copy may still answer
            heapq.heappush(self._again, (not_before, number))

    def _backoff_s(self, attempt: int) -> float:
        return self._jitter(min(MAX_BACKOFF_S, BACKOFF_S * 2.0 ** min(attempt, 30)))
