"""Combs through access logs: requests, bytes, statuses and the most frequent paths for each hour of the day.

Without options, two formats are known, line by line: Combined Log Format, and that of AWS's Application Load
Balancers (ALB). ``asked`` answers all else.

- A line ends with ``\\n``, or with its object; one ``\\r`` before that is no part of it. Every line is in one
  part: the hour of its own time in UTC, or ``malformed``.
- NULs at the start of a line are skipped, and ``NUL_RUN`` of them or more end a line: logrotate's
  copytruncate leaves them, as many as the log was long.
- *Combined*: ``host ident user [day/Mon/year:hour:minute:second +hhmm] "request" status bytes "referer"
  "user agent"``. A user may be empty, and may hold spaces but no ``[``. ``-`` for bytes is 0.
- *ALB*: ``type time elb client target``, three durations, ``elb_status target_status received sent "request"
  "user agent"``. The status that counts is the load balancer's own, which may be ``-``.
- More fields may follow after a space: AWS adds some now and then, and people add their own. A line that
  could be read as both is ALB's.
- In a quoted string a backslash takes the next byte along, so ``\\"`` does not end it.
- A second of 60 is a leap second: it is taken at 23:59, in UTC or in the line's own zone.
- Malformed is all else: an empty or cut line, a time that does not exist, a status that is not three digits,
  a size that is negative or has more than 15 digits.
- A *path* is the request's target up to ``?``, in ALB's log that of the URL without scheme and host. The
  request is ``METHOD target HTTP/version``, where the target may hold spaces but not begin or end with one,
  or ``METHOD target`` without any, if the target begins with ``/`` or a scheme. Any other's path is ``-``.
- A path is shown as it stands, control characters too: who prints it makes it safe. A byte that is not UTF-8
  is shown as ``\\xff``, as servers that escape it write it; a replacement character would mix paths.
- A path of more than ``LONGEST_PATH`` bytes is shown by its beginning, size and SHA-256. So its line counts,
  no two paths are mixed, and answers have a bounded size. So is a path that holds what is shown of another.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from lambda_src.counts import Counted, OverParts, Ranked, Sums, counts_job
from lambda_src.counts.library import find_library
from lambda_src.input.findings import NUL_BYTES, Tally
from lambda_src.job import CompleteSums, Context, Input, Job, Line, Mapped, Part, Place, RowWriter, Span
from lambda_src.jobs.access_log.figures import figures_of
from lambda_src.jobs.access_log.formats import (
    CARRIAGE_RETURNS,
    CONCERNS,
    MALFORMED_LINES,
    NULS_IN_LINES,
    Noticed,
)
from lambda_src.jobs.access_log.lines import LINES, Skipped, original, without_nuls
from lambda_src.jobs.access_log.options import Options, is_default
from lambda_src.jobs.access_log.scan import (
    FAILED,
    HOURS,
    LIBRARY,
    MALFORMED,
    PARTS,
    REQUESTS,
    SENT,
    SENT_BITS,
    SENT_HIGH,
    Scan,
    Scanner,
)

RULES = "2"

PIECE_BYTES = 64 << 10
"""Of lines with NULs, taken at once: each run of them is remembered until its piece is counted."""

_CR_IN_A_LINE = re.compile(rb"\r(?!\n|\Z)")  # begins with a literal: that is looked for quickly


def choose_scanner() -> Scanner:
    """The scanner of this process. The other one is not imported: every cold start would pay for it."""
    if find_library(LIBRARY):
        from lambda_src.jobs.access_log.c_scan import Scan as InC  # noqa: PLC0415

        return InC
    from lambda_src.jobs.access_log.python_scan import Scan as InPython  # noqa: PLC0415

    return InPython


SCANNER = choose_scanner()


class Requests:
    """Counts the requests of one block, and what else its lines are. An error ends it."""

    def __init__(self, context: Context) -> None:
        self._scan, self._begin, self._extras = _scan_of(context)
        self._findings = {code: Tally() for code in CONCERNS}

    def add(self, chunk: bytes, at: Place) -> None:
        """Count the lines of ``chunk``, which begins at ``at``; only the last one of an object may lack its
        ``\n``. Raises TooManyDistinct, OutOfMemory."""
        if self._begin:
            self._begin(chunk, at)
        if first := _CR_IN_A_LINE.search(chunk):
            inside = chunk.count(b"\r") - chunk.count(b"\r\n") - chunk.endswith(b"\r")
            self._findings[CARRIAGE_RETURNS].note(at, inside, 0, first.start())
        for start, end, is_clean in _pieces(chunk):
            if is_clean:
                self._note(self._scan.add(chunk, start, end), [], at)
            else:
                self._add_copy(chunk[start:end], at._replace(offset=at.offset + start))

    def _add_copy(self, text: bytes, at: Place) -> None:
        """Count lines that have NULs, or whose last one lacks its ``\\n``."""
        skipped: list[Skipped] = []
        if b"\0" in text:
            text, skipped = without_nuls(text)
            first = skipped[0].at if skipped else 0
            self._findings[NUL_BYTES].note(at, sum(one.nuls for one in skipped), 0, first)
            if left := text.count(b"\0"):
                self._findings[NULS_IN_LINES].note(at, left, 0, original(text.index(b"\0"), skipped))
        if text and not text.endswith(b"\n"):
            text += b"\n"
        self._note(self._scan.add(text, 0, len(text)), skipped, at)

    def _note(self, noticed: Noticed, skipped: list[Skipped], at: Place) -> None:
        first = {code: original(offset, skipped) for code, offset in noticed.first.items()}
        self._findings[MALFORMED_LINES].note(
            at, noticed.malformed, noticed.lines, first.get(MALFORMED_LINES, 0)
        )
        for code, count in noticed.formats.items():
            self._findings[code].note(at, count, 0, first[code])

    def lines(self) -> Counted:
        """What was counted. This ends the counting. Raises TooManyDistinct, OutOfMemory."""
        findings = {code: tally.finding() for code, tally in self._findings.items() if tally.is_noted()}
        return Counted(self._scan.lines(), self._extras, findings)


def _scan_of(
    context: Context,
) -> tuple[Scan, Callable[[bytes, Place], None] | None, Mapping[str, int]]:
    """The function that scans lines, the one that takes the place of each chunk, and the extra counts."""
    if is_default(context.options):
        return SCANNER(context.shards), None, {}
    from lambda_src.jobs.access_log.asked import Scan as Asked  # noqa: PLC0415 - for those who ask

    asked = Asked(context)
    return asked, asked.begin, asked.extras


def _pieces(chunk: bytes) -> Iterator[tuple[int, int, bool]]:
    """Where pieces of whole lines begin and end: clean ones up to a line with a NUL, or without its newline,
    and ``PIECE_BYTES`` from such a line on. A clean one is not copied."""
    start = 0
    while start < len(chunk):
        nul = chunk.find(b"\0", start)
        end = chunk.rfind(b"\n", start, nul if nul >= 0 else len(chunk)) + 1
        is_clean = end > start
        if not is_clean:
            end = chunk.rfind(b"\n", start, start + PIECE_BYTES) + 1
            end = end or chunk.find(b"\n", start + PIECE_BYTES) + 1 or len(chunk)
        yield start, end, is_clean
        start = end


def _show(part: str, sums: Sums) -> dict[str, Any]:
    requests = sums.totals[REQUESTS]
    if part == MALFORMED:
        return {
            "lines": requests,
            **({} if sums.of_all is None else {"top_paths": [_top(path, REQUESTS) for path in sums.of_all]}),
        }
    named = dict(sums.named)
    seconds = {}
    if any(name.startswith("step ") for name in named):
        from lambda_src.jobs.access_log.asked import percentiles, take_steps  # noqa: PLC0415 - as above

        seconds = percentiles(take_steps(named))
    bytes_sent = named.pop(SENT, 0) + (named.pop(SENT_HIGH, 0) << SENT_BITS)
    return {
        "requests": requests,
        "bytes_sent": bytes_sent,
        **seconds,
        "status": dict(sorted(named.items())),
        "top_paths": [_top(path, REQUESTS) for path in sums.best[REQUESTS]],
        "top_paths_5xx": [_top(path, FAILED) for path in sums.best[FAILED]],
    }


def _top(path: Ranked, column: str) -> dict[str, Any]:
    return {"path": path.key, "count": path.counts[column]}


def _summarize(
    context: Context, extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    malformed_lines = results[MALFORMED]["lines"]
    requests = sum(results[hour]["requests"] for hour in HOURS)
    lines = {"lines": malformed_lines + requests, "malformed_lines": malformed_lines}
    if not is_default(context.options):
        from lambda_src.jobs.access_log.asked import lines_of  # noqa: PLC0415 - as above

        lines = lines_of(extras, malformed_lines, requests)
    hours = {hour: results[hour] for hour in HOURS}
    top_paths = results[MALFORMED].get("top_paths")  # a run of an older version has none
    return {
        **context.facts,
        **lines,
        "hours": hours,
        **({} if top_paths is None else {"top_paths": top_paths}),
    }


_HOURLY = functools.partial(
    counts_job,
    rules=RULES,
    part="hour",
    parts=PARTS,
    records=LINES,
    counter=Requests,
    key="path",
    columns=(REQUESTS, FAILED),
    over_parts=OverParts(REQUESTS, len(HOURS)),
    show=_show,
    summarize=_summarize,
    concerns=CONCERNS,
    figures=figures_of,
    options=Options,
)


@functools.lru_cache(maxsize=8)
def _job_of(options: Options) -> Job:
    """The counting job that answers."""
    if options.by == "hour":
        return _HOURLY(top=options.top)
    from lambda_src.jobs.access_log import asked  # noqa: PLC0415 - as above

    return _HOURLY(
        top=options.most_shown,
        key="key",
        columns=asked.COLUMNS,
        ranked_by=(REQUESTS,),
        inner=asked.inner_of(options),
        over_parts=None,
        show=asked.show,
        summarize=asked.summarize,
    )


def _of(context: Context) -> Job:
    return _job_of(context.options)


def _map(block: Span, source: Input, context: Context) -> Mapped:
    return _of(context).map(block, source, context)


def _combine(shard: int, lines: Iterable[bytes], context: Context) -> Line:
    return _of(context).combine(shard, lines, context)


def _reduce(shard: int, lines: Iterable[bytes], context: Context) -> Line:
    return _of(context).reduce(shard, lines, context)


def _finish(reduced: Iterable[bytes], context: Context) -> Mapping[str, Part]:
    return _of(context).finish(reduced, context)


def _sum_up(
    context: Context, extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    return _of(context).summarize(context, extras, results)


def _reduce_and_write(shard: int, lines: Iterable[bytes], context: Context, writer: RowWriter) -> Line:
    complete = _of(context).complete
    assert complete  # noqa: S101 - a counting job has them
    return complete.reduce(shard, lines, context, writer)


def _why_not_kept(options: Options) -> str:
    return (
        ""
        if options.by == "hour"
        else "complete sums are by hour and path: leave out keep (--all), or the option by."
    )


JOB = replace(
    _HOURLY(),
    map=_map,
    combine=_combine,
    reduce=_reduce,
    finish=_finish,
    summarize=_sum_up,
    complete=CompleteSums("path", (REQUESTS, FAILED), _reduce_and_write, _why_not_kept),
)
