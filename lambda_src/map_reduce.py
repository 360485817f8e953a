"""Fan out over tasks, fold the answers: a sliding window of calls, with retries. Knows no job.

The window starts small and grows by one with every answer, as TCP's does: a sudden burst is what S3 answers
with 503 and a small account with 429. A throttled call halves it, once for all calls that were under way,
and from then on it grows by one a round.
"""

import bisect
import contextlib
import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from lambda_src.errors import CapacityExhausted, EndsRun, FanfoldError, FanOutFailed, Throttled, Transient
from lambda_src.outcomes import Outcome
from lambda_src.pace import Pace
from lambda_src.waits import Waits

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Work = Callable[[Task, Answer | None], float]
"""How much work a task is, in any unit; with its answer, how much it was. What nobody knows is 1."""

FIRST_WINDOW = 64
MAX_ATTEMPTS = 5
"""Of one task. Throttled calls are not counted: they say nothing of the task."""

BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
STALLED_S = 60.0
"""When every call has been throttled for so long, there is no room for this fan-out."""

MAX_THREADS = 500
"""Of all fan-outs of this process, also those that were given up: a thread whose call waits for something
other than a service's answer stays until it comes back. Lambda allows 1,024 threads."""

_thread_slots = threading.BoundedSemaphore(MAX_THREADS)
"""One slot for each thread."""

TICK_S = 0.5
SLOW_FACTOR, SLOW_MIN_S = 2.0, 1.0
STRAGGLER_FACTOR = 3.0
STRAGGLER_MIN_S = 1.0
NAMED_FAILURES = 3
"""As many failures stand in the message; all of them in ``FanOutFailed.failures``."""


class Ended(NamedTuple):
    """A call has ended; times are of ``time.monotonic``. It is the task's call number ``attempt``, from 1 on,
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
    call: Callable[[Task], Answer],
    tasks: Sequence[Task],
    fold: Callable[[Task, Answer], None],
    *,
    name: Callable[[Task], str],
    max_concurrency: int,
    tick: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
    work: Work[Task, Answer] = lambda _task, _answer: 1.0,
) -> None:
    """Call ``call(task)`` for every task in threads, at most ``max_concurrency`` at once, and give each
    answer to ``fold(task, answer)``, once per task, in the caller's thread, in the order of arrival.

    Throttled and Transient calls are tried again after full-jitter backoff. A call that runs three times as
    long as is usual for its ``work`` gets a second copy, and the first answer wins: ``call`` must be
    idempotent. Any other failure stops the start of new calls; those under way are waited for. ``tick`` runs
    about every half second; what it raises ends the fan-out at once.

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
    call: Callable[[Task], Answer],
    tasks: Sequence[Task],
    *,
    name: Callable[[Task], str],
    max_concurrency: int,
    tick: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
    work: Work[Task, Answer] = lambda _task, _answer: 1.0,
) -> Generator[tuple[Task, Answer]]:
    """As ``map_reduce``, but gives the answers one by one. Closing it early gives the rest up."""
    running = _FanOut(call, tasks, max_concurrency, tick, observer, work=work)
    yield from running.run()
    if failures := running.failures():
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
    call: Callable[[Task], Answer],
    task: Task,
    *,
    tick: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
) -> Answer:
    """The answer of ``call(task)``, with the retries and ticks of a fan-out.

    Raises the call's own failure, and CapacityExhausted as ``map_reduce`` does.
    """
    running = _FanOut(call, [task], 1, tick, observer)
    answers = [answer for _, answer in running.run()]
    if failures := running.failures():
        raise failures[0]
    return answers[0]


class Window:
    """How many calls may be under way at once."""

    def __init__(self, limit: int) -> None:
        self._limit = float(limit)
        self._size = min(float(FIRST_WINDOW), self._limit)
        self._threshold = self._limit
        self._cut_at = float("-inf")

    @property
    def size(self) -> int:
        """At least 1, at most the limit."""
        return int(self._size)

    def succeeded(self) -> None:
        """Grow: by one below the threshold, by one a round above it."""
        growth = 1.0 if self._size < self._threshold else 1.0 / self._size
        self._size = min(self._size + growth, self._limit)

    def throttled(self, started_at: float, now: float) -> None:
        """Halve, unless the call started before the last cut: that cut answers for it."""
        if started_at >= self._cut_at:
            self._cut_at = now
            self._size = max(self._size / 2, 1.0)
            self._threshold = self._size


class _Call(NamedTuple):
    """A call of task ``number``, its ``attempt``; times are of ``time.monotonic``."""

    number: int
    attempt: int
    queued_at: float
    started_at: float


class _Finished(NamedTuple):
    """A call has come back."""

    call: _Call
    ended_at: float
    answer: object
    error: BaseException | None


