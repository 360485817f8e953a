"""Combs through access logs: requests, bytes, statuses and the most frequent paths for each hour of the day.

Two formats are known, line by line: Combined Log Format, and that of AWS's Application Load Balancers (ALB).

- A line ends with ``\\n``, or with its object; one ``\\r`` before that is no part of it. Every line is in one
  part: the hour of its own time in UTC, or ``malformed``.
- *Combined*: ``host ident user [day/Mon/year:hour:minute:second +hhmm] "request" status bytes "referer"
  "user agent"``. A user may hold spaces but no ``[``. ``-`` for bytes is 0.
- *ALB*: ``type time elb client target``, three durations, ``elb_status target_status received sent "request"
  "user agent"``. The status that counts is the load balancer's own, which may be ``-``.
- More fields may follow after a space: AWS adds some now and then, and people add their own. A line that
  could be read as both is ALB's.
- In a quoted string a backslash takes the next byte along, so ``\\"`` does not end it.
- Malformed is all else: an empty or cut line, a day or an hour that does not exist, a status that is not
  three digits, a size that is negative or has more than 15 digits.
- A *path* is the request's target up to ``?``, in ALB's log that of the URL without scheme and host. It is
  ``-`` where the request is not ``METHOD target HTTP/version`` with single spaces.
- A path is shown as it stands, control characters too: who prints it makes it safe. A byte that is not UTF-8
  is shown as ``\\xff``, as servers that escape it write it; a replacement character would mix paths.
- A path of more than ``LONGEST_PATH`` bytes is shown by its beginning, size and SHA-256. So its line counts,
  no two paths are mixed, and answers have a bounded size. What is shown holds spaces, as no other path does.
"""

import heapq
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct

from lambda_src.job import Input, Job, Mapped, Owned, Place, Reduced, Span, check_lines, pieces_of
from lambda_src.records import delimited

RULES = "1"

HOURS = tuple(str(hour) for hour in range(24))
MALFORMED = "malformed"
PARTS = (*HOURS, MALFORMED)

LINES = delimited("line", b"\n", longest_bytes=8 << 20)
"""A server cuts what it logs long before that; a file without any newline must not fill the memory."""

TOP = 10
LONGEST_PATH = 2048
"""Bytes. 24 hours of 20 such paths fit Lambda's 6 MB, even if JSON needs 6 bytes for each of theirs."""

SLICE_BYTES = 1 << 18
"""Matched at once: lines of one byte become tuples of 150."""

MAX_HELD_PATHS_BYTES = 200_000_000
"""Estimated memory of the distinct paths that a block holds at once, those of each hour apart: a quarter of a
million of 60 bytes. With more, what was counted is written to its lines, and counting begins again."""
MAX_SUMMED_PATHS_BYTES = 600_000_000
"""The same for what a reducer sums at once; with more it sums in several passes, each over some paths."""
ENTRY_BYTES = 300
"""Estimated memory of a path in a dictionary beside its own bytes."""
BYTES_PER_PATH_BYTE = 8
"""A block's path is held as bytes, as text and as JSON, which may write one byte as six."""

MAX_KNOWN_TIMES = 100_000


def _text(stops: bytes = b"") -> bytes:
    """The pattern of what stands in a quoted string up to its end, or up to one of ``stops``. Possessive, so
    that no line takes more than linear time, or much memory."""
    plain = rb'[^"\\\n' + stops + rb"]*+"
    return plain + rb"(?:\\[^\n" + stops + rb"]?+" + plain + rb")*+"


def _request(origin: bytes) -> bytes:
    """The pattern of a quoted request; groups: the path, and a mark where there is one."""
    return (
        rb'"(?:[A-Za-z_-]+ (?! )' + origin + rb"(" + _text(b" ?") + rb")"
        rb"(?:\?" + _text(b" ") + rb")?( )HTTP/[0-9](?:\.[0-9])?|" + _text() + rb')"'
    )


_QUOTED = rb'"' + _text() + rb'"'
_MINUTE = rb"[0-5][0-9]"
_SIZE = rb"[0-9]{1,15}"
_END = rb"(?: [^\n]*)?\r?\n"
_ALB = (
    rb"[a-z0-9]+ ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}):" + _MINUTE + rb":" + _MINUTE + rb"(?:\.[0-9]+)?Z"
    rb" [^ \n]+ [^ \n]+ [^ \n]+ [-.0-9]+ [-.0-9]+ [-.0-9]+ "
    rb"([0-9]{3}|-) (?:[0-9]{3}|-) " + _SIZE + rb" (" + _SIZE + rb") "
    + _request(rb"(?:[A-Za-z]+://" + _text(b" ?/") + rb")?") + rb" " + _QUOTED + _END
)  # fmt: skip
_COMBINED = (
    rb"[^ \n]+ [^ \n]+ [^[\n]+ "
    rb"\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:" + _MINUTE + rb"):" + _MINUTE + rb" ([+-][0-9]{4})\] "
    + _request(b"") + rb" ([0-9]{3}) (?:(" + _SIZE + rb")|-) " + _QUOTED + rb" " + _QUOTED + _END
)  # fmt: skip
_LINE = re.compile(rb"(?:" + _ALB + rb"|" + _COMBINED + rb"|[^\n]*\n)")
"""Matches every line, so that none can be lost between two matches."""

_MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}


class _PartLine(Struct):
    """What a block's line holds of one part; ``paths`` has requests, and those answered with 5xx."""

    requests: int
    bytes_sent: int
    status: dict[str, int]
    paths: dict[str, list[int]]


class _Tally:
    """What one part of a block has so far."""

    __slots__ = ("bytes_sent", "paths", "pieces", "requests", "status")

    def __init__(self) -> None:
        self.requests = self.bytes_sent = 0
        self.status: dict[bytes, int] = {}
        self.paths: dict[bytes, list[int]] = {}
        self.pieces: list[bytes] = []

    def write(self) -> None:
        """Write what there is to the part's line, as a piece of it, and forget it."""
        if self.pieces and not self.status:
            return
        paths: dict[str, list[int]] = {}
        for path, (count, count_5xx) in self.paths.items():
            counts = paths.setdefault(path.decode("utf-8", errors="backslashreplace"), [0, 0])
            counts[0] += count
            counts[1] += count_5xx
        self.paths.clear()
        status = {status.decode("ascii"): count for status, count in self.status.items()}
        requests = sum(status.values())
        self.pieces.append(msgspec.json.encode(_PartLine(requests, self.bytes_sent, status, paths)))
        self.requests += requests
        self.bytes_sent = 0
        self.status.clear()

    def line(self) -> bytes:
        """The part's line, its pieces with tabs between."""
        self.write()
        line = b"\t".join(self.pieces)
        self.pieces.clear()
        return line


class _Parts(dict[bytes, int]):
    """The part of each time, as the log writes it up to minute or hour; worked out once."""

    def __missing__(self, time: bytes) -> int:
        if len(self) >= MAX_KNOWN_TIMES:
            self.clear()
        part = self[time] = _part_of(time)
        return part


def _part_of(time: bytes) -> int:
    """The part of ``2026-11-22T23`` or ``22/Nov/2026:23:59+0530``.

    >>> _part_of(b"2026-11-22T23"), _part_of(b"22/Nov/2026:23:59+0530"), _part_of(b"29/Feb/2026:00:00+0000")
    (23, 18, 24)
    """
    malformed = len(HOURS)
    if time[4:5] == b"-":
        year, month, day, hour = int(time[:4]), int(time[5:7]), int(time[8:10]), int(time[11:13])
        minutes = 60 * hour
    else:
        year, month, day, hour = int(time[7:11]), _MONTHS.get(time[3:6], 0), int(time[:2]), int(time[12:14])
        offset_hours, offset_minutes = int(time[18:20]), int(time[20:22])
        if offset_hours > 23 or offset_minutes > 59:
            return malformed
        offset = 60 * offset_hours + offset_minutes
        minutes = 60 * hour + int(time[15:17]) + (offset if time[17:18] == b"-" else -offset)
    try:
        date(year, month, day)
    except ValueError:
        return malformed
    return minutes // 60 % 24 if hour <= 23 else malformed


