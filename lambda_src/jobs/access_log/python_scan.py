"""The scanner in Python: one regular expression that matches every line."""

import re
from collections.abc import Sequence
from datetime import date

import msgspec

from lambda_src.counts.python_counts import Table
from lambda_src.job import Line, Shards
from lambda_src.jobs.access_log.formats import MALFORMED_LINES, Noticed, format_of
from lambda_src.jobs.access_log.scan import (
    HOURS,
    LONGEST_PATH,
    MOST_HELD_BYTES,
    PARTS,
    SENT,
    SENT_BITS,
    SENT_HIGH,
)

SLICE_BYTES = 1 << 18
"""Matched at once, to bound memory: a line of one byte becomes a tuple of 150."""

ENTRY_BYTES = 300
"""Estimated memory of a path in a dictionary beside its own bytes."""
BYTES_PER_PATH_BYTE = 8
"""A block's path is held as bytes, as text and as JSON, which may write one byte as six."""

_DIGEST = b" bytes, SHA-256 "
"""Marks a path that was shortened; a real path hardly ever contains it."""

MAX_KNOWN_TIMES = 100_000

_VERSION = rb'HTTP/[0-9](?:\.[0-9])?"'


def _text(stops: bytes = b"", besides: bytes = b"") -> bytes:
    """The pattern of what stands in a quoted string up to its end, or up to one of ``stops`` that is not
    ``besides``. Possessive, so that no line takes more than linear time, or much memory."""
    plain = rb'[^"\\\n' + stops + rb"]*+"
    return plain + rb"(?:(?:\\[^\n" + stops + rb"]?+" + besides + rb")" + plain + rb")*+"


_INNER_SPACES = rb"| ++(?!" + _VERSION + rb")"
"""Not the one before the version."""


def _request(origin: bytes) -> bytes:
    """The pattern of a quoted request; groups: the path and a mark where there is a version, the path where
    there is none."""
    method = rb"[A-Za-z_-]+ "
    return (
        rb'"(?:' + method + rb"(?! )" + origin + rb"(" + _text(b" ?", _INNER_SPACES) + rb")"
        rb"(?:\?" + _text(b" ", _INNER_SPACES) + rb")?( )" + _VERSION
        + rb"|" + method + rb"(?=/|[A-Za-z]++://)" + origin + rb"(" + _text(b" ?") + rb")"
        rb"(?:\?" + _text(b" ") + rb')?"'
        + rb"|" + _text() + rb'")'
    )  # fmt: skip


_ORIGIN = rb"(?:[A-Za-z]+://" + _text(b" ?/") + rb")?"
_QUOTED = rb'"' + _text() + rb'"'
MINUTE = rb"[0-5][0-9]"
SECOND = rb":[0-5][0-9]"
TEXT = _text()
REQUEST = _request(b"")
URL_REQUEST = _request(_ORIGIN)
"""Of quoted requests: where the target begins with a path, and where it may be a URL."""
_SIZE = rb"[0-9]{1,15}"
_END = rb"(?: [^\n]*)?\r?\n"
_ALB = (
    rb"[a-z0-9]+ ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}):(?:" + MINUTE + SECOND
    + rb"|(?<=T23:)59:60)(?:\.[0-9]+)?Z"
    rb" [^ \n]+ [^ \n]+ [^ \n]+ [-.0-9]+ [-.0-9]+ [-.0-9]+ "
    rb"([0-9]{3}|-) (?:[0-9]{3}|-) " + _SIZE + rb" (" + _SIZE + rb") "
    + URL_REQUEST + rb" " + _QUOTED + _END
)  # fmt: skip
_COMBINED = (
    rb"[^ \n]+ [^ \n]+ [^[\n]* "
    rb"\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:" + MINUTE + rb")(?:" + SECOND + rb" |:(?=60 ))"
    rb"((?:(?<=:)60 )?[+-][0-9]{4})\] "
    + REQUEST + rb" ([0-9]{3}) (?:(" + _SIZE + rb")|-) " + _QUOTED + rb" " + _QUOTED + _END
)  # fmt: skip
_LINE = re.compile(rb"(?:" + _ALB + rb"|" + _COMBINED + rb"|(?P<other>[^\n]*)\n)")
"""Matches every line, so that none can be lost between two matches."""
_ALB_TIME, _TIME = 1, 7
"""Groups of it."""

_MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}


class _Hour:
    """What one hour of a block has so far. ``paths`` have requests, and those answered with 5xx."""

    __slots__ = ("paths", "sent", "status")

    def __init__(self) -> None:
        self.sent = 0
        self.status: dict[bytes, int] = {}
        self.paths: dict[bytes, list[int]] = {}

    def take_paths(self) -> bytes:
        """The paths as a piece of a line, which are forgotten then."""
        shown: dict[str, list[int]] = {}
        for path, (count, count_5xx) in self.paths.items():
            counts = shown.setdefault(path.decode("utf-8", errors="backslashreplace"), [0, 0])
            counts[0] += count
            counts[1] += count_5xx
        self.paths.clear()
        return msgspec.json.encode(shown) if shown else b""

    def sums(self) -> bytes:
        """The sums as a piece of a line, in the order in which scan.c writes them."""
        low, high = self.sent % (1 << SENT_BITS), self.sent >> SENT_BITS
        by_status = [
            (status.decode("ascii"), count)
            for status, count in sorted(self.status.items(), key=lambda one: (one[0] == b"-", one[0]))
        ]
        named = [(name, number) for name, number in ((SENT, low), (SENT_HIGH, high), *by_status) if number]
        return msgspec.json.encode([each for pair in named for each in pair]) if named else b""


