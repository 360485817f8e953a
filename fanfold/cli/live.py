"""Shows a running run: live on a terminal, elsewhere as a line every few seconds."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fanfold.format import dollars_text
from fanfold.runs.progress import Progress
from fanfold.signals import SIGNALS
from lambda_src.job import BYTES
from lambda_src.wire.record import RunRecord

PACE_S = 10.0
"""Seconds from which throughput and time left are calculated."""

LINE_EVERY_S = 5.0
"""Seconds between two lines in a pipe or a log."""

WIDEST_BAR = 100

DOING = {"parse": "Mapping blocks", "reduce": "Reducing parts", "log": "Logging results", "done": "Done"}


class Pace:
    """The throughput of the last ``PACE_S`` seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._kept = 0

    def note(self, now: float, units_done: int, blocks_kept: int = 0) -> None:
        """Note the units done by ``now``. Blocks of earlier invocations do not count."""
        if blocks_kept != self._kept:
            self._kept = blocks_kept
            self._seen.clear()
        if not self._seen or (units_done, now) != self._seen[-1][::-1]:
            self._seen.append((now, units_done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - PACE_S:
            self._seen.popleft()

    def units_per_s(self) -> float:
        """The throughput; 0 until it is known."""
        (since, first), (now, last) = (self._seen[0], self._seen[-1]) if self._seen else ((0, 0), (0, 0))
        return (last - first) / (now - since) if now > since else 0.0


class Moment(NamedTuple):
    """What to show at one moment."""

    progress: Progress
    units_per_s: float
    elapsed_s: float
    unit: str


def facts(moment: Moment) -> list[str]:
    """What is known besides the progress, most important first.

    >>> record = RunRecord(run_id="r", started_at=0.0, blocks=200, units=10**9, units_done=5 * 10**8)
    >>> facts(Moment(Progress(record, 0, 20), 1e8, 5.0, "bytes"))
    ['100.0 MB/s', 'about 5 s left']
    >>> record.calls = {"running": 2, "slow": 1}
    >>> facts(Moment(Progress(record, 0, 20), 1e8, 5.0, "bytes"))[:2]
    ['100.0 MB/s', '1 slow block']
    >>> record.calls = {"running": 40, "at_most": 250, "tried_again": 3, "throttled": 1, "copies": 2}
    >>> record.dollars = {"gb_s": 0.001, "s3_puts": 0.0005}
    >>> facts(Moment(Progress(record, 0, 20), 0.0, 5.0, "bytes"))[:4]
    ['40 of 250 Lambdas running', '3 retries', '1 throttle', '2 second copies']
    >>> facts(Moment(Progress(record, 0, 20), 0.0, 5.0, "bytes"))[4:]
    ['0.0015 dollars so far']
    """
    record = moment.progress.record
    found = []
    if record.stage == "parse":
        if moment.units_per_s > 0:
            found.append(_rate(moment.units_per_s, moment.unit))
        found += _time_left(moment)
    if record.calls:
        if record.stage != "done":
            found.append(_running(record))
        found.append(_number(record.calls.get("tried_again", 0), "retry", "retries"))
        found.append(_number(record.calls.get("throttled", 0), "throttle", "throttles"))
        if copies := record.calls.get("copies", 0):
            found.append(_number(copies, "second copy", "second copies"))
    if record.dollars:
        found.append(f"{dollars_text(sum(record.dollars.values()))} dollars so far")
    return found


def _time_left(moment: Moment) -> list[str]:
    """The time left in the first stage, if it is known. It is unknown while one block takes far longer than
    the others, such as an archive that one Lambda must unpack."""
    record = moment.progress.record
    if slow := record.calls.get("slow", 0):
        if slow == record.blocks - record.blocks_done:
            return [f"waiting for {_number(slow, 'block', 'blocks')}"]
        return [_number(slow, "slow block", "slow blocks")]
    left = record.units - record.units_done
    if moment.units_per_s > 0 and left > 0:
        return [f"about {_span(max(left / moment.units_per_s, 1))} left"]
    return []


def as_line(moment: Moment) -> str:
    """The moment as one line of text."""
    record, parts_done, parts = moment.progress
    if record.stage != "parse":
        doing = _doing(record)
        if parts and record.stage != "done":
            doing += f": {parts_done}/{parts} parts"
    elif record.blocks:
        doing = f"{_doing(record)}: {record.blocks_done:,}/{record.blocks:,} blocks"
    else:
        doing = "Reading the beginning of the input"
    return ", ".join([f"{_clock(moment.elapsed_s)} {doing}", *facts(moment)])


def as_picture(moment: Moment, width: int) -> RenderableType:
    """A bar for the blocks, one for the parts if they are counted, and the facts below, in ``width``
    columns."""
    record, parts_done, parts = moment.progress
    counts = [f"{record.blocks_done:,}/{record.blocks:,}" if record.blocks else "", f"{parts_done}/{parts}"]
    elapsed = _clock(moment.elapsed_s)
    widest = max(len(f"{record.blocks:,}/{record.blocks:,}"), len(counts[1]))
    bar_width = max(10, min(WIDEST_BAR, width - len("Blocks") - widest - len(elapsed) - 6))
    bars = Table.grid(padding=(0, 2, 0, 0))
    bars.add_column()
    bars.add_column()
    bars.add_column(justify="right")
    bars.add_column()
    bars.add_row(
        "Blocks",
        ProgressBar(
            total=record.blocks or None,
            completed=record.blocks_done,
            width=bar_width,
            pulse=not record.blocks,
            animation_time=moment.elapsed_s,
        ),
        counts[0],
        elapsed,
    )
    if parts:
        bars.add_row("Parts", ProgressBar(total=parts, completed=parts_done, width=bar_width), counts[1])
    lines = packed([_doing(record), *facts(moment)], width)
    return Group(bars, *(Text(line, style="dim", no_wrap=True, overflow="crop") for line in lines))


def packed(words: Sequence[str], width: int) -> list[str]:
    """``words``, separated by commas, in lines of at most ``width``. No word is broken.

    >>> packed(["one", "two", "three"], 9)
    ['one, two,', 'three']
    """
    lines: list[str] = []
    for place, word in enumerate(words):
        piece = word if place == len(words) - 1 else f"{word},"
        if lines and len(lines[-1]) + 1 + len(piece) <= width:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return lines


@contextmanager
def shown(
    console: Console, unit: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Progress], None]]:
    """Yields a function to call with the progress of the run, whose units are ``unit``. Afterwards the
    terminal is as it was."""
    pace, began_at, before_s = Pace(), clock(), 0.0

    def moment_of(progress: Progress) -> Moment:
        nonlocal before_s
        if not before_s:  # the run may have been started elsewhere, with a clock that is ahead
            before_s = max(0.0, time.time() - progress.record.started_at - (clock() - began_at)) or 1e-9
        now = clock()
        pace.note(now, progress.record.units_done, progress.record.blocks_kept)
        return Moment(progress, pace.units_per_s(), before_s + now - began_at, unit)

    if console.is_terminal and not console.is_dumb_terminal:
        live = Live(Text("Waiting for Lambda to start"), console=console, auto_refresh=False)
        with SIGNALS.cleanup(lambda: live.start(refresh=True), lambda _: live.stop()):
            yield lambda progress: live.update(as_picture(moment_of(progress), console.width), refresh=True)
        return

    said_at, said_stage = float("-inf"), ""

    def say(progress: Progress) -> None:
        nonlocal said_at, said_stage
        moment, stage = moment_of(progress), progress.record.stage
        if stage != said_stage or clock() >= said_at + LINE_EVERY_S:
            said_at, said_stage = clock(), stage
            console.print(Text(as_line(moment)), soft_wrap=True)

    yield say


def _rate(units_per_s: float, unit: str) -> str:
    return f"{units_per_s / 1e6:,.1f} MB/s" if unit == BYTES else f"{units_per_s:,.0f} {unit}/s"


def _doing(record: RunRecord) -> str:
    return "Reducing by key" if record.stage == "reduce" and record.shard_by == "key" else DOING[record.stage]


def _running(record: RunRecord) -> str:
    at_most = record.calls.get("at_most", record.max_concurrency)
    if record.stage == "reduce" and at_most == 1 and record.shards:
        return _number(record.shards, "reducer", "reducers")  # one call waits for all of them
    running = record.calls.get("running", 0)
    if at_most:
        return f"{running} of {at_most} Lambdas running"
    return f"{_number(running, 'Lambda', 'Lambdas')} running"


def _number(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _span(seconds: float) -> str:
    """A rough duration.

    >>> _span(119), _span(3600), _span(7200), _span(1e9)
    ('119 s', '60 min', '2 h', 'days')
    """
    for unit_s, unit in ((1, "s"), (60, "min"), (3600, "h")):
        if seconds < 120 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return "days"


def _clock(seconds: float) -> str:
    """A duration as on a stopwatch.

    >>> _clock(3725.9)
    '1:02:05'
    """
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
