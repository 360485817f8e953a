"""Combs through access logs: requests, bytes, statuses and the most frequent paths for each hour of the day.

Two formats are known, line by line: Combined Log Format, and that of AWS's Application Load Balancers (ALB).

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

import heapq
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from lambda_src.figures import BYTE_BY_BYTE, Figure, Figures
from lambda_src.input.findings import NUL_BYTES, Tally
from lambda_src.job import (
    Concern,
    Context,
    Input,
    Job,
    Mapped,
    Owned,
    Part,
    Place,
    Span,
    check_lines,
    pieces_of,
)
from lambda_src.one_part_per_shard import combining, finish, lines_of, reducing
from lambda_src.records import Rule

RULES = "2"

HOURS = tuple(str(hour) for hour in range(24))
MALFORMED = "malformed"
PARTS = (*HOURS, MALFORMED)

LONGEST_LINE = 8 << 20
"""A server cuts what it logs long before that; a file without any newline must not fill the memory."""

NUL_RUN = 16
_NULS = bytes(NUL_RUN)
_NULS_TOGETHER = re.compile(rb"\0\0*")  # a literal first: then it is looked for as fast as memory allows


def _first_cut(data: bytes, at: int, is_all: bool) -> int | None:
    """A line begins behind ``\\n`` or a run of NULs; and all NULs there may be cut from each other."""
    nuls = len(data[max(at - NUL_RUN, 0) : at]) - len(data[max(at - NUL_RUN, 0) : at].rstrip(b"\0"))
    if nuls in (at, NUL_RUN) or data[at - nuls - 1] == 0x0A:
        return at
    newline = data.find(b"\n", at) + 1
    run = data.find(_NULS, at - nuls, newline or len(data))
    if run >= 0:
        return run + NUL_RUN
    return newline or (len(data) if is_all else None)


def _last_cut(data: bytes) -> int:
    text = data.rstrip(b"\0")
    if len(data) - len(text) >= NUL_RUN or text.endswith(b"\n"):
        return len(data)
    newline = text.rfind(b"\n") + 1
    run = text.rfind(_NULS, newline)
    cut = newline if run < 0 else run + NUL_RUN
    return len(data) - len(data[cut:].lstrip(b"\0"))


LINES = Rule("line", LONGEST_LINE, NUL_RUN + 1, _first_cut, _last_cut)

TOP = 10
LONGEST_PATH = 2048
"""Bytes. 24 hours of 20 such paths fit Lambda's 6 MB, even if JSON needs 6 bytes for each of theirs."""

SLICE_BYTES = 1 << 18
"""Matched at once, to bound memory: a line of one byte becomes a tuple of 150."""

MAX_HELD_PATHS_BYTES = 200_000_000
"""Estimated memory of the distinct paths that a block holds at once, those of each hour apart: a quarter of a
million of 60 bytes. With more, what was counted is written to its lines, and counting begins again."""
MAX_SUMMED_PATHS_BYTES = 600_000_000
"""The same for what a reducer sums at once; with more it sums in several passes, each over some paths."""
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


_QUOTED = rb'"' + _text() + rb'"'
_MINUTE = rb"[0-5][0-9]"
_SECOND = rb":[0-5][0-9]"
_SIZE = rb"[0-9]{1,15}"
_END = rb"(?: [^\n]*)?\r?\n"
_ALB = (
    rb"[a-z0-9]+ ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}):(?:" + _MINUTE + _SECOND
    + rb"|(?<=T23:)59:60)(?:\.[0-9]+)?Z"
    rb" [^ \n]+ [^ \n]+ [^ \n]+ [-.0-9]+ [-.0-9]+ [-.0-9]+ "
    rb"([0-9]{3}|-) (?:[0-9]{3}|-) " + _SIZE + rb" (" + _SIZE + rb") "
    + _request(rb"(?:[A-Za-z]+://" + _text(b" ?/") + rb")?") + rb" " + _QUOTED + _END
)  # fmt: skip
_COMBINED = (
    rb"[^ \n]+ [^ \n]+ [^[\n]* "
    rb"\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:" + _MINUTE + rb")(?:" + _SECOND + rb" |:(?=60 ))"
    rb"((?:(?<=:)60 )?[+-][0-9]{4})\] "
    + _request(b"") + rb" ([0-9]{3}) (?:(" + _SIZE + rb")|-) " + _QUOTED + rb" " + _QUOTED + _END
)  # fmt: skip
_LINE = re.compile(rb"(?:" + _ALB + rb"|" + _COMBINED + rb"|(?P<other>[^\n]*)\n)")
"""Matches every line, so that none can be lost between two matches."""
_ALB_TIME, _TIME = 1, 7
"""Groups of it."""

