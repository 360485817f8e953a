"""The fan-out: every task answered once, or every failure named."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.aws.connections import OTHER_FILES
from lambda_src.errors import (
    CapacityExhausted,
    FanOutFailed,
    InvalidRequest,
    SourceChanged,
    Throttled,
    Transient,
)
from lambda_src.fan_out import drivers
from lambda_src.fan_out import map_reduce as module
from lambda_src.fan_out.drivers import Finished
from lambda_src.fan_out.map_reduce import (
    MAX_ATTEMPTS,
    Ended,
    FanOut,
    Window,
    call_once,
    map_reduce,
)
from lambda_src.fields import MAX_CONCURRENCY


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_S", 0.0)


class Calls:
    """A callable that counts its calls by task and its most at once."""

    def __init__(self, behave: Callable[[int, int], int]) -> None:
        self._behave = behave
        self._lock = threading.Lock()
        self.by_task: Counter[int] = Counter()
        self.at_once = self.most_at_once = 0

    def __call__(self, task: int) -> int:
        with self._lock:
            self.by_task[task] += 1
            attempt = self.by_task[task]
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self._behave(task, attempt)
        finally:
            with self._lock:
                self.at_once -= 1


def run(calls: Callable[[int], int], tasks: int, max_concurrency: int = 8) -> list[tuple[int, int]]:
    folded: list[tuple[int, int]] = []
    map_reduce(
        calls,
        range(tasks),
        lambda task, answer: folded.append((task, answer)),
        name=lambda task: f"task {task}",
        max_concurrency=max_concurrency,
    )
    return sorted(folded)


@pytest.mark.parametrize("tasks", [0, 1, 7, 200])
@pytest.mark.parametrize("max_concurrency", [1, 8, 250])
def test_every_answer_is_folded_once(tasks: int, max_concurrency: int) -> None:
    calls = Calls(lambda task, _: task * task)
    assert run(calls, tasks, max_concurrency) == [(task, task * task) for task in range(tasks)]
    assert calls.most_at_once <= max_concurrency


def test_calls_run_at_once_up_to_the_bound() -> None:
    meeting = threading.Barrier(4, timeout=10)
    calls = Calls(lambda task, _: (meeting.wait() and task) or task)
    run(calls, 8, max_concurrency=4)
    assert calls.most_at_once == 4


def test_passing_faults_are_tried_again() -> None:
    def behave(task: int, attempt: int) -> int:
        if attempt < MAX_ATTEMPTS:
            raise Transient("a server error")
        return task

    calls = Calls(behave)
    assert len(run(calls, 20)) == 20
    assert set(calls.by_task.values()) == {MAX_ATTEMPTS}


def test_a_fault_that_does_not_pass_is_named_after_bounded_attempts() -> None:
    def behave(task: int, _: int) -> int:
        if task == 3:
            raise Transient("a crash")
        return task

    calls = Calls(behave)
    with pytest.raises(FanOutFailed, match=r"1 of 10 tasks failed. task 3: Transient: a crash"):
        run(calls, 10)
    assert calls.by_task[3] == MAX_ATTEMPTS


def test_throttles_are_not_counted_as_attempts() -> None:
    def behave(task: int, attempt: int) -> int:
        if attempt <= 3 * MAX_ATTEMPTS:
            raise Throttled("slow down")
        return task

    assert len(run(Calls(behave), 5)) == 5


def test_retry_after_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    started_at: list[float] = []

    def behave(task: int, attempt: int) -> int:
        started_at.append(time.monotonic())
        if attempt == 1:
            raise Throttled("slow down", retry_after_s=0.3)
        return task

    run(Calls(behave), 1)
    assert started_at[1] - started_at[0] >= 0.3


def test_without_any_room_the_fan_out_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALLED_S", 0.05)

    def behave(task: int, attempt: int) -> int:
        raise Throttled("slow down")

    with pytest.raises(CapacityExhausted, match="there is no room for more: slow down"):
        run(Calls(behave), 3)


def test_a_callers_mistake_is_not_tried_again_and_stops_the_start_of_more() -> None:
    def behave(task: int, attempt: int) -> int:
        raise InvalidRequest(f"task {task} is wrong")

    calls = Calls(behave)
    with pytest.raises(FanOutFailed) as caught:
        run(calls, 1000, max_concurrency=4)
    assert set(calls.by_task.values()) == {1}
    assert len(calls.by_task) < 1000
    assert len(caught.value.failures) == len(calls.by_task)


def test_all_failures_are_kept_and_the_first_are_in_the_message() -> None:
    everyone_is_in = threading.Barrier(8, timeout=10)

    def behave(task: int, attempt: int) -> int:
        everyone_is_in.wait()
        raise InvalidRequest("wrong")

    with pytest.raises(FanOutFailed, match=r"8 of 8 tasks failed.*\(and 5 more\)") as caught:
        run(Calls(behave), 8)
    assert caught.value.failures == tuple(f"task {task}: InvalidRequest: wrong" for task in range(8))


def test_a_task_that_was_to_be_tried_again_is_named_too() -> None:
    first_has_failed = threading.Event()

    def behave(task: int, attempt: int) -> int:
        if task == 0:
            first_has_failed.set()
            raise Transient("a crash")
        assert first_has_failed.wait(10)
        raise InvalidRequest("wrong")

    with pytest.raises(FanOutFailed) as caught:
        map_reduce(Calls(behave), range(2), lambda *_: None, name=str, max_concurrency=2)
    assert caught.value.failures == ("0: Transient: a crash", "1: InvalidRequest: wrong")


def test_a_bug_is_named_and_chained() -> None:
    def behave(task: int, attempt: int) -> int:
        return task // 0

    with pytest.raises(FanOutFailed, match="ZeroDivisionError") as caught:
        run(Calls(behave), 2, max_concurrency=1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def wrong(_: int) -> int:
    raise InvalidRequest("wrong")


def test_the_only_task_is_named_too() -> None:
    with pytest.raises(FanOutFailed, match=r"^1 of 1 task failed. task 0: InvalidRequest: wrong$") as caught:
        run(wrong, 1)
    assert caught.value.failures == ("task 0: InvalidRequest: wrong",)


def test_the_failure_of_one_call_is_raised_as_it_is() -> None:
    with pytest.raises(InvalidRequest, match=r"^wrong$"):
        call_once(wrong, 0)


def test_one_call_is_tried_again() -> None:
    def behave(task: int, attempt: int) -> int:
        if attempt < MAX_ATTEMPTS:
            raise Transient("a server error")
        return task

    assert call_once(Calls(behave), 7) == 7


def test_a_straggler_gets_one_second_copy_and_the_first_answer_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRAGGLER_MIN_S", 0.0)
    monkeypatch.setattr(module, "TICK_S", 0.01)
    released = threading.Event()

    def behave(task: int, attempt: int) -> int:
        if task == 0 and attempt == 1:
            assert released.wait(30)
            return -1
        return task

    calls = Calls(behave)
    try:
        assert run(calls, 30) == [(task, task) for task in range(30)]
    finally:
        released.set()
    assert calls.by_task[0] == 2


def test_copies_of_a_straggler_are_attempts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a task that always fails late would be tried for as long as one copy outlives the other."""
    monkeypatch.setattr(module, "STRAGGLER_MIN_S", 0.0)
    monkeypatch.setattr(module, "TICK_S", 0.01)
    started = [threading.Event() for _ in range(4 * MAX_ATTEMPTS)]

    def behave(task: int, attempt: int) -> int:
        if task > 0:
            return task
        started[attempt].set()
        started[attempt + 1].wait(0.5)  # fails only once the next copy is under way, if there is one
        raise Transient("crashed")

    calls = Calls(behave)
    with pytest.raises(FanOutFailed, match="Transient: crashed"):
        run(calls, 30)
    assert calls.by_task[0] == MAX_ATTEMPTS


