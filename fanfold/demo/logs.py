"""Access logs of a few servers, written together with the exact result of analysing them.

The generator counts each line as it writes it, by what the line is made to say, and never reads its own text.
Half of the files are gzip, half are load balancers' logs, the others keep different zones; some end lines
with CR LF, and about one line in a hundred is not a log line. The text depends on seed and size alone,
compressed bytes also on zlib. It only uses ``random.random()``, whose sequence Python promises to keep.
"""

import gzip
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

TOP = 10
LINES_AT_ONCE = 2_000
"""Number of lines that are written, and reported to ``progress``, together."""
LONG_LINE_BYTES = 600

_T = TypeVar("_T")


class ExpectedLogs(NamedTuple):
    """The correct result; ``bytes`` are those of the files as stored, ``hours`` and ``top_paths`` are as
    in the result."""

    objects: int
    bytes: int
    lines: int
    malformed_lines: int
    hours: dict[str, dict[str, Any]]
    top_paths: list[dict[str, Any]]


def _ignore_progress(_written_bytes: int) -> None:
    pass


def write_logs(
    path: Path,
    logs_bytes: int,
    seed: int,
    progress: Callable[[int], None] = _ignore_progress,
    files: int = 12,
) -> ExpectedLogs:
    """Write a folder of ``files`` log files at ``path``, which must not exist. Unpacked, they have at least
    ``logs_bytes`` bytes, and at most a few lines more per file.

    ``progress`` is called with the bytes of text written so far. The folder appears under its name only when
    it is complete. Raises OSError, and whatever ``progress`` raises.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already: name a folder that does not, or remove it.")
    random = Random(seed)  # noqa: S311 -- logs that can be made again keep no secret
    tally = _Tally()
    shares = [1 + 9 * random.random() for _ in range(files)]
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        written_bytes = 0
        for number, share in enumerate(shares):
            server = _Server(random, tally, number)
            file_bytes = int(logs_bytes * share / sum(shares))
            name = partial / f"{number:04d}.log"
            file = gzip.GzipFile(f"{name}.gz", "wb", 6, mtime=0) if number % 2 else name.open("wb")
            with file:
                end = written_bytes + file_bytes
                while written_bytes < end:
                    lines = min(LINES_AT_ONCE, (end - written_bytes) // LONG_LINE_BYTES + 1)
                    written_bytes += file.write(server.lines(lines))
                    progress(written_bytes)
                written_bytes += file.write(server.last_line())
        progress(written_bytes)
        expected = tally.expected([file.stat().st_size for file in partial.iterdir()])
        partial.rename(path)
        return expected
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class _Tally:
    """Counts the lines that are written."""

    def __init__(self) -> None:
        self.lines = self.malformed_lines = 0
        self.requests: Counter[tuple[int, bytes, str]] = Counter()  # of (hour, status, path)
        self.sent: Counter[int] = Counter()

    def expected(self, file_bytes: list[int]) -> ExpectedLogs:
        hours: dict[str, dict[str, Any]] = {}
        for hour in range(24):
            of_hour = {key[1:]: count for key, count in self.requests.items() if key[0] == hour}
            status: Counter[str] = Counter()
            paths: Counter[str] = Counter()
            paths_5xx: Counter[str] = Counter()
            for (code, path), count in of_hour.items():
                status[code.decode()] += count
                paths[path] += count
                if code.startswith(b"5"):
                    paths_5xx[path] += count
            hours[str(hour)] = {
                "requests": sum(of_hour.values()),
                "bytes_sent": self.sent[hour],
                "status": dict(sorted(status.items())),
                "top_paths": _top(paths),
                "top_paths_5xx": _top(paths_5xx),
            }
        of_all: Counter[str] = Counter()
        for (_, _, path), count in self.requests.items():
            of_all[path] += count
        sizes = len(file_bytes), sum(file_bytes)
        return ExpectedLogs(*sizes, self.lines, self.malformed_lines, hours, _top(of_all))


def _top(counts: Counter[str]) -> list[dict[str, Any]]:
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"path": path, "count": count} for path, count in ranked[:TOP]]


class _Request(NamedTuple):
    """``target`` without origin and query; ``path`` is what it counts as."""

    target: bytes
    path: str


_FIRST_SECOND = datetime(2026, 10, 28, tzinfo=UTC)  # a month ends soon
_ZONES_MINUTES = (0, 330, -210, 840, -720, 345)
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_STATUSES = (b"200",) * 40 + (b"304", b"301", b"206", b"404", b"404", b"403", b"500", b"502", b"503", b"504")
_AGENTS = (
    b"Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0",
    b'a \\"quoted\\" agent\\\\',
    b"\\x1b[31m\x1b[31mred \xff",
    b"",
)
_REFERERS = (b"-", b"-", b"https://www.example.com/", b"https://search.example.net/?q=a%20b")
_QUERIES = (b"", b"", b"", b"?", b"?page=2", b"?q=a/b?c&d=%3F", b'?\\"\\\\')
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.1", b"HTTP/2.0", b"HTTP/1.0")
_METHODS = (b"GET",) * 6 + (b"POST", b"HEAD", b"M-SEARCH")
_NAMES = (
    *("api", "v1", "users", "static", "img", "css", "app.js", "index.html", "search", "cart", "~me"),
    *("%E6%9C%AC", "größe", "本", r"a\"b", r"a\x22", "\x1b[2J"),
)
_ODD_REQUESTS = (
    _Request(b"-", "-"),
    _Request(b"", "-"),
    _Request(b"\\x16\\x03\\x01\\x02", "-"),
    _Request(b"GET /", "/"),
    _Request(b"GET /a b HTTP/1.1", "/a b"),
    _Request(b"quit", "-"),
    _Request(b"GET / RTSP/1.0", "-"),
)
_NO_LINES = (
    b"",
    b" ",
    b"\x00\xff\x1b[2J",
    b"Nov 22 10:00:00 host sshd[1]: a line of another log",
    b'10.0.0.1 - - [22/Nov/2026:25:00:00 +0000] "GET /hour HTTP/1.1" 200 1 "-" "-"',
    b'10.0.0.1 - - [31/Nov/2026:10:00:00 +0000] "GET /day HTTP/1.1" 200 1 "-" "-"',
    b'10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /status HTTP/1.1" 20 1 "-" "-"',
    b'10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /size HTTP/1.1" 200 -1 "-" "-"',
    b'10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /size HTTP/1.1" 200 ' + b"9" * 400 + b' "-" "-"',
    b'10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /cut HTTP/1.1" 200 1 "-" "Mozi',
    b"https 2026-11-22T10:00:00.000000Z app/lb/5 10.0.0.1:2817 10.0.0.2:80 0.086 0.048 0.0",
)


class _Server:
    """One log file: its format, zone and line ends. Time advances from line to line."""

    def __init__(self, random: Random, tally: _Tally, number: int) -> None:
        self._random, self._tally = random, tally
        self._is_alb = number % 4 in (1, 2)
        self._zone_minutes = 0 if self._is_alb else _ZONES_MINUTES[number // 2 % len(_ZONES_MINUTES)]
        self._end = b"\r\n" if number % 5 == 3 else b"\n"
        self._second = random.random() * 86_400 * 7
        self._pause_s = random.random() * 60
        self._paths = [self._new_path() for _ in range(3_000)]

    def lines(self, count: int) -> bytes:
        return b"".join(self._line() + self._end for _ in range(count))

    def last_line(self) -> bytes:
        """The last line. It has no line end, so it must not be empty: it would not exist."""
        return self._request_line()

    def _line(self) -> bytes:
        if self._random.random() < 0.01:
            self._tally.lines += 1
            self._tally.malformed_lines += 1
            return self._pick(_NO_LINES)
        return self._request_line()

    def _request_line(self) -> bytes:
        random, tally = self._random.random, self._tally
        tally.lines += 1
        self._second += self._pause_s * random()
        hour = int(self._second) // 3600 % 24
        status = self._pick(_STATUSES)
        sent = int(100_000 * random() * random())
        if random() < 0.02:
            request, path = self._pick(_ODD_REQUESTS)
        else:
            # The cube makes a few paths frequent and most of them rare.
            target, path = self._paths[int(len(self._paths) * random() ** 3)]
            if random() < 0.1:
                item = int(1_000_000 * random())
                target, path = b"%s/%d" % (target, item), f"{path}/{item}"
            origin = b"https://www.example.com:443" if self._is_alb else b""
            words = self._pick(_METHODS), origin + target + self._pick(_QUERIES), self._pick(_VERSIONS)
            request = b" ".join(words)
        tally.requests[hour, status, path] += 1
        if self._is_alb:
            tally.sent[hour] += sent
            return self._alb_line(request, status, sent)
        is_dash = sent % 10 == 0
        tally.sent[hour] += 0 if is_dash else sent
        return self._combined_line(request, status, b"-" if is_dash else b"%d" % sent)

    def _combined_line(self, request: bytes, status: bytes, sent: bytes) -> bytes:
        local = _FIRST_SECOND + timedelta(seconds=int(self._second), minutes=self._zone_minutes)
        zone_hours, zone_minutes = divmod(abs(self._zone_minutes), 60)
        return b'10.%d.%d.%d - %s [%02d/%s/%d:%02d:%02d:%02d %s%02d%02d] "%s" %s %s "%s" "%s"%s' % (
            *(local.second, local.minute, local.hour, b"frank" if local.second == 0 else b"-"),
            *(local.day, _MONTHS[local.month - 1], local.year, local.hour, local.minute, local.second),
            *(b"-" if self._zone_minutes < 0 else b"+", zone_hours, zone_minutes),
            *(request, status, sent, self._pick(_REFERERS), self._pick(_AGENTS)),
            b' "more fields" 0.5' if local.second == 1 else b"",
        )

    def _alb_line(self, request: bytes, status: bytes, sent: int) -> bytes:
        time = _FIRST_SECOND + timedelta(seconds=self._second)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
        is_answered = status != b"503"
        return (
            b"https %s app/my-lb/50dc6c495c0c9188 192.168.131.39:%d %s 0.001 %s 0.000 %s %s %d %d "
            b'"%s" "%s" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
            b"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/app/73e2d6bc24d8a067 "
            b'"Root=1-%08x-1d84f3d73c47ec4e58577259" "www.example.com" "-" 1 %s "forward" "-" "-" "-" "-" "-"'
        ) % (
            *(stamp, 1024 + time.microsecond % 60_000, b"10.0.0.1:80" if is_answered else b"-"),
            *(b"0.048" if is_answered else b"-1", status, status if is_answered else b"-"),
            *(200 + len(request), sent, request, self._pick(_AGENTS), int(self._second), stamp),
        )

    def _new_path(self) -> _Request:
        path = "".join("/" + self._pick(_NAMES) for _ in range(1 + int(5 * self._random.random())))
        if self._random.random() < 0.02:
            return _Request(path.encode() + b"/\xff", path + "/\\xff")
        return _Request(path.encode(), path)

    def _pick(self, choices: Sequence[_T]) -> _T:
        return choices[int(len(choices) * self._random.random())]
