"""Answers what is asked of logs through options. ``read`` knows the formats of lines; asked.c reads the most
common ones.

- By hour, a part is an hour and a key is a path, as without options. By anything else, a key is what is
  asked for, in one of the 24 parts by a hash of it. So no key is in two parts, and what is first over all
  parts is exact.
- A response time is counted in steps: each power of two has 64, so a percentile is within 0.8 %. Each step of
  a key that occurs is an inner key of it: at most one for each of its requests, and 2,560 in all.
- A key of more than ``LONGEST_KEY`` characters is shown by its beginning, size and SHA-256. A NUL is shown
  as ``\\x00``.
"""

import functools
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from lambda_src.counts import Column, Inner, Sums
from lambda_src.counts.library import find_library
from lambda_src.counts.table import INNER
from lambda_src.errors import SourceNotText
from lambda_src.job import Context, Line, Place
from lambda_src.jobs.access_log.formats import (
    MALFORMED_LINES,
    UNTIMED,
    Noticed,
    OtherColumns,
    format_of,
    strange_format_of,
)
from lambda_src.jobs.access_log.lines import NUL_RUN
from lambda_src.jobs.access_log.options import PERCENTILES, WEEKDAYS, Options
from lambda_src.jobs.access_log.scan import (
    ASKED_LIBRARY,
    HOURS,
    MALFORMED,
    REQUESTS,
    SENT,
    SENT_BITS,
    SENT_HIGH,
)

CLASSES = ("2xx", "3xx", "4xx", "5xx", "other")
COLUMNS = (REQUESTS, SENT, SENT_HIGH, *CLASSES, "timed", "micros", Column("slowest", "max"))
_NAMES = tuple(column if isinstance(column, str) else column.name for column in COLUMNS)
_SENT, _SENT_HIGH, _TIMED = 1, 2, 8

UNANSWERED = 1000
"""Stands for a status of ``-``."""

STEP = "step "
"""Begins the names of sums that count response times."""

FORMAT, OBJECT, LEFT_OUT, HEADERS = "format ", "object ", "filtered_out", "header_lines"
"""Extras: lines of each format, objects by the format of their first line, and the lines that are no requests
or none that were asked for."""

NO_LOG = "not a log line"

LONGEST_KEY = 300
_DIGEST = " bytes, SHA-256 "


class Counts(Protocol):
    """What one block counts. There is one in C, which also reads the most common formats, and one in Python
    for where the layer lacks the library. Both give the same bytes, whatever the chunks. An error ends it."""

    def read(self, chunk: bytes, start: int, end: int) -> tuple[int, int, int]:
        """Read and count lines of ``chunk[start:end]``. Returns how many; from where on lines were not read;
        and up to where. All lines between these two are for ``count``, or malformed."""

    def count(self, hour: int, status: int, key: bytes, sent: int, micros: int | None) -> None:
        """Count a request. Raises TooManyDistinct, OutOfMemory."""

    def lines_read(self) -> tuple[dict[str, int], int]:
        """How many lines of each format were read, and how many of them the filters left out."""

    def lines(self, malformed: int) -> Sequence[Line]:
        """What was counted, beside ``malformed`` lines. This ends the counting. Raises as ``count``."""


def counts_of(context: Context) -> Counts:
    """What counts a block in this process."""
    if find_library(ASKED_LIBRARY):
        from lambda_src.jobs.access_log.c_asked import Counts as InC  # noqa: PLC0415

        return InC(context.options, context.shards)
    from lambda_src.jobs.access_log.python_asked import Counts as InPython  # noqa: PLC0415

    return InPython(context.options, context.shards)