def one_slow_task_of_30(work: Callable[[int, int | None], float], ticks: int) -> Calls:
    """Task 0 is under way for so many ticks, or until it has a second copy."""
    released = threading.Event()
    left = ticks

    def tick() -> None:
        nonlocal left
        left -= 1
        if not left:
            released.set()

    def behave(task: int, attempt: int) -> int:
        if task == 0 and attempt == 1:
            assert released.wait(30)
        elif task == 0:
            released.set()
        return task

    calls = Calls(behave)
    map_reduce(calls, range(30), lambda *_: None, name=str, max_concurrency=30, tick=tick, work=work)
    return calls


@pytest.mark.parametrize("first", [None, Transient("no answer")])
def test_a_copy_that_fails_for_good_is_the_last_one(first: Transient | None) -> None:
    """The first call hangs, and each copy would fail at once: until the first one comes back."""
    state: FanOut[int, str] = FanOut(range(20), 20, 0.0)
    calls = [call for _ in range(20) if (call := state.next_call(0.0))]
    for call in calls[1:]:
        state.settle(Finished(call, 0.1, "done", None), 0.1)
    copies, now = 0, 0.1
    while now < 60.0:
        now += 0.5
        if copy := state.next_call(now):
            copies += 1
            state.settle(Finished(copy, now, None, SourceChanged("replaced")), now)
    assert copies == 1
    assert not state.is_over, "the first call may still succeed"
    state.settle(Finished(calls[0], now, "done", first), now)
    assert state.is_over
    assert {number: str(error) for number, error in state.failures().items()} == (
        {0: "replaced"} if first else {}
    )


