"""The fan-out as a state machine, in virtual time: its laws, and what small accounts pay."""

import random
from collections import Counter
from collections.abc import Callable, Generator

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from lambda_src.errors import (
    CapacityExhausted,
    FanOutFailed,
    InvalidRequest,
    RunCancelled,
    Throttled,
    Transient,
)
from lambda_src.fan_out import map_reduce as module
from lambda_src.fan_out.drivers import Call
from lambda_src.fan_out.map_reduce import ACCEPTED_S, MAX_ATTEMPTS, Ended, FanOut, Window, fan_out, map_reduce
from tests.simulated_calls import Course, SimulatedCalls

ERRORS: dict[str, BaseException] = {
    "throttled": Throttled("slow down"),
    "asked to wait": Throttled("slow down", retry_after_s=7.0),
    "crashes": Transient("a crash"),
    "refuses": InvalidRequest("wrong"),
    "has a bug": ZeroDivisionError("division by zero"),
}
deeds = st.tuples(st.sampled_from([*ERRORS, "answers", "answers", "answers"]), st.floats(0.0, 20.0))
scripts = st.lists(st.lists(deeds, max_size=7), max_size=60)
"""What each task's calls do, in turn; behind them, it answers."""


class Checked(SimulatedCalls):
    """Carries out ``script``, and checks each start against the state that asked for it."""

    def __init__(self, script: list[list[tuple[str, float]]], quota: float) -> None:
        super().__init__(self._course, quota=quota)
        self._script = script

    def _course(self, task: int, call: Call) -> Course:
        does, seconds = [*self._script[task], *[("answers", 1.0)] * call.attempt][call.attempt - 1]
        if does == "answers":
            return Course(seconds, answer=(task, call.attempt))
        return Course(seconds, error=ERRORS[does])


class Books:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[Ended] = []
        self.running: list[int] = []

    def ended(self, call: Ended) -> None:
        self.calls.append(call)

    def progress(self, running: int, at_most: int, slow: int, running_s: float) -> None:
        assert 0 <= slow <= running
        self.running.append(running)


@given(
    scripts,
    st.integers(1, 70),
    st.one_of(st.just(float("inf")), st.integers(1, 70)),
    st.integers(0, 2**32),
    st.one_of(st.none(), st.integers(0, 30)),
)
@settings(deadline=None, max_examples=300)
def test_the_laws(
    script: list[list[tuple[str, float]]], limit: int, quota: float, seed: int, gives_up_at: int | None
) -> None:
    """Whatever the calls do: it ends; no task is tried for ever; no more calls are under way than allowed;
    each task is folded once, and each call that was started is told once."""
    random.seed(seed)
    driver, books, folded = Checked(script, quota), Books(), Counter[int]()
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == gives_up_at:
            raise RunCancelled("enough")

    def fold(task: int, answer: tuple[int, int]) -> None:
        assert answer[0] == task
        folded[task] += 1

    outcome = "ended"
    try:
        map_reduce(
            driver, range(len(script)), fold, name=str, max_concurrency=limit, tick=tick, observer=books
        )
    except (FanOutFailed, RunCancelled, CapacityExhausted) as error:
        outcome = type(error).__name__
    event(outcome)

    assert driver.is_closed
    assert not driver.in_flight
    assert driver.most_in_flight <= limit
    assert set(folded.values()) <= {1}
    if outcome == "ended":
        assert set(folded) == set(range(len(script)))

    started = [(task, call.attempt, call.started_at) for task, call in driver.started]
    assert sorted((call.task, call.attempt, call.started_at) for call in books.calls) == sorted(started)
    assert Counter(call.task for call in books.calls if call.outcome == "done") == folded
    assert {(call.queued_at <= call.started_at <= call.ended_at) for call in books.calls} <= {True}
    given_up = sum(call.outcome == "given_up" for call in books.calls)
    late = sum(call.outcome == "late" for call in books.calls)
    assert len(driver.abandoned) <= given_up + late  # some come back at the last moment
    assert given_up == 0 or outcome != "ended"
    assert all(count <= MAX_ATTEMPTS for count in counted(books.calls).values())
    assert not books.running or books.running[-1] == 0


def counted(calls: list[Ended]) -> Counter[int]:
    """The calls of each task, without those that were throttled."""
    return Counter(call.task for call in calls if call.outcome != "throttled")


