"""A run's calls as a page draws them: stages, lanes, how many ran at a time, percentiles.

A worker measures durations by its own clock; its caller sees when a call began and ended. So the stages end
where the call ended, and the rest, at the start, is *waiting for Lambda*: the request, and the creation of an
environment if no warm one was free.
"""

import heapq
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fanfold.safe_text import visible
from lambda_src.fan_out.map_reduce import STRAGGLER_FACTOR
from lambda_src.fan_out.outcomes import OUTCOMES
from lambda_src.fields import Function
from lambda_src.telemetry.calls import Call, Trace

COORDINATORS: frozenset[Function] = frozenset({"parse_file", "get_all_occurrences"})
"""Functions that only wait for others, so percentiles and concurrency do not count them."""

STRAGGLER_MIN_CALLS = 10
STRAGGLER_MIN_S = 0.25
"""Seconds by which a straggler exceeds the median of its siblings, at least. It also takes
``STRAGGLER_FACTOR`` times as long, when the engine starts a second copy."""

MOST_CALLS = 12_000
MOST_NOTABLE = 4_000
"""Most calls that a page shows one by one, and most of those that were not simply done."""

MOST_FAULTS = 200
"""Most rows of the table of faults."""

MOST_ERRORS, ERROR_CHARS, NAME_CHARS = 200, 300, 48
MOST_POINTS, MOST_SLICES = 1_500, 40
"""Most points of a curve, which is as wide as a large screen, and most rows of its table."""

TICKS = 10_000
"""Times in the page's data are whole numbers of ticks, 10,000 a second."""


class Stages(NamedTuple):
    """Where one call's time went, in seconds. If the call reported nothing, all after ``queued`` is
    ``unmeasured``."""

    queued: float
    lambda_: float = 0.0
    init: float = 0.0
    fetch: float = 0.0
    compute: float = 0.0
    store: float = 0.0
    unmeasured: float = 0.0


STAGE_NAMES = {
    "queued": "Queued",
    "lambda_": "Waiting for Lambda",
    "init": "Cold start",
    "fetch": "Fetching",
    "compute": "Computing",
    "store": "Storing",
}


OUTCOME_NAMES = {outcome: outcome.replace("_", " ") for outcome in OUTCOMES}
OUTCOME_MARKS = {
    "done": "",
    "late": "late",
    "throttled": "throttled",
    "failed": "failed",
    "given_up": "failed",
}
"""The sign that the timeline draws at the end of a call."""


class Percentiles(NamedTuple):
    """In seconds."""

    p50: float
    p90: float
    p99: float
    most: float


class Measured(NamedTuple):
    """The distribution of the durations of one function's calls, or of one stage of them, and their sum in
    seconds."""

    name: str
    calls: int
    spread: Percentiles
    total_s: float


class FunctionTimes(NamedTuple):
    """``whole`` is from the start of a call to its end, without queueing. ``stages`` are those that took
    time; ``requests`` are by the names of ``prices.ITEMS``."""

    name: str
    cold: int
    whole: Measured
    stages: list[Measured]
    requests: dict[str, float]


class Fault(NamedTuple):
    """A call that was not simply done the first time: ``number`` is its place in the page's data, or -1."""

    number: int
    at_s: float
    seconds: float
    function: str
    task: str
    attempt: int
    marks: list[str]
    error: str