@pytest.mark.parametrize(
    ("work", "copies"),
    [
        (lambda task, _: 1.0 if task == 0 else 0.0, 1),  # an archive: its other blocks have nothing to do
        (lambda task, _: 1e9 if task == 0 else 1.0, 1),  # a block that is a thousand million times as large
        (lambda task, _: 1e9, 2),
        (lambda task, _: 1e9 if task == 0 else 1.1e9, 2),  # the last block is a little smaller than others
        (lambda task, _: 0.0, 2),
        (lambda task, answer: 5.0 if answer is None else 0.0, 1),  # only an answer tells that it was empty
    ],
)
def test_a_straggler_is_told_by_its_work(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[int, int | None], float], copies: int
) -> None:
    monkeypatch.setattr(module, "STRAGGLER_MIN_S", 0.0)
    monkeypatch.setattr(module, "TICK_S", 0.01)
    calls = one_slow_task_of_30(work, 20 if copies == 1 else 2000)
    assert calls.by_task[0] == copies


def test_few_siblings_say_nothing_of_a_straggler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRAGGLER_MIN_S", 0.0)
    monkeypatch.setattr(module, "TICK_S", 0.01)
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 10:
            released.set()

    released = threading.Event()
    calls = Calls(lambda task, _: int(released.wait(30)) and task if task == 0 else task)
    map_reduce(calls, range(9), lambda *_: None, name=str, max_concurrency=9, tick=tick)
    assert calls.by_task[0] == 1


def test_what_tick_raises_ends_the_fan_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)
    released = threading.Event()
    calls = Calls(lambda task, _: int(released.wait(30)))

    def tick() -> None:
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            map_reduce(calls, range(100), lambda *_: None, name=str, max_concurrency=2, tick=tick)
    finally:
        released.set()
    assert sum(calls.by_task.values()) == 2


def threads_beyond(known: Collection[threading.Thread]) -> int:
    """How many others there are: those that are known may end, if an earlier test has left them ending."""
    return len(set(threading.enumerate()) - set(known))


def all_end_beyond(known: Collection[threading.Thread]) -> bool:
    """Whether the others end before long."""
    deadline = time.monotonic() + 10
    while threads_beyond(known):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


class GivenUp(Exception):
    """What a tick raises."""


