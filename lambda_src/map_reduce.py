"""Fan out over tasks, fold the answers: a sliding window of calls with retries. Knows no job.

The window starts small and grows by one with every answer, as TCP's does: a sudden burst is what S3 answers
with 503 and a small account with 429. A throttled call halves it, once for all calls that were under way,
and from then on it grows by one a round.
"""

import bisect
import heapq
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeVar

from lambda_src.errors import FanfoldError, FanOutFailed, Throttled, Transient

Task = TypeVar("Task")
Answer = TypeVar("Answer")

FIRST_WINDOW = 16
MAX_ATTEMPTS = 5
"""Of one task, throttled ones not counted: those say nothing of the task."""

STALLED_S = 120.0
"""With every call throttled for so long, there is no room for this fan-out."""

BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
TICK_S = 0.5
STRAGGLER_FACTOR = 3.0
STRAGGLER_MIN_DONE = 10
STRAGGLER_MIN_S = 1.0
NAMED_FAILURES = 3


class Window:
    """How many calls may be under way at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = float(min(FIRST_WINDOW, limit))
        self._threshold = float(limit)
        self._cut_at = float("-inf")

    @property
    def size(self) -> int:
        """At least 1, at most the limit."""
        return int(self._size)

    def succeeded(self) -> None:
        """Grow: by one below the threshold, by one a round above it."""
        growth = 1.0 if self._size < self._threshold else 1.0 / self._size
        self._size = min(self._size + growth, float(self._limit))

    def throttled(self, started_at: float, now: float) -> None:
        """Halve, unless the call started before the last cut: that one answers for it."""
        if started_at >= self._cut_at:
            self._cut_at = now
            self._size = max(self._size / 2, 1.0)
            self._threshold = self._size


class _Done(NamedTuple):
    index: int
    started_at: float
    answer: object
    error: Exception | None


def map_reduce(
    call: Callable[[Task], Answer],
    tasks: Sequence[Task],
    fold: Callable[[Task, Answer], None],
    *,
    name: Callable[[Task], str],
    max_concurrency: int,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Call ``call(task)`` for every task in threads, at most ``max_concurrency`` at once, and give each
    answer to ``fold(task, answer)`` once, in the caller's thread, in the order of arrival.

    Throttled and Transient calls are tried again with full-jitter backoff. A call that runs three times as
    long as its siblings' median gets a second copy, and the first answer wins: ``call`` must be idempotent.
    Any other failure stops the start of new calls; those under way are waited for. ``tick`` runs about
    every half second; what it raises ends the fan-out at once.

    Raises FanOutFailed, which names each failed task by ``name(task)``.
    """
    if not tasks:
        return
    window = Window(max_concurrency)
    results: SimpleQueue[_Done] = SimpleQueue()
    waiting = [(0.0, index) for index in range(len(tasks))]  # a heap of (not before, task)
    under_way: dict[int, list[float]] = {}  # task -> when its copies started
    attempts = [0] * len(tasks)
    throttles = [0] * len(tasks)
    done: set[int] = set()
    failures: dict[int, Exception] = {}
    durations: list[float] = []  # sorted
    calls = 0
    moved_at = ticked_at = time.monotonic()

    def run(index: int, started_at: float) -> None:
        try:
            results.put(_Done(index, started_at, call(tasks[index]), None))
        except Exception as error:  # carried to the caller's thread, which sorts it
            results.put(_Done(index, started_at, None, error))

    def start(index: int, now: float) -> None:
        nonlocal calls
        calls += 1
        under_way.setdefault(index, []).append(now)
        executor.submit(run, index, now)

    executor = ThreadPoolExecutor(max_workers=max_concurrency)
    try:
        while under_way or (waiting and not failures):
            now = time.monotonic()
            while not failures and waiting and calls < window.size and waiting[0][0] <= now:
                start(heapq.heappop(waiting)[1], now)
            if not failures and not waiting and calls < window.size:
                for index in _stragglers(under_way, durations, len(tasks), now)[: window.size - calls]:
                    start(index, now)

            if now - ticked_at >= TICK_S:
                ticked_at = now
                tick()
            if now - moved_at > STALLED_S and not under_way:
                raise FanOutFailed(f"Every call was throttled for {STALLED_S:.0f} s: the account has no room.")

            not_before = waiting[0][0] - now if waiting and not failures and calls < window.size else TICK_S
            try:
                result = results.get(timeout=min(max(not_before, 0.001), TICK_S))
            except Empty:
                continue

            now = time.monotonic()
            calls -= 1
            index = result.index
            copies = under_way.get(index, [])
            if result.started_at in copies:
                copies.remove(result.started_at)
            if not copies:
                under_way.pop(index, None)
            if isinstance(result.error, Throttled):
                window.throttled(result.started_at, now)
            else:
                moved_at = now
            if index in done or index in failures:
                continue
            if result.error is None:
                window.succeeded()
                bisect.insort(durations, now - result.started_at)
                done.add(index)
                under_way.pop(index, None)
                fold(tasks[index], result.answer)  # type: ignore[arg-type]
            elif isinstance(result.error, Throttled):
                throttles[index] += 1
                if index not in under_way:
                    delay = result.error.retry_after_s + _backoff_s(throttles[index])
                    heapq.heappush(waiting, (now + delay, index))
            elif isinstance(result.error, Transient) and attempts[index] + 1 < MAX_ATTEMPTS:
                attempts[index] += 1
                if index not in under_way:
                    heapq.heappush(waiting, (now + _backoff_s(attempts[index]), index))
            elif index not in under_way:
                failures[index] = result.error
    finally:
        # Without waiting: a copy that lost, or calls that `tick` gave up, may still be under way.
        executor.shutdown(wait=False, cancel_futures=True)

    if failures:
        named = tuple(
            f"{name(tasks[index])}: {type(error).__name__}: {error}" for index, error in sorted(failures.items())
        )
        foreseen = all(isinstance(error, FanfoldError) for error in failures.values())
        more = f" (and {len(named) - NAMED_FAILURES} more)" if len(named) > NAMED_FAILURES else ""
        message = f"{len(named)} of {len(tasks)} tasks failed. {' '.join(named[:NAMED_FAILURES])}{more}"
        cause = None if foreseen else next(iter(failures.values()))
        raise FanOutFailed(message, named) from cause


def _backoff_s(attempt: int) -> float:
    return random.uniform(0.0, min(MAX_BACKOFF_S, BACKOFF_S * 2.0**attempt))


def _stragglers(
    under_way: dict[int, list[float]], durations: list[float], tasks: int, now: float
) -> list[int]:
    """The tasks under way in one copy that run much longer than their siblings did, longest first."""
    if len(durations) < max(STRAGGLER_MIN_DONE, tasks / 2):
        return []
    limit = max(STRAGGLER_FACTOR * durations[len(durations) // 2], STRAGGLER_MIN_S)
    late = [(starts[0], index) for index, starts in under_way.items() if len(starts) == 1]
    return [index for started_at, index in sorted(late) if now - started_at > limit]