class Timeline(NamedTuple):
    """``data`` is for the page's script, which draws it; the rest is for the template."""

    data: dict[str, Any]
    shown: int
    calls: int
    peak: int
    functions: list[FunctionTimes]
    shares: list[tuple[str, str, float]]
    counts: dict[str, int]
    faults: list[Fault]
    faults_in_all: int

    def curve(self) -> list[tuple[float, int, int]]:
        """Second, most running and most queued calls, in at most ``MOST_SLICES`` slices."""
        running, waiting = self.data["running"], self.data["waiting"]
        slices = min(MOST_SLICES, len(running))
        edges = [len(running) * number // slices for number in range(slices + 1)]
        slice_s = self.data["seconds"] / len(running)
        return [
            (start * slice_s, max(running[start:end]), max(waiting[start:end]))
            for start, end in itertools.pairwise(edges)
        ]


def stages(call: Call) -> Stages:
    """Where the call's time went.

    >>> from lambda_src.telemetry.calls import Usage
    >>> usage = Usage(1769, init_ms=250, handler_ms=500, fetch_ms=125, store_ms=125, requests={})
    >>> stages(Call("parse_block", "block 0", 1, 10.0, 11.0, 12.0, "done", "", usage))
    Stages(queued=1.0, lambda_=0.25, init=0.25, fetch=0.125, compute=0.25, store=0.125, unmeasured=0.0)
    """
    queued_s = max(call.started_at - call.queued_at, 0.0)
    seconds = max(call.ended_at - call.started_at, 0.0)
    usage = call.usage
    if usage is None:
        return Stages(queued_s, unmeasured=seconds)
    handler_s, init_s = usage.handler_ms / 1000, usage.init_ms / 1000
    fetch_s, store_s = usage.fetch_ms / 1000, usage.store_ms / 1000
    return Stages(
        queued_s,
        max(seconds - init_s - handler_s, 0.0),
        init_s,
        fetch_s,
        max(handler_s - fetch_s - store_s, 0.0),
        store_s,
    )


def percentile(in_order: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of 100 do not exceed.

    >>> percentile([1, 2, 3, 4], 50), percentile([1, 2, 3, 4], 51)
    (2, 3)
    """
    return in_order[max(math.ceil(percent / 100 * len(in_order)), 1) - 1]


def lanes(calls: Sequence[Call]) -> list[int]:
    """The lane of each call: the lowest that is free. ``calls`` are in the order of their start."""
    free: list[int] = []
    taken: list[tuple[float, int]] = []
    found = []
    for call in calls:
        while taken and taken[0][0] <= call.started_at:
            heapq.heappush(free, heapq.heappop(taken)[1])
        lane = heapq.heappop(free) if free else len(taken)
        heapq.heappush(taken, (max(call.ended_at, call.started_at), lane))
        found.append(lane)
    return found


def at_once(spans: Iterable[tuple[float, float]]) -> list[tuple[float, int]]:
    """The number of open spans from each time on.

    >>> at_once([(0, 2), (1, 2), (2, 3)])
    [(0, 1), (1, 2), (2, 1), (3, 0)]
    """
    changes: dict[float, int] = defaultdict(int)
    for start, end in spans:
        if end > start:
            changes[start] += 1
            changes[end] -= 1
    number, found = 0, []
    for time in sorted(changes):
        number += changes[time]
        found.append((time, number))
    return found


def thinned(steps: Sequence[tuple[float, int]], end: float, points: int) -> list[int]:
    """The maximum in each of ``points`` slices of ``[0, end)``, so that no peak is lost.

    >>> thinned([(0, 1), (1, 5), (1.5, 2), (3, 0)], 4, 4)
    [1, 5, 2, 0]
    """
    most = [0] * points
    number = at = 0
    for slice_number in range(points):
        until = end * (slice_number + 1) / points
        if not (at < len(steps) and steps[at][0] <= end * slice_number / points):
            most[slice_number] = number
        while at < len(steps) and steps[at][0] < until:
            number = steps[at][1]
            most[slice_number] = max(most[slice_number], number)
            at += 1
    return most


def timeline_of(trace: Trace, limit: int) -> Timeline:
    """The timeline of the calls of ``trace``; at most ``limit`` were allowed to run at once."""
    calls = sorted(trace.calls, key=lambda call: (call.started_at, call.queued_at))
    start = min((min(call.queued_at, call.started_at) for call in calls), default=0.0)
    end = max((max(call.ended_at, call.started_at) for call in calls), default=start)
    slow, copies = _stragglers(calls), _copies(calls)
    notable = [
        number
        for number, call in enumerate(calls)
        if call.outcome != "done" or call.attempt > 1 or number in slow or number in copies
    ]
    shown = _shown(len(calls), notable)
    workers = [call for call in calls if call.function not in COORDINATORS and call.outcome != "throttled"]
    running = at_once((call.started_at - start, call.ended_at - start) for call in workers)
    waiting = at_once((call.queued_at - start, call.started_at - start) for call in workers)
    points = min(MOST_POINTS, max(50, 2 * len(calls)))
    place = {number: row for row, number in enumerate(shown)}
    return Timeline(
        data={
            "start": round(start, 3),
            "seconds": round(end - start, 4),
            "limit": limit,
            "ticks": TICKS,
            "stages": [stage for stage in STAGE_NAMES.items() if stage[0] != "queued"],
            "outcomes": [OUTCOME_NAMES[outcome] for outcome in OUTCOMES],
            "marks": [OUTCOME_MARKS[outcome] for outcome in OUTCOMES],
            "running": thinned(running, end - start, points),
            "waiting": thinned(waiting, end - start, points),
            **_columns(
                [calls[number] for number in shown],
                [(number in slow) + 2 * (number in copies) for number in shown],
                start,
            ),
        },
        shown=len(shown),
        calls=len(calls),
        peak=max((number for _, number in running), default=0),
        functions=_by_function(calls),
        shares=_shares(calls),
        counts=_counts(calls, slow, copies),
        faults=[
            _fault(calls[number], start, place.get(number, -1), number in slow, number in copies)
            for number in _evenly(notable, MOST_FAULTS)
        ],
        faults_in_all=len(notable),
    )


def _fault(call: Call, start: float, number: int, slow: bool, copy: bool) -> Fault:
    return Fault(
        number,
        call.started_at - start,
        call.ended_at - call.started_at,
        visible(call.function)[:NAME_CHARS],
        visible(call.task)[:NAME_CHARS],
        call.attempt,
        _marks(call, slow, copy),
        _cut(visible(call.error)),
    )


def _stragglers(calls: Sequence[Call]) -> frozenset[int]:
    """The numbers of stragglers, by comparing calls with their siblings: cold calls with cold ones, if there
    are enough."""
    siblings: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for number, call in enumerate(calls):
        if call.function not in COORDINATORS and call.outcome in ("done", "late"):
            siblings[call.function, bool(call.usage and call.usage.init_ms)].append(number)
    found = set()
    for numbers in siblings.values():
        if len(numbers) < STRAGGLER_MIN_CALLS:
            continue
        median_s = percentile(sorted(_seconds(calls[number]) for number in numbers), 50)
        late_s = max(STRAGGLER_FACTOR * median_s, median_s + STRAGGLER_MIN_S)
        found |= {number for number in numbers if _seconds(calls[number]) > late_s}
    return frozenset(found)


def _copies(calls: Sequence[Call]) -> frozenset[int]:
    """Calls that began while another call of the same task was running."""
    under_way: dict[tuple[str, str], float] = {}
    found = set()
    for number, call in enumerate(calls):
        task = call.function, call.task
        if call.started_at < under_way.get(task, -math.inf):
            found.add(number)
        under_way[task] = max(under_way.get(task, -math.inf), call.ended_at)
    return frozenset(found)


def _seconds(call: Call) -> float:
    return max(call.ended_at - call.started_at, 0.0)


def _shown(calls: int, notable: Sequence[int]) -> list[int]:
    """The calls that the page shows one by one: the notable ones first, then evenly from the others."""
    if calls <= MOST_CALLS:
        return list(range(calls))
    kept = set(_evenly(notable, MOST_NOTABLE))
    others = [number for number in range(calls) if number not in kept]
    return sorted(kept | set(_evenly(others, MOST_CALLS - len(kept))))


def _evenly(numbers: Sequence[int], most: int) -> list[int]:
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[place * len(numbers) // most] for place in range(most)]


def _columns(calls: Sequence[Call], flags: Sequence[int], start: float) -> dict[str, Any]:
    """Column by column and in whole numbers, so that 10,000 calls take half a megabyte. Flag 1 is a
    straggler, 2 a second copy."""
    functions, tasks, errors = _Names(), _Names(), _Names(MOST_ERRORS)
    columns: dict[str, list[int]] = {name: [] for name in _COLUMNS}
    before = 0
    for call, lane, flag in zip(calls, lanes(calls), flags, strict=True):
        task, number = _numbered(call.task)
        usage = call.usage
        at = round((call.started_at - start) * TICKS)
        row = (
            functions.number(visible(call.function)[:NAME_CHARS]),
            tasks.number(visible(task)[:NAME_CHARS]),
            number,
            call.attempt,
            lane,
            OUTCOMES.index(call.outcome),
            flag,
            errors.number(_cut(visible(call.error))) if call.error else -1,
            round(max(call.started_at - call.queued_at, 0.0) * TICKS),
            at - before,
            round(_seconds(call) * TICKS),
            round(usage.init_ms * 10) if usage else -1,
            round(usage.handler_ms * 10) if usage else 0,
            round(usage.fetch_ms * 10) if usage else 0,
            round(usage.store_ms * 10) if usage else 0,
        )
        before = at
        for name, value in zip(_COLUMNS, row, strict=True):
            columns[name].append(value)
    return {
        "functions": functions.names,
        "coordinators": [int(name in COORDINATORS) for name in functions.names],
        "tasks": tasks.names,
        "errors": errors.names,
        "calls": columns,
    }


_COLUMNS = (
    *("function", "task", "number", "attempt", "lane", "outcome", "flags", "error"),
    *("queued", "after", "took", "init", "handler", "fetch", "store"),
)


class _Names:
    """Repeated texts, each stored once."""

    def __init__(self, most: int = MOST_CALLS) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._most = most

    def number(self, name: str) -> int:
        if name not in self._numbers and len(self.names) > self._most:
            name = "…"
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


def _numbered(task: str) -> tuple[str, int]:
    """A task that ends with a number, split in two.

    >>> _numbered("block 7"), _numbered("block 07"), _numbered("run")
    (('block', 7), ('block 07', -1), ('run', -1))
    """
    if found := re.fullmatch(r"(.*) (0|[1-9][0-9]{0,8})", task, re.DOTALL | re.ASCII):
        return found[1], int(found[2])
    return task, -1


def _cut(text: str) -> str:
    return text if len(text) <= ERROR_CHARS else f"{text[:ERROR_CHARS]}…"


def _marks(call: Call, slow: bool, copy: bool) -> list[str]:
    """What was unusual about a call, in words."""
    outcome = [] if call.outcome == "done" else [OUTCOME_NAMES[call.outcome]]
    marks = {"straggler": slow, "second copy": copy, "retry": call.attempt > 1}
    return [*outcome, *(name for name, holds in marks.items() if holds)]


BEGINNINGS = ("cold", "warm", "refused", "unknown")


def _beginning(call: Call) -> str:
    """How the call began: cold, warm, refused if it was throttled, or unknown if it never answered."""
    if call.usage:
        return "cold" if call.usage.init_ms else "warm"
    return "refused" if call.outcome == "throttled" else "unknown"


def _counts(calls: Sequence[Call], slow: frozenset[int], copies: frozenset[int]) -> dict[str, int]:
    """The number of calls of each kind; a call may be of several. ``cold``, ``warm``, ``refused`` and
    ``unknown`` add up to all calls."""
    return {
        **dict.fromkeys(BEGINNINGS, 0),
        **Counter(map(_beginning, calls)),
        "straggler": len(slow),
        "copy": len(copies),
        **{outcome: sum(call.outcome == outcome for call in calls) for outcome in OUTCOMES},
        "retry": sum(call.attempt > 1 for call in calls),
    }


def _by_function(calls: Sequence[Call]) -> list[FunctionTimes]:
    """Times of the calls that answered, in the order in which the functions were first called."""
    by_name: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.usage and call.outcome in ("done", "late"):
            by_name[visible(call.function)[:NAME_CHARS]].append(call)
    found = []
    for name, its in by_name.items():
        spent = [stages(call) for call in its]
        measured = [
            _measured(text, [getattr(stage, field) for stage in spent]) for field, text in STAGE_NAMES.items()
        ]
        cold = [stage.init for stage in spent if stage.init]
        if cold:  # the row of warm calls would be all zeros
            measured[list(STAGE_NAMES).index("init")] = _measured(STAGE_NAMES["init"], cold)
        requests: Counter[str] = Counter()
        for call in its:
            requests.update(call.usage.requests if call.usage else {})
        found.append(
            FunctionTimes(
                name,
                len(cold),
                _measured("From call to answer", [_seconds(call) for call in its]),
                [] if name in COORDINATORS else [stage for stage in measured if stage.spread.most],
                dict(requests),
            )
        )
    return found


def _measured(name: str, values: Iterable[float]) -> Measured:
    in_order = sorted(values)
    spread = Percentiles(*[percentile(in_order, percent) for percent in (50, 90, 99, 100)])
    return Measured(name, len(in_order), spread, sum(in_order))


def _shares(calls: Sequence[Call]) -> list[tuple[str, str, float]]:
    """Stage, its name, and its seconds, summed over all workers."""
    totals = dict.fromkeys(STAGE_NAMES, 0.0)
    for call in calls:
        if call.function not in COORDINATORS and call.usage:
            for field, seconds in stages(call)._asdict().items():
                if field in totals:
                    totals[field] += seconds
    return [(field, STAGE_NAMES[field], totals[field]) for field in STAGE_NAMES if field != "queued"]