@pytest.fixture
def blocked_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Room for 150 threads; calls that block until the event is set, all at once from the start."""
    monkeypatch.setattr(drivers, "_thread_slots", threading.BoundedSemaphore(150))
    monkeypatch.setattr(module, "TICK_S", 0.01)
    released = threading.Event()
    yield released
    released.set()


def give_up(released: threading.Event, blocked: int = 100) -> None:
    """A fan-out that is given up once so many calls are blocked."""
    begun = Counter[str]()

    def tick() -> None:
        if begun["calls"] == blocked:
            raise GivenUp

    def call(_: int) -> None:
        begun["calls"] += 1
        assert released.wait(30)

    with pytest.raises(GivenUp):
        map_reduce(call, range(1000), lambda *_: None, name=str, max_concurrency=100, tick=tick)


def test_fan_outs_that_are_given_up_pile_up_no_threads(
    monkeypatch: pytest.MonkeyPatch, blocked_calls: threading.Event
) -> None:
    """An invocation may find its process warm, with the calls of those before it still under way."""
    before = threading.enumerate()
    for blocked in (100, 50, 0, 0, 0):
        give_up(blocked_calls, blocked)
        assert threads_beyond(before) <= 150
    assert threads_beyond(before) == 150

    # With no thread left, the next one says so ...
    monkeypatch.setattr(module, "STALLED_S", 0.05)
    with pytest.raises(CapacityExhausted, match="Calls that were given up earlier have held all 500 threads"):
        run(lambda task: task, 3)
    # ... or waits, and works as soon as some calls have ended.
    monkeypatch.setattr(module, "STALLED_S", 30.0)
    ticks = iter(range(1000))
    folded: list[int] = []
    map_reduce(
        lambda task: task,
        range(1000),
        lambda task, _: folded.append(task),
        name=str,
        max_concurrency=100,
        tick=lambda: blocked_calls.set() if next(ticks) == 3 else None,
    )
    assert sorted(folded) == list(range(1000))
    assert all_end_beyond(before)


def test_with_few_threads_left_a_fan_out_is_only_slower(blocked_calls: threading.Event) -> None:
    before = threading.enumerate()
    give_up(blocked_calls)
    meeting = threading.Barrier(50, timeout=10)
    calls = Calls(lambda task, _: (meeting.wait() and task) or task)
    assert len(run(calls, 300, max_concurrency=100)) == 300
    assert calls.most_at_once == 50
    assert not blocked_calls.is_set()
    blocked_calls.set()
    assert all_end_beyond(before)


def test_a_request_may_ask_for_as_many_calls_as_there_may_be_connections() -> None:
    assert MAX_CONCURRENCY + OTHER_FILES == 1024


@given(
    st.integers(1, 1000),
    st.lists(st.one_of(st.sampled_from(["ended", "goes on"]), st.integers(0, 1000)), max_size=500),
)
def test_the_window_stays_within_its_bounds(limit: int, events: list[str | int]) -> None:
    window = Window(limit)
    assert window.size == limit
    for now, event in enumerate(events, start=1):
        before = window.size
        if isinstance(event, str):
            window.accepted(has_ended=event == "ended")
            assert before <= window.size <= before + (1 if event == "ended" else 2)
        else:
            window.throttled(now, now, event)
            assert window.size == max(min(before, event), 1)
        assert 1 <= window.size <= limit


class Books:
    """An observer that keeps what it is told, and sees that it is told in the caller's thread."""

    def __init__(self) -> None:
        self.calls: list[Ended] = []
        self.paces: list[tuple[int, int, int]] = []
        self._thread = threading.get_ident()

    def ended(self, call: Ended) -> None:
        assert threading.get_ident() == self._thread
        self.calls.append(call)

    def progress(self, running: int, at_most: int, slow: int, running_s: float) -> None:
        assert threading.get_ident() == self._thread
        assert bool(running_s) == bool(running)
        self.paces.append((running, at_most, slow))

    def outcomes(self, task: int) -> list[str]:
        return [call.outcome for call in self.calls if call.task == task]


FAULTS: dict[str, Exception] = {
    "throttled": Throttled("slow down"),
    "crashes": Transient("a crash"),
    "refuses": InvalidRequest("wrong"),
}
DEEDS = st.lists(st.sampled_from([*FAULTS, "answers"]), max_size=7)


@given(st.lists(DEEDS, max_size=9), st.integers(1, 8))
@settings(deadline=None, max_examples=60)
def test_every_call_is_reported_once(deeds: list[list[str]], max_concurrency: int) -> None:
    """What the stub did, in any order of outcomes; behind them, every task answers."""
    did: list[tuple[int, int, str]] = []

    def behave(task: int, attempt: int) -> int:
        does = ([*deeds[task], "answers"] + ["answers"] * attempt)[attempt - 1]
        did.append((task, attempt, does))
        if does in FAULTS:
            raise FAULTS[does]
        return task

    calls, books, folded = Calls(behave), Books(), Counter[int]()
    with contextlib.suppress(FanOutFailed):
        map_reduce(
            calls,
            range(len(deeds)),
            lambda task, _: folded.update([task]),
            name=str,
            max_concurrency=max_concurrency,
            observer=books,
        )
    outcome = {"answers": "done", "throttled": "throttled", "crashes": "failed", "refuses": "failed"}
    told = [(call.task, call.attempt, call.outcome) for call in books.calls]
    assert sorted(told) == sorted((task, attempt, outcome[does]) for task, attempt, does in did)
    assert Counter(call.task for call in books.calls if call.outcome == "done") == folded
    for call in books.calls:
        assert call.queued_at <= call.started_at <= call.ended_at
        assert (call.error is None) == (call.outcome == "done")
    assert books.paces[-1][0] == 0