class _Parts(dict[bytes, int]):
    """The part of each time, as the log writes it up to minute or hour; worked out once."""

    def __missing__(self, time: bytes) -> int:
        if len(self) >= MAX_KNOWN_TIMES:
            self.clear()
        part = self[time] = part_of(time)
        return part


def part_of(time: bytes) -> int:
    """The part of ``2026-11-22T23`` or ``22/Nov/2026:23:59+0530``, or of a leap second.

    >>> part_of(b"2026-11-22T23"), part_of(b"22/Nov/2026:23:59+0530"), part_of(b"29/Feb/2026:00:00+0000")
    (23, 18, 24)
    >>> part_of(b"31/Dec/2016:23:5960 +0000"), part_of(b"31/Dec/2016:12:0060 +0000")
    (23, 24)
    """
    malformed = len(HOURS)
    is_leap_second = time[17:20] == b"60 "
    if is_leap_second:
        time = time[:17] + time[20:]
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
        last_minute = 24 * 60 - 1
        if is_leap_second and last_minute not in (minutes % (24 * 60), 60 * hour + int(time[15:17])):
            return malformed
    try:
        date(year, month, day)
    except ValueError:
        return malformed
    return minutes // 60 % 24 if hour <= 23 else malformed


class Scan:
    """``scan.Scan``."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._table = Table(len(PARTS), ("sum", "sum"))
        self._hours = [_Hour() for _ in HOURS]
        self._malformed_lines = self._paths_bytes = 0
        self._parts = _Parts()

    def add(self, chunk: bytes, start: int, end: int) -> Noticed:
        noticed = Noticed()
        noticed.lines = chunk.count(b"\n", start, end)
        while start < end:
            slice_end = chunk.rfind(b"\n", start, min(start + SLICE_BYTES, end)) + 1
            slice_end = slice_end or chunk.index(b"\n", start + SLICE_BYTES) + 1
            self._add_lines(chunk, start, slice_end, noticed)
            if self._paths_bytes > MOST_HELD_BYTES:
                self._write()
            start = slice_end
        self._malformed_lines += noticed.malformed
        return noticed

    def _add_lines(self, chunk: bytes, start: int, end: int, noticed: Noticed) -> None:
        """The loop that takes the time."""
        parts, hours, malformed = self._parts, self._hours, len(HOURS)
        for (
            alb_time, alb_status, alb_sent, alb_path, alb_mark, alb_bare,
            time, zone, path, mark, bare, status, sent, other,
        ) in _LINE.findall(chunk, start, end):  # fmt: skip
            if time:
                part = parts[time + zone]
            elif alb_time:
                part = parts[alb_time]
                path, mark, bare, status, sent = alb_path, alb_mark, alb_bare, alb_status, alb_sent  # noqa: PLW2901
            else:
                part = malformed
            if part == malformed:
                noticed.malformed += 1
                self._note_malformed(chunk, start, end, other, noticed)
                continue
            hour = hours[part]
            if sent:
                hour.sent += int(sent)
            hour.status[status] = hour.status.get(status, 0) + 1
            if not mark:
                path = bare or b"-"  # noqa: PLW2901
            counts = hour.paths.get(path) or self._new_path(hour, path)
            counts[0] += 1
            if status[0] == 0x35:  # 5
                counts[1] += 1

    def _note_malformed(self, chunk: bytes, start: int, end: int, line: bytes, noticed: Noticed) -> None:
        """Note what a malformed ``line`` of the slice looks like, and where the first one of each kind is."""
        code = format_of(line)
        if code:
            noticed.formats[code] += 1
        if MALFORMED_LINES not in noticed.first:
            noticed.first[MALFORMED_LINES] = self._first_malformed(chunk, start, end)
        if code and code not in noticed.first:
            lines = _LINE.finditer(chunk, start, end)
            noticed.first[code] = next(match.start() for match in lines if match["other"] == line)

    def _first_malformed(self, chunk: bytes, start: int, end: int) -> int:
        for match in _LINE.finditer(chunk, start, end):
            alb_time, time, zone, other = match.group(_ALB_TIME, _TIME, _TIME + 1, "other")
            if other is not None or self._parts[time + zone if time else alb_time] == len(HOURS):
                return match.start()
        raise AssertionError("a malformed line is there")

    def _new_path(self, hour: _Hour, path: bytes) -> list[int]:
        """The counts of a path that is long, or not known yet."""
        if len(path) > LONGEST_PATH or _DIGEST in path:
            import hashlib  # noqa: PLC0415 - 5 ms of each cold start, for paths that hardly ever occur

            digest = hashlib.sha256(path).hexdigest().encode()
            path = b"%s... (%d%s%s)" % (path[: LONGEST_PATH // 2], len(path), _DIGEST, digest)
        counts = hour.paths.get(path)
        if counts is None:
            counts = hour.paths[path] = [0, 0]
            self._paths_bytes += ENTRY_BYTES + BYTES_PER_PATH_BYTE * len(path)
        return counts

    def _write(self) -> None:
        """Write what there is to the lines. Raises TooManyDistinct."""
        self._move_paths()
        self._table.write(self._shards)
        self._paths_bytes = 0

    def _move_paths(self, malformed: bytes = b"") -> None:
        self._table.add(b"\n".join([*(hour.take_paths() for hour in self._hours), malformed]), 0, len(PARTS))

    def lines(self) -> Sequence[Line]:
        malformed = {"": [self._malformed_lines, 0]} if self._malformed_lines else None
        self._move_paths(msgspec.json.encode(malformed) if malformed else b"")
        self._table.add(b"\n".join([*(hour.sums() for hour in self._hours), b""]), 0, len(PARTS))
        return self._table.lines(self._shards)