@given(scripts, st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32))
@settings(deadline=None, max_examples=100)
def test_a_throttle_leaves_no_more_room_than_was_accepted(
    script: list[list[tuple[str, float]]], limit: int, quota: int, seed: int
) -> None:
    driver, tasks = Checked(script, quota), range(len(script))
    state: FanOut[int, tuple[int, int]] = FanOut(
        tasks, limit, driver.now(), jitter=lambda most_s: most_s * random.Random(seed).random()
    )
    for _ in range(1000):
        if state.is_over:
            break
        while call := state.next_call(driver.now()):
            assert state.progress(driver.now())[0] <= state.progress(driver.now())[1] <= limit
            driver.start(call, tasks[call.number])
        for finished in driver.wait(state.nap_s(driver.now())):
            before = state.progress(driver.now())[1]
            ended = state.settle(finished, driver.now())
            running, room, *_ = state.progress(driver.now())
            if ended.outcome == "throttled":
                assert room == max(min(before, running), 1)
            else:
                assert before <= room <= before + 1
    assert state.is_over


def test_without_throttles_everything_is_under_way_at_once() -> None:
    driver = SimulatedCalls(lambda task, _: Course(1.0, task))
    map_reduce(driver, range(950), lambda *_: None, name=str, max_concurrency=950)
    assert driver.most_in_flight == driver.requests == 950
    assert driver.time == 1001.0


def test_the_first_throttles_stop_the_start_of_more() -> None:
    """An account that allows 10 is not asked 950 times."""
    driver = SimulatedCalls(lambda task, _: Course(5.0, task), quota=10, start_s=0.001)
    began_at = driver.time
    answers: Generator[tuple[int, int]] = fan_out(driver, range(950), name=str, max_concurrency=950)
    next(answers)
    assert sum(call.started_at < began_at + 4 for _, call in driver.started) < 64
    answers.close()


def test_a_single_throttle_costs_some_seconds_and_not_some_rounds() -> None:
    """The calls that were not throttled have been accepted, though they go on for long."""
    spurious = Throttled("slow down")
    driver = SimulatedCalls(
        lambda task, call: (
            Course(0.02, error=spurious) if (task, call.attempt) == (9, 1) else Course(13.0, task)
        ),
        start_s=0.001,
    )
    began_at = driver.time
    map_reduce(driver, range(400), lambda *_: None, name=str, max_concurrency=950)
    last = max(call.started_at for _, call in driver.started)
    assert last < began_at + 5 * ACCEPTED_S


class FormerWindow(Window):
    """As it was: 64 calls at first, halved by a throttle, once for all calls under way; one more with each
    answer, and from half on one a round."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._size = min(64.0, self._limit)

    def accepted(self, *, has_ended: bool) -> None:
        growth = 1.0 if self._size < self._threshold else 1.0 / self._size
        self._size = min(self._size + growth, self._limit)

    def throttled(self, started_at: float, now: float, under_way: int) -> None:
        if started_at >= self._cut_at:
            self._cut_at = now
            self._size = max(self._size / 2, 1.0)
            self._threshold = self._size


@pytest.mark.parametrize("tasks", [64, 250, 1000])
@pytest.mark.parametrize("quota", [2, 9, 20, 50, 300])
@pytest.mark.parametrize("call_s", [0.6, 5.0])
def test_an_account_or_a_function_with_little_concurrency_pays_no_more_than_before(
    monkeypatch: pytest.MonkeyPatch, tasks: int, quota: int, call_s: float
) -> None:
    """Of the account, or reserved for the function. What the workers are billed for is the same;
    ``parse_file`` is billed for the time of all. Requests that are throttled cost nothing, but must not be
    many."""

    def spend(window: Callable[[int], Window], limit: int) -> tuple[float, int]:
        monkeypatch.setattr(module, "Window", window)
        monkeypatch.setattr(module, "ACCEPTED_S", float("inf") if window is FormerWindow else ACCEPTED_S)
        seconds, requests = 0.0, 0
        for seed in range(5):
            random.seed(seed)
            numbers = random.Random(seed)

            def course(task: int, _: Call, numbers: random.Random = numbers) -> Course:
                return Course(call_s * numbers.uniform(0.7, 1.3), task)

            driver = SimulatedCalls(course, quota=quota, start_s=0.001)
            began_at = driver.time
            map_reduce(driver, range(tasks), lambda *_: None, name=str, max_concurrency=limit)
            seconds += driver.time - began_at
            requests += driver.requests
        return seconds, requests

    (seconds, requests), (former_seconds, former_requests) = spend(Window, 950), spend(FormerWindow, 250)
    assert seconds <= 1.04 * former_seconds
    assert requests <= 1.25 * former_requests