def test_a_call_that_is_tried_again_was_queued_from_its_backoff_on() -> None:
    def behave(task: int, attempt: int) -> int:
        if attempt == 1:
            raise Throttled("slow down", retry_after_s=0.2)
        return task

    books = Books()
    map_reduce(Calls(behave), range(1), lambda *_: None, name=str, max_concurrency=1, observer=books)
    first, second = books.calls
    assert first.queued_at <= first.ended_at <= second.queued_at - 0.2 <= second.started_at


def test_a_copy_that_lost_is_reported_though_it_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STRAGGLER_MIN_S", 0.0)
    monkeypatch.setattr(module, "TICK_S", 0.01)
    released = threading.Event()
    calls = Calls(lambda task, attempt: int(released.wait(30)) if (task, attempt) == (0, 1) else task)
    books = Books()
    try:
        map_reduce(calls, range(30), lambda *_: None, name=str, max_concurrency=8, observer=books)
    finally:
        released.set()
    assert sorted(books.outcomes(0)) == ["done", "late"]
    assert {call.attempt: call.outcome for call in books.calls if call.task == 0} == {1: "late", 2: "done"}
    assert books.paces[-1][0] == 0


def test_tasks_that_take_far_longer_than_those_that_are_done_are_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two of five: nobody can tell when they end."""
    monkeypatch.setattr(module, "SLOW_MIN_S", 0.0)
    monkeypatch.setattr(module, "TICK_S", 0.01)
    released, books = threading.Event(), Books()

    def behave(task: int, _attempt: int) -> int:
        if task < 2:
            released.wait(30)
        return task

    def tick() -> None:
        if books.paces[-1] == (2, 5, 2):
            released.set()

    map_reduce(
        Calls(behave), range(5), lambda *_: None, name=str, max_concurrency=5, tick=tick, observer=books
    )
    assert released.is_set()
    assert books.paces[-1] == (0, 5, 0)


def test_calls_that_are_given_up_are_reported_with_the_time_until_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)
    released = threading.Event()
    books, started, ticks_at = Books(), set[int](), []

    def call(task: int, _: int) -> int:
        started.add(task)
        return int(released.wait(30)) if task else task

    def tick() -> None:
        ticks_at.append(time.monotonic())
        if len(started) == 3:
            raise GivenUp

    try:
        with pytest.raises(GivenUp):
            map_reduce(
                Calls(call),
                range(100),
                lambda *_: None,
                name=str,
                max_concurrency=2,
                tick=tick,
                observer=books,
            )
    finally:
        released.set()
    assert [(call.task, call.outcome) for call in books.calls] == [
        (0, "done"),
        (1, "given_up"),
        (2, "given_up"),
    ]
    assert books.paces[-2:] == [(2, 2, 0), (0, 2, 0)]
    assert all(ended.started_at <= ticks_at[-1] <= ended.ended_at for ended in books.calls[1:])


def test_the_window_shrinks_to_what_was_accepted_then_doubles_a_round_to_half_then_climbs_by_one() -> None:
    window = Window(100)
    window.throttled(1.0, 2.0, 99)
    for under_way in range(98, 29, -1):
        window.throttled(1.5, 2.1, under_way)  # started before the first throttle: half is still 50
    assert window.size == 30
    for _ in range(20):
        window.accepted(has_ended=True)
    assert window.size == 50
    for _ in range(51):
        window.accepted(has_ended=True)
    assert window.size == 51


def test_a_service_that_accepts_nothing_says_nothing_of_how_much_it_would() -> None:
    window = Window(100)
    for started_at in range(9):
        window.throttled(started_at, started_at + 0.5, 0)
    assert window.size == 1
    for size in range(2, 51):
        window.accepted(has_ended=True)
        assert window.size == size