class Scan:
    """Counts the lines of one block (``scan.Scan``)."""

    def __init__(self, context: Context) -> None:
        from lambda_src.jobs.access_log.filters import filter_of  # noqa: PLC0415 - for those who ask
        from lambda_src.jobs.access_log.read import reader_of  # noqa: PLC0415

        options: Options = context.options
        self._counts = counts_of(context)
        self._read, self._takes = reader_of(options.format), filter_of(options)
        self._key = _key_of("path" if options.by == "hour" else options.by)
        self.extras: Counter[str] = Counter({LEFT_OUT: 0})
        self._malformed = 0
        self._wants_times = options.order in PERCENTILES
        self._is_auto = options.format in (None, "auto")
        self._strange_format_of = strange_format_of if self._is_auto else format_of
        self._key_of_object = ""

    def begin(self, chunk: bytes, at: Place) -> None:
        """Note where ``chunk`` is from. The first line of an object says its format: one that NULs come
        before is no first line, for a block may begin behind them."""
        self._key_of_object = at.key
        if at.begins_object():
            line = chunk[: chunk.find(b"\n") + 1 or len(chunk)].partition(bytes(NUL_RUN))[0]
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            with self._columns_named():
                request = self._read(line)
            if isinstance(request, str):
                kind = "cloudfront" if self._is_auto else "columns"
            else:
                kind = request.format if request and line[:1] != b"\0" else NO_LOG
            self.extras[OBJECT + kind] += 1

    @contextmanager
    def _columns_named(self) -> Iterator[None]:
        """Raise SourceNotText in place of OtherColumns."""
        try:
            yield
        except OtherColumns as columns:
            raise SourceNotText(
                f"{self._key_of_object} is in W3C's extended log format, with other columns than "
                f"CloudFront's standard logs. Name them: --set format='#Fields: {columns}'"
                if self._is_auto
                else f"{self._key_of_object} has other columns than format says: '#Fields: {columns}'. "
                "If they change within an object, divide it there, and run each part with its own"
            ) from None

    def add(self, chunk: bytes, start: int, end: int) -> Noticed:
        """Count the lines ``chunk[start:end]``, which all end with ``\\n``. Raises TooManyDistinct."""
        noticed = Noticed()
        while start < end:
            lines, strange, read = self._counts.read(chunk, start, end)
            noticed.lines += lines
            start = read
            while strange < read:
                slice_end = chunk.rfind(b"\n", strange, min(strange + _SLICE_BYTES, read)) + 1
                slice_end = slice_end or chunk.index(b"\n", strange) + 1
                with self._columns_named():
                    self._add_lines(chunk[strange : slice_end - 1].split(b"\n"), strange, noticed)
                strange = slice_end
        self._malformed += noticed.malformed
        return noticed

    def _add_lines(self, lines: list[bytes], at: int, noticed: Noticed) -> None:
        """The loop that takes the time, of lines that C does not read."""
        read, takes, key_of, count = self._read, self._takes, self._key, self._counts.count
        formats: Counter[str] = Counter()
        left_out = 0
        noticed.lines += len(lines)
        for number, line in enumerate(lines):
            request = read(line[:-1] if line[-1:] == b"\r" else line)
            if request is None or isinstance(request, str):
                if request is None:
                    self._note_malformed(lines, number, at, noticed)
                else:
                    self.extras[HEADERS] += 1
                continue
            kind, minute, _, _, _, _, status, sent, _, _, micros = request
            formats[kind] += 1
            if takes is not None and not takes(request):
                left_out += 1
                continue
            code = UNANSWERED if status == b"-" else int(status)
            count(minute // 60 % 24, code, key_of(request), sent, micros)
            if micros is None and self._wants_times:
                _note(UNTIMED, lines, number, at, noticed)
        self._note_read(formats, left_out)

    def _note_read(self, formats: Mapping[str, int], left_out: int) -> None:
        for kind, count in formats.items():
            self.extras[FORMAT + kind] += count
        self.extras[LEFT_OUT] += left_out

    def _note_malformed(self, lines: list[bytes], number: int, at: int, noticed: Noticed) -> None:
        noticed.malformed += 1
        _note(self._strange_format_of(lines[number]), lines, number, at, noticed)
        if MALFORMED_LINES not in noticed.first:
            noticed.first[MALFORMED_LINES] = at + sum(map(len, lines[:number])) + number

    def lines(self) -> Sequence[Line]:
        """What was counted. This ends the scan. Raises TooManyDistinct, OutOfMemory."""
        self._note_read(*self._counts.lines_read())
        return self._counts.lines(self._malformed)


_SLICE_BYTES = 1 << 20


def _note(code: str | None, lines: list[bytes], number: int, at: int, noticed: Noticed) -> None:
    """Note what a line of those that begin at ``at`` is, or lacks."""
    if code:
        noticed.formats[code] += 1
        if code not in noticed.first:
            noticed.first[code] = at + sum(map(len, lines[:number])) + number


def _key_of(by: str) -> Callable[[Any], Any]:
    from lambda_src.jobs.access_log.times import DAY, day_of  # noqa: PLC0415 - for those who ask

    @functools.lru_cache(maxsize=10_000)
    def of_day(day: int) -> bytes:
        date = day_of(day * DAY)
        text = {"day": str(date), "month": str(date)[:7], "weekday": WEEKDAYS[date.weekday()]}[by]
        return text.encode()

    if by in ("day", "month", "weekday"):
        return lambda request: of_day(request.minute // DAY)
    import operator  # noqa: PLC0415

    return operator.attrgetter(by)


@functools.lru_cache(maxsize=10_000)
def shown(key: bytes, hides_nul: bool = False) -> str:
    """A key as it is counted.

    >>> shown(b"/caf\\xff"), shown(b"\\0", hides_nul=True)
    ('/caf\\\\xff', '\\\\x00')
    """
    text = _decoded(key, hides_nul)
    if len(text) <= LONGEST_KEY and _DIGEST not in text:
        return text
    import hashlib  # noqa: PLC0415 - for keys that hardly ever occur

    digest = hashlib.sha256(key).hexdigest()
    return f"{_decoded(key[: LONGEST_KEY // 6], hides_nul)}... ({len(key)}{_DIGEST}{digest})"


def _decoded(key: bytes, hides_nul: bool) -> str:
    text = key.decode("utf-8", errors="backslashreplace")
    return text.replace(INNER, "\\x00") if hides_nul else text


def step_of(micros: int) -> int:
    """The step of a response time: 64 to each power of two.

    >>> step_of(0), step_of(1), step_of(2), step_of(1_000_000)
    (0, 192, 320, 2682)
    """
    fraction, exponent = math.frexp(micros)
    return exponent * 128 + int(fraction * 128)


def seconds_of(step: int) -> float:
    """The middle of a step."""
    exponent, of_128 = divmod(step, 128)
    return math.ldexp(of_128 + 0.5, exponent - 7) / 1_000_000 if step else 0.0


def percentile_steps(steps: Mapping[int, int]) -> dict[str, int]:
    """Of response times by step: the lowest steps that so many do not exceed."""
    total, below, found = sum(steps.values()), 0, {}
    for step in sorted(steps):
        for name, percent in PERCENTILES.items():
            if below < -(-percent * total // 100) <= below + steps[step]:
                found[name] = step
        below += steps[step]
    return found


def percentiles(steps: Mapping[int, int]) -> dict[str, float]:
    """``percentile_steps`` in seconds."""
    return {name: _seconds(step) for name, step in percentile_steps(steps).items()}


def _seconds(step: int) -> float:
    return float(f"{seconds_of(step):.5g}")


def inner_of(options: Options) -> Inner:
    """The figures made of a key's steps, and the order of keys, for these options."""
    return Inner(
        tuple(PERCENTILES), _figures, None if options.order in (None, REQUESTS) else _rank_of(options)
    )


def _figures(steps: Mapping[str, Sequence[int]]) -> list[int]:
    found = percentile_steps({int(step): counts[_TIMED] for step, counts in steps.items()})
    return [found.get(name, _NO_TIME) for name in PERCENTILES]


_NO_TIME = -1


def _rank_of(options: Options) -> Callable[[Sequence[int]], int | None]:
    """By what keys are ranked; a percentile of few requests says nothing, so those with fewer have none."""
    least = options.least_shown
    if options.order == "bytes":
        return lambda counts: (
            counts[_SENT] + (counts[_SENT_HIGH] << SENT_BITS) if counts[0] >= least else None
        )
    column = len(COLUMNS) + list(PERCENTILES).index(options.order or "")
    return lambda counts: counts[column] if counts[_TIMED] >= least else None


def take_steps(named: dict[str, int]) -> dict[int, int]:
    """The response times among the sums of a part, which are taken out."""
    return {int(name.removeprefix(STEP)): named.pop(name) for name in list(named) if name.startswith(STEP)}


def show(part: str, sums: Sums) -> dict[str, Any]:
    """A share of the keys."""
    if part == MALFORMED:
        return {"lines": sums.totals[REQUESTS]}
    steps = take_steps(dict(sums.named))
    return {
        "totals": _shown(sums.totals),
        "top": [
            {"key": one.key, **_shown(one.counts), **_percentiles(one.counts)} for one in sums.best[REQUESTS]
        ],
        "steps": {str(step): count for step, count in sorted(steps.items())},
    }


def _shown(counts: Mapping[str, int]) -> dict[str, int]:
    sent = counts[SENT] + (counts[SENT_HIGH] << SENT_BITS)
    rest = {name: counts.get(name, 0) for name in _NAMES if name not in (REQUESTS, SENT, SENT_HIGH)}
    return {REQUESTS: counts[REQUESTS], "bytes_sent": sent, **rest}


def _percentiles(counts: Mapping[str, int]) -> dict[str, float | None]:
    """In seconds. The middle of a step may lie above the slowest one; a percentile does not."""
    steps, slowest = {name: counts[name] for name in PERCENTILES}, counts["slowest"] / 1_000_000
    return {name: None if step == _NO_TIME else min(_seconds(step), slowest) for name, step in steps.items()}


def summarize(
    context: Context, extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The first keys of all."""
    options: Options = context.options
    parts = [results[hour] for hour in HOURS]
    steps: Counter[int] = Counter()
    for part in parts:
        steps.update({int(step): count for step, count in part["steps"].items()})
    totals = {
        name: (max if name == "slowest" else sum)(part["totals"][name] for part in parts)
        for name in parts[0]["totals"]
    }
    totals["timed"] = sum(steps.values())  # the sums of the parts also have the steps of their keys
    rows = []
    for one in _first(options, [one for part in parts for one in part["top"]]):
        timed = {**_timed(one), **{name: one[name] for name in PERCENTILES}} if steps else {}
        rows.append({options.by: one["key"], **_untimed(one), **timed})
    return {
        **context.facts,
        **lines_of(extras, results[MALFORMED]["lines"], totals[REQUESTS]),
        **_untimed(totals),
        **(_timed(totals) if steps else {}),
        **{name: min(found, totals["slowest"] / 1_000_000) for name, found in percentiles(steps).items()},
        **({"least": options.least_shown} if options.least_shown > 1 else {}),
        "top": rows,
    }


def _first(options: Options, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are shown: the first ones in the order that was asked for. Days, months and weekdays are
    in that of time, unless another was asked for."""
    by = {"bytes": "bytes_sent"}.get(options.order or "", options.order or REQUESTS)
    rows = [one for one in rows if one[REQUESTS] >= options.least_shown]
    rows = heapq.nsmallest(options.most_shown, rows, key=lambda one: (-one[by], one["key"]))
    if not options.is_in_order_of_time:
        return rows
    return sorted(
        rows, key=lambda one: (WEEKDAYS.index(one["key"]) if options.by == "weekday" else 0, one["key"])
    )


def lines_of(extras: Mapping[str, int], malformed: int, requests: int) -> dict[str, Any]:
    """What the lines are."""
    left_out, headers = extras.get(LEFT_OUT, 0), extras.get(HEADERS, 0)
    formats, objects = (
        {name.removeprefix(prefix): extras[name] for name in sorted(extras) if name.startswith(prefix)}
        for prefix in (FORMAT, OBJECT)
    )
    return {
        "lines": malformed + requests + left_out + headers,
        "malformed_lines": malformed,
        HEADERS: headers,
        LEFT_OUT: left_out,
        "formats": formats,
        "object_formats": objects,
    }


def _untimed(counts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: counts[name] for name in (REQUESTS, "bytes_sent", *CLASSES)}


def _timed(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds; of a key without any time, nothing is known."""
    timed = counts["timed"]
    return {
        "mean": round(counts["micros"] / timed / 1_000_000, 6) if timed else None,
        "slowest": counts["slowest"] / 1_000_000 if timed else None,
    }