class _BlockTally:
    """What a block has so far, fed in chunks that cut no line."""

    def __init__(self) -> None:
        self._tallies = [_Tally() for _ in HOURS]
        self._malformed_lines = 0
        self._parts = _Parts()
        self._paths_bytes = 0

    def add(self, chunk: bytes, _at: Place) -> None:
        """Count the lines of ``chunk``; only the last one of an object may lack its ``\\n``. Raises
        TooManyDistinct."""
        if not chunk.endswith(b"\n"):
            chunk += b"\n"
        start = 0
        while start < len(chunk):
            end = chunk.rfind(b"\n", start, start + SLICE_BYTES) + 1
            end = end or chunk.index(b"\n", start + SLICE_BYTES) + 1
            self._add_lines(chunk, start, end)
            if self._paths_bytes > MAX_HELD_PATHS_BYTES:
                self._write()
            start = end

    def _write(self) -> None:
        """Write what there is to the lines. Raises TooManyDistinct."""
        for tally in self._tallies:
            tally.write()
        self._paths_bytes = 0
        check_lines([sum(map(len, tally.pieces)) for tally in self._tallies])

    def _add_lines(self, chunk: bytes, start: int, end: int) -> None:
        """The loop that takes the time: see ``benchmarks/jobs.py`` before and after a change."""
        parts, tallies, malformed = self._parts, self._tallies, len(HOURS)
        for alb_time, alb_status, alb_sent, alb_path, alb_mark, time, zone, path, mark, status, sent in (
            _LINE.findall(chunk, start, end)
        ):  # fmt: skip
            if time:
                part = parts[time + zone]
            elif alb_time:
                part = parts[alb_time]
                path, mark, status, sent = alb_path, alb_mark, alb_status, alb_sent  # noqa: PLW2901
            else:
                part = malformed
            if part == malformed:
                self._malformed_lines += 1
                continue
            tally = tallies[part]
            if sent:
                tally.bytes_sent += int(sent)
            statuses = tally.status
            statuses[status] = statuses.get(status, 0) + 1
            if not mark:
                path = b"-"  # noqa: PLW2901
            counts = tally.paths.get(path) or self._new_path(tally, path)
            counts[0] += 1
            if status[0] == 0x35:  # 5
                counts[1] += 1

    def _new_path(self, tally: _Tally, path: bytes) -> list[int]:
        """The counts of a path that is long, or not known yet."""
        if len(path) > LONGEST_PATH:
            import hashlib  # noqa: PLC0415 - 5 ms of each cold start, for paths that hardly ever occur

            digest = hashlib.sha256(path).hexdigest().encode()
            path = b"%s... (%d bytes, SHA-256 %s)" % (path[: LONGEST_PATH // 2], len(path), digest)
        counts = tally.paths.get(path)
        if counts is None:
            counts = tally.paths[path] = [0, 0]
            self._paths_bytes += ENTRY_BYTES + BYTES_PER_PATH_BYTE * len(path)
        return counts

    def mapped(self, owned: Owned) -> Mapped:
        """The block's lines and observations; empties the tally."""
        malformed = msgspec.json.encode(_PartLine(self._malformed_lines, 0, {}, {}))
        lines = [*(tally.line() for tally in self._tallies), malformed]
        observations = [*(tally.requests for tally in self._tallies), self._malformed_lines]
        return Mapped(owned, lines, observations, {})


def _map(block: Span, source: Input) -> Mapped:
    """Raises TooManyDistinct, and what ``source`` raises."""
    tally = _BlockTally()
    owned = source.feed(block, LINES, tally.add)
    return tally.mapped(owned)


def _reduce(part: str, lines: Iterable[bytes]) -> Reduced:
    passes = 1
    while (reduced := _sum(part, lines, passes)) is None:
        passes *= 4
    return reduced


def _sum(part: str, lines: Iterable[bytes], passes: int) -> Reduced | None:
    """The sum of the lines, from ``passes`` passes over them; None if a pass has too many distinct paths."""
    decoder = msgspec.json.Decoder(_PartLine)
    best: tuple[dict[str, int], dict[str, int]] = {}, {}
    for number in range(passes):
        requests = bytes_sent = paths_bytes = 0
        status: Counter[str] = Counter()
        sums: dict[str, list[int]] = {}
        for more in (decoder.decode(piece) for line in lines for piece in pieces_of(line)):
            requests += more.requests
            bytes_sent += more.bytes_sent
            status.update(more.status)
            for path, counts in more.paths.items():
                if passes > 1 and zlib.crc32(path.encode()) % passes != number:
                    continue
                sums_of_path = sums.get(path)
                if sums_of_path is None:
                    sums[path] = counts
                    paths_bytes += ENTRY_BYTES + sys.getsizeof(path)
                else:
                    sums_of_path[0] += counts[0]
                    sums_of_path[1] += counts[1]
            if paths_bytes > MAX_SUMMED_PATHS_BYTES:
                return None
        for which in (0, 1):
            best[which].update(_top({path: counts[which] for path, counts in sums.items() if counts[which]}))
    if part == MALFORMED:
        return Reduced(requests, {"lines": requests})
    return Reduced(
        requests,
        {
            "requests": requests,
            "bytes_sent": bytes_sent,
            "status": dict(sorted(status.items())),
            "top_paths": [{"path": path, "count": count} for path, count in _top(best[0])],
            "top_paths_5xx": [{"path": path, "count": count} for path, count in _top(best[1])],
        },
    )


def _top(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Count descending, then path ascending by code point."""
    return heapq.nsmallest(TOP, counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _summarize(
    facts: Mapping[str, Any], _extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    malformed_lines = results[MALFORMED]["lines"]
    return {
        **facts,
        "lines": malformed_lines + sum(results[hour]["requests"] for hour in HOURS),
        "malformed_lines": malformed_lines,
        "hours": {hour: results[hour] for hour in HOURS},
    }


JOB = Job(
    rules=RULES,
    part="hour",
    parts=PARTS,
    map=_map,
    reduce=_reduce,
    summarize=_summarize,
)