MALFORMED_LINES, NULS_IN_LINES = "malformed_lines", "nul_bytes_in_lines"
_DAY = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = rb"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_BRACKETED = rb"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:" + _CLOCK + rb" [+-][0-9]{4}\]"
_OTHER_FORMATS = {
    "carriage_returns": ("several lines that only CR ends, as on old Macs", rb"[^\r]*\r[^\r]"),
    "common_log_format": (
        "Common Log Format",
        rb"[^ ]+ [^ ]+ [^[]* " + _BRACKETED + rb' "' + _text() + rb'" (?:[0-9]{3}|-) (?:[0-9]+|-) ?\r?\Z',
    ),
    "classic_elb": (
        "the log of a Classic Load Balancer",
        _DAY + rb"T" + _CLOCK + rb"(?:\.[0-9]+)?Z [^ ]+ [^ ]+ [^ ]+ [-.0-9]+ [-.0-9]+ [-.0-9]+ "
        rb"(?:[0-9]{3}|-) (?:[0-9]{3}|-) [0-9]+ [0-9]+ \"",
    ),
    "network_load_balancer": ("the log of a Network Load Balancer", rb"tls [0-9.]+ " + _DAY + rb"T"),
    "cloudfront": (
        "a log of CloudFront",
        rb"#Version: 1\.0\r?\Z|#Fields: date time x-edge|" + _DAY + rb"\t" + _CLOCK + rb"\t",
    ),
    "w3c_extended": (
        "the W3C extended format of IIS",
        rb"#(?:Software|Date|Fields): |" + _DAY + rb" " + _CLOCK + rb" [^ ]+ [^ ]+ ",
    ),
    "s3_access_log": ("an access log of S3", rb"[0-9a-f]{64} [^ ]+ " + _BRACKETED),
    "json_lines": ("lines of JSON", rb"[ \t]*\{.*\}[ \t]*\r?\Z"),
    "nginx_error_log": ("an error log of nginx", rb"[0-9]{4}/[0-9]{2}/[0-9]{2} " + _CLOCK + rb" \["),
    "apache_error_log": ("an error log of Apache", rb"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} " + _CLOCK),
    "vpc_flow_log": ("a flow log of a VPC", rb"[0-9] [0-9]{12} eni-"),
    "squid": ("the native log of Squid", rb"[0-9]{9,11}\.[0-9]{3} +-?[0-9]+ [^ ]+ [A-Z_]+/[0-9]{3} "),
    "syslog": ("syslog", rb"(?:<[0-9]{1,3}>|[A-Z][a-z]{2} [ 0-9]{2} " + _CLOCK + rb" [^ ]+ )"),
}
"""Formats that are recognized and not read: the name for a person, and how a line begins."""

_OTHER_FORMAT = re.compile(
    rb"|".join(b"(?P<%s>%s)" % (code.encode(), pattern) for code, (_, pattern) in _OTHER_FORMATS.items())
)

CONCERNS = {
    MALFORMED_LINES: Concern(
        "line",
        "could not be read as a log line",
        "could not be read as log lines",
        most="Most lines of these objects are not log lines",
        advice="The job reads Combined Log Format and that of AWS's Application Load Balancers.",
    ),
    **{
        code: Concern("line", f"looks like {name}, which is not read", f"look like {name}, which is not read")
        for code, (name, _) in _OTHER_FORMATS.items()
    },
    NUL_BYTES: Concern(
        "NUL byte",
        "was skipped",
        "were skipped",
        advice="Such runs are left behind where a log is truncated while its server goes on writing.",
    ),
    NULS_IN_LINES: Concern("NUL byte", "is part of a line", "are part of lines"),
}

_MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}