class _FanOut(Generic[Task, Answer]):
    """The state of one fan-out. Tasks go by their numbers. All but ``_call_in_turn`` runs in the
    caller's thread."""

    def __init__(
        self,
        call: Callable[[Task], Answer],
        tasks: Sequence[Task],
        max_concurrency: int,
        tick: Callable[[], None],
        observer: Observer | None,
        *,
        work: Work[Task, Answer] = lambda _task, _answer: 1.0,
    ) -> None:
        self._call_task, self._tasks, self._tick, self._observer = call, tasks, tick, observer
        self._work, self._pace = work, Pace()
        self._durations_s: list[float] = []  # sorted
        self._window = Window(max_concurrency)
        self._thread_slots = _thread_slots
        self._no_slot = False
        self._threads = 0
        self._waits = Waits()
        self._started: SimpleQueue[_Call | None] = SimpleQueue()
        self._finished: SimpleQueue[_Finished] = SimpleQueue()
        self._fresh = deque(range(len(tasks)))
        self._again: list[tuple[float, int]] = []  # a heap of (not before, task)
        self._under_way: dict[int, list[float]] = {}  # task -> when each of its copies started
        self._calls: set[_Call] = set()  # copies under way, those of finished tasks included
        self._starts = [0] * len(tasks)
        self._attempts = [0] * len(tasks)
        self._throttles = [0] * len(tasks)
        self._done: set[int] = set()
        self._setbacks: dict[int, BaseException] = {}  # the last fault of a task that is to be tried again
        self._failures: dict[int, BaseException] = {}
        self._throttle: Throttled | None = None  # the last one
        self._began_at = self._moved_at = self._ticked_at = time.monotonic()

    def failures(self) -> dict[int, BaseException]:
        """By task, once all is done or has failed: with the setbacks of those that were to be tried again."""
        return self._setbacks | self._failures if self._failures else {}

    def run(self) -> Iterator[tuple[Task, Answer]]:
        """Each answer as it comes, until all is done or has failed."""
        try:
            while self._under_way or ((self._fresh or self._again) and not self._failures):
                now = time.monotonic()
                if not self._failures:
                    self._start_due(now)
                    self._start_copies_of_stragglers(now)
                if now - self._ticked_at >= TICK_S:
                    self._ticked_at = now
                    self._tell_pace()
                    self._tick()
                if self._stalled(now):
                    raise CapacityExhausted(self._why_stalled())
                try:
                    finished = self._finished.get(timeout=self._nap_s(now))
                except Empty:
                    continue
                if self._settle(finished, time.monotonic()):
                    yield self._tasks[finished.call.number], cast(Answer, finished.answer)
        finally:
            # A copy that lost, or calls that `tick` gave up, may still be under way.
            self._let_threads_end()
            self._give_up_calls(time.monotonic())
            self._waits.end()

    def _stalled(self, now: float) -> bool:
        """Nothing but throttles for long, and no call under way for long enough to be at work."""
        long_ago = now - STALLED_S
        return self._moved_at < long_ago and all(
            started_at > long_ago for starts in self._under_way.values() for started_at in starts
        )

    def _why_stalled(self) -> str:
        if self._no_slot and not self._calls:
            return (
                f"Calls that were given up earlier have held all {MAX_THREADS} threads of this process for "
                f"{STALLED_S:.0f} s: try again when they have ended."
            )
        return f"Every call was throttled for {STALLED_S:.0f} s; there is no room for more: {self._throttle}"

    def _start_due(self, now: float) -> None:
        """Those to be tried again first: what never works is known before much else is paid for."""
        while len(self._calls) < self._window.size:
            again = bool(self._again) and self._again[0][0] <= now
            if not (again or self._fresh) or not self._has_thread():
                return
            if again:
                queued_at, number = heapq.heappop(self._again)
            else:
                queued_at, number = self._began_at, self._fresh.popleft()
            self._start(number, queued_at, now)

    def _start_copies_of_stragglers(self, now: float) -> None:
        room = self._window.size - len(self._calls)
        if self._fresh or self._again or room < 1 or len(self._done) < len(self._tasks) / 2:
            return
        # Not in a task's last attempt: copies that fail in turn would try it for ever.
        late = sorted(
            (starts[0], number)
            for number, starts in self._under_way.items()
            if len(starts) == 1
            and self._attempts[number] + 1 < MAX_ATTEMPTS
            and self._is_late(number, now - starts[0])
        )
        for _, number in late[:room]:
            if self._has_thread():
                self._start(number, now, now)

    def _is_late(self, number: int, running_s: float) -> bool:
        if running_s <= STRAGGLER_MIN_S:
            return False
        return running_s > STRAGGLER_FACTOR * self._pace.usual_s(self._work(self._tasks[number], None))

    def _has_thread(self) -> bool:
        """Whether a thread is free for one more call, be it a new one."""
        self._no_slot = False
        if len(self._calls) < self._threads:
            return True
        if not self._thread_slots.acquire(blocking=False):
            self._no_slot = True
            return False
        threading.Thread(target=self._call_in_turn, daemon=True).start()
        self._threads += 1
        return True

    def _start(self, number: int, queued_at: float, now: float) -> None:
        self._starts[number] += 1
        call = _Call(number, self._starts[number], queued_at, now)
        self._calls.add(call)
        self._under_way.setdefault(number, []).append(now)
        self._started.put(call)

    def _call_in_turn(self) -> None:
        """A thread's work, from its first call until there is none left to come."""
        self._waits.join()
        try:
            while call := self._started.get():
                try:
                    answer = self._call_task(self._tasks[call.number])
                    self._finished.put(_Finished(call, time.monotonic(), answer, None))
                except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, which sorts it
                    self._finished.put(_Finished(call, time.monotonic(), None, error))
        finally:
            self._thread_slots.release()

    def _let_threads_end(self) -> None:
        """Those at work after their call, whatever it brings, and all others now."""
        with contextlib.suppress(Empty):
            while call := self._started.get_nowait():
                self._calls.discard(call)  # no thread has begun it
        for _ in range(self._threads):
            self._started.put(None)

    def _nap_s(self, now: float) -> float:
        """Until the next task is due, if there is room for it, or the next tick."""
        if self._again and len(self._calls) < self._window.size and not self._no_slot:
            return min(max(self._again[0][0] - now, 0.001), TICK_S)
        return TICK_S

    def _settle(self, finished: _Finished, now: float) -> bool:
        """Whether it brings the answer of its task."""
        (number, _, _, started_at), error = finished.call, finished.error
        late = number in self._done or number in self._failures
        self._tell(finished, "late" if late else "done")
        self._calls.discard(finished.call)
        copies = self._under_way.get(number, [])
        if started_at in copies:
            copies.remove(started_at)
        if not copies:
            self._under_way.pop(number, None)

        if isinstance(error, Throttled):
            self._throttle = error
            self._window.throttled(started_at, now)
        else:
            self._moved_at = now
        if late:
            return False
        if error is None:
            self._window.succeeded()
            bisect.insort(self._durations_s, now - started_at)
            answer = cast(Answer, finished.answer)
            self._pace.took(self._work(self._tasks[number], answer), now - started_at)
            self._done.add(number)
            self._setbacks.pop(number, None)
            self._under_way.pop(number, None)
            return True
        if isinstance(error, Throttled):
            self._throttles[number] += 1
            self._try_again(number, now + error.retry_after_s + _backoff_s(self._throttles[number]))
        elif isinstance(error, Transient) and self._attempts[number] + 1 < MAX_ATTEMPTS:
            self._attempts[number] += 1
            self._setbacks[number] = error
            self._try_again(number, now + _backoff_s(self._attempts[number]))
        elif number not in self._under_way:
            self._failures[number] = error
        return False

    def _tell(self, finished: _Finished, outcome: Outcome) -> None:
        """Of a call that has the ``outcome`` unless it brought an error."""
        if self._observer is None:
            return
        call, ended_at, answer, error = finished
        if error is not None:
            outcome = "throttled" if isinstance(error, Throttled) else "failed"
        self._observer.ended(
            Ended(
                self._tasks[call.number],
                call.attempt,
                call.queued_at,
                call.started_at,
                ended_at,
                outcome,
                answer,
                error,
            )
        )

    def _outcome_without(self, call: _Call) -> Outcome:
        """Of a call that is waited for no longer."""
        return "late" if call.number in self._done else "given_up"

    def _tell_pace(self) -> None:
        if self._observer is not None:
            now = time.monotonic()
            running_s = sum(now - call.started_at for call in self._calls)
            self._observer.progress(len(self._calls), self._window.size, self._slow(now), running_s)

    def _slow(self, now: float) -> int:
        """How many tasks have been under way for more than twice the median of those that are done."""
        if not self._durations_s:
            return 0
        median_s = self._durations_s[len(self._durations_s) // 2]
        began_before = now - max(SLOW_FACTOR * median_s, SLOW_MIN_S)
        return sum(min(starts) < began_before for starts in self._under_way.values() if starts)

    def _give_up_calls(self, now: float) -> None:
        with contextlib.suppress(Empty):
            while finished := self._finished.get_nowait():  # it came back meanwhile
                self._tell(finished, self._outcome_without(finished.call))
                self._calls.discard(finished.call)
        for call in sorted(self._calls):
            self._tell(_Finished(call, now, None, None), self._outcome_without(call))
        self._calls.clear()
        self._tell_pace()

    def _try_again(self, number: int, not_before: float) -> None:
        if number not in self._under_way:  # or its other copy may still answer
            heapq.heappush(self._again, (not_before, number))


def _backoff_s(attempt: int) -> float:
    return random.uniform(0.0, min(MAX_BACKOFF_S, BACKOFF_S * 2.0 ** min(attempt, 30)))  # noqa: S311 - no secret