class _PartLine(Struct):
    """A piece of a block's line of one part; ``paths`` has requests, and those answered with 5xx."""

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
    """The part of ``2026-11-22T23`` or ``22/Nov/2026:23:59+0530``, or of a leap second.

    >>> _part_of(b"2026-11-22T23"), _part_of(b"22/Nov/2026:23:59+0530"), _part_of(b"29/Feb/2026:00:00+0000")
    (23, 18, 24)
    >>> _part_of(b"31/Dec/2016:23:5960 +0000"), _part_of(b"31/Dec/2016:12:0060 +0000")
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


class Skipped(NamedTuple):
    """Of a chunk, ``nuls`` bytes from ``at`` on; in their place are ``left`` bytes, a newline or nothing."""

    at: int
    nuls: int
    left: int


def _without_nuls(chunk: bytes) -> tuple[bytes, list[Skipped]]:
    """A chunk that begins with a line, without the NULs that are skipped.

    >>> _without_nuls(b"\\0one\\n\\0\\0two\\0")
    (b'one\\ntwo\\x00', [Skipped(at=0, nuls=1, left=0), Skipped(at=5, nuls=2, left=0)])
    """
    skipped: list[Skipped] = []

    def skip(found: re.Match[bytes]) -> bytes:
        at, end = found.span()
        begins_line = at == 0 or chunk[at - 1] == 0x0A
        if not begins_line and end - at < NUL_RUN:
            return found[0]  # part of the line
        skipped.append(Skipped(at, end - at, 0 if begins_line else 1))
        return b"" if begins_line else b"\n"

    return _NULS_TOGETHER.sub(skip, chunk), skipped


def _original(offset: int, skipped: list[Skipped]) -> int:
    """Where a byte was before NULs were skipped."""
    for one in skipped:
        if one.at > offset:
            break
        offset += one.nuls - one.left
    return offset


class _Found:
    """What was noticed in one chunk: formats that are not read, and where each kind of bad line begins."""

    def __init__(self) -> None:
        self.formats: Counter[str] = Counter()
        self.first: dict[str, int] = {}


class _BlockTally:
    """What a block has so far, fed in chunks that cut no line."""

    def __init__(self) -> None:
        self._tallies = [_Tally() for _ in HOURS]
        self._malformed_lines = 0
        self._findings = {code: Tally() for code in CONCERNS}
        self._parts = _Parts()
        self._paths_bytes = 0

    def add(self, chunk: bytes, at: Place) -> None:
        """Count the lines of ``chunk``, which begins at ``at``; only the last one of an object may lack its
        ``\\n``. Raises TooManyDistinct."""
        skipped: list[Skipped] = []
        if b"\0" in chunk:
            chunk, skipped = _without_nuls(chunk)
            first = skipped[0].at if skipped else 0
            self._findings[NUL_BYTES].note(at, sum(one.nuls for one in skipped), 0, first)
            if left := chunk.count(b"\0"):
                self._findings[NULS_IN_LINES].note(at, left, 0, _original(chunk.index(b"\0"), skipped))
        if chunk and not chunk.endswith(b"\n"):
            chunk += b"\n"
        lines = chunk.count(b"\n")
        before, found = self._malformed_lines, _Found()
        start = 0
        while start < len(chunk):
            end = chunk.rfind(b"\n", start, start + SLICE_BYTES) + 1
            end = end or chunk.index(b"\n", start + SLICE_BYTES) + 1
            self._add_lines(chunk, start, end, found)
            if self._paths_bytes > MAX_HELD_PATHS_BYTES:
                self._write()
            start = end
        self._note(at, lines, self._malformed_lines - before, found, skipped)

    def _write(self) -> None:
        """Write what there is to the lines. Raises TooManyDistinct."""
        for tally in self._tallies:
            tally.write()
        self._paths_bytes = 0
        check_lines([sum(map(len, tally.pieces)) for tally in self._tallies])

    def _note(self, at: Place, lines: int, malformed: int, found: "_Found", skipped: "list[Skipped]") -> None:
        first = {code: _original(offset, skipped) for code, offset in found.first.items()}
        self._findings[MALFORMED_LINES].note(at, malformed, lines, first.get(MALFORMED_LINES, 0))
        for code, count in found.formats.items():
            self._findings[code].note(at, count, 0, first[code])

    def _add_lines(self, chunk: bytes, start: int, end: int, found: "_Found") -> None:
        """The loop that takes the time: see ``benchmarks/jobs.py`` before and after a change."""
        parts, tallies, malformed = self._parts, self._tallies, len(HOURS)
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
                self._malformed_lines += 1
                self._note_malformed(chunk, start, end, other, found)
                continue
            tally = tallies[part]
            if sent:
                tally.bytes_sent += int(sent)
            statuses = tally.status
            statuses[status] = statuses.get(status, 0) + 1
            if not mark:
                path = bare or b"-"  # noqa: PLW2901
            counts = tally.paths.get(path) or self._new_path(tally, path)
            counts[0] += 1
            if status[0] == 0x35:  # 5
                counts[1] += 1

    def _note_malformed(self, chunk: bytes, start: int, end: int, line: bytes, found: "_Found") -> None:
        """Note what a malformed ``line`` of the slice looks like, and where the first one of each kind is."""
        kind = _OTHER_FORMAT.match(line)
        code = kind.lastgroup if kind else None
        if code:
            found.formats[code] += 1
        if MALFORMED_LINES not in found.first:
            found.first[MALFORMED_LINES] = self._first_malformed(chunk, start, end)
        if code and code not in found.first:
            lines = _LINE.finditer(chunk, start, end)
            found.first[code] = next(match.start() for match in lines if match["other"] == line)

    def _first_malformed(self, chunk: bytes, start: int, end: int) -> int:
        for match in _LINE.finditer(chunk, start, end):
            alb_time, time, zone, other = match.group(_ALB_TIME, _TIME, _TIME + 1, "other")
            if other is not None or self._parts[time + zone if time else alb_time] == len(HOURS):
                return match.start()
        raise AssertionError("a malformed line is there")

    def _new_path(self, tally: _Tally, path: bytes) -> list[int]:
        """The counts of a path that is long, or not known yet."""
        if len(path) > LONGEST_PATH or _DIGEST in path:
            import hashlib  # noqa: PLC0415 - 5 ms of each cold start, for paths that hardly ever occur

            digest = hashlib.sha256(path).hexdigest().encode()
            path = b"%s... (%d%s%s)" % (path[: LONGEST_PATH // 2], len(path), _DIGEST, digest)
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
        findings = {code: tally.finding() for code, tally in self._findings.items() if tally.is_noted()}
        return Mapped(owned, lines_of(lines, observations), {}, findings)


def _map(block: Span, source: Input, _context: Context) -> Mapped:
    """Raises TooManyDistinct, and what ``source`` raises."""
    tally = _BlockTally()
    owned = source.feed(block, LINES, tally.add)
    return tally.mapped(owned)


def _reduce(part: str, lines: Iterable[bytes]) -> Part:
    passes = 1
    while (reduced := _sum(part, lines, passes)) is None:
        passes *= 4
    return reduced


def _sum(part: str, lines: Iterable[bytes], passes: int) -> Part | None:
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
        return Part(requests, {"lines": requests})
    return Part(
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
    context: Context, _extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    malformed_lines = results[MALFORMED]["lines"]
    return {
        **context.facts,
        "lines": malformed_lines + sum(results[hour]["requests"] for hour in HOURS),
        "malformed_lines": malformed_lines,
        "hours": {hour: results[hour] for hour in HOURS},
    }


FIGURES: Figures = {
    **BYTE_BY_BYTE,
    "count": Figure(50, "MB/s", "measured", "matching lines, per core: 46 to 64"),
    "reduce": Figure(
        35, "MB/s", "measured", "summing lines, per core: 28 to 83, the more new paths the slower"
    ),
    "blob": Figure(0.106, "", "measured", "bytes of a blob per byte of a block of 5 MiB"),
    "blob_growth": Figure(
        -0.11,
        "",
        "measured",
        "exponent by which that changes with the size of a block: up to 20 MiB, beyond assumed",
    ),
    "largest_part": Figure(2.3, "", "measured", "the largest part's line against the mean of all"),
    "entry": Figure(32, "bytes", "measured", "a distinct path and its counts in a line"),
    "distinct": Figure(
        1_600_000, "paths", "code", "distinct ones, of 25 bytes, that a reducer sums in one pass"
    ),
    "block_distinct": Figure(
        18_750_000, "paths", "code", "distinct ones that a block's lines may hold, each hour's apart"
    ),
    "block_counts": Figure(
        533_333, "paths", "code", "distinct ones that a block counts at once; more make longer lines"
    ),
}
"""Measured on one core of an x86 server, on generated logs in Combined Log Format, 159 bytes a line. Logs of
load balancers have longer lines, and take half the time."""


JOB = Job(
    rules=RULES,
    part="hour",
    parts=PARTS,
    map=_map,
    combine=combining(PARTS, _reduce),
    reduce=reducing(PARTS, _reduce),
    finish=finish,
    sharded_by=("part",),
    summarize=_summarize,
    concerns=CONCERNS,
    figures=FIGURES,
)
