"""Lines of all formats that are known, as requests. A line's format does not depend on other lines, so blocks
may begin anywhere."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from lambda_src.jobs.access_log.formats import OtherColumns
from lambda_src.jobs.access_log.json_lines import fields_of, wrapped_line
from lambda_src.jobs.access_log.python_scan import MINUTE, REQUEST, SECOND, TEXT, URL_REQUEST, part_of
from lambda_src.jobs.access_log.scan import HOURS
from lambda_src.jobs.access_log.times import DAY, minute_of

HEADER = "header"
"""The format of lines that name the fields of others."""

MOST_CACHED, LONGEST_CACHED = 50_000, 200
MOST_SECONDS = 1_000_000
LONGEST_ADDRESS = 45


class Request(NamedTuple):
    """A line. What its format lacks is ``-``, or None; ``minute`` is in UTC. ``micros`` is the response time
    in microseconds."""

    format: str
    minute: int
    client: bytes
    host: bytes
    method: bytes
    path: bytes
    status: bytes
    sent: int
    referrer: bytes
    agent: bytes
    micros: int | None


Reader = Callable[[bytes], Request | str | None]


class _Cached(dict[bytes, Any]):
    """What was worked out, bounded."""

    def __init__(self, make: Callable[[bytes], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: bytes) -> Any:
        if len(self) >= MOST_CACHED:
            self.clear()
        made = self._make(text)
        if len(text) <= LONGEST_CACHED:
            self[text] = made
        return made


_DATE = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ISO = rb"(" + _DATE + rb"T[0-9]{2}:(?:" + MINUTE + SECOND + rb"|(?<=T23:)59:60))(?:\.[0-9]+)?Z"
_BRACKETED = (
    rb"\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:" + MINUTE + rb"(?:" + SECOND + rb"|:60)"
    rb" [+-][0-9]{4})\]"
)  # fmt: skip
_SIZE = rb"[0-9]{1,15}"
_IN_QUOTES = rb'"(' + TEXT + rb')"'
_TIMES = rb" [^ \n]+ ([-.0-9]+) ([-.0-9]+) ([-.0-9]+) "
_ALB = re.compile(
    rb"[a-z0-9]+ " + _ISO + rb" [^ \n]+ ([^ \n]+)" + _TIMES + rb"([0-9]{3}|-) (?:[0-9]{3}|-) " + _SIZE
    + rb" (" + _SIZE + rb") " + _IN_QUOTES + rb" " + _IN_QUOTES + rb"(?: [^\n]*)?"
)  # fmt: skip
_ELB = re.compile(
    _ISO + rb" [^ \n]+ ([^ \n]+)" + _TIMES + rb"([0-9]{3}|-) (?:[0-9]{1,3}|-) " + _SIZE
    + rb" (" + _SIZE + rb") " + _IN_QUOTES + rb"(?: " + _IN_QUOTES + rb"(?: [^\n]*)?)?"
)  # fmt: skip
_CLF = (
    rb"([^ \n]+) ([^ \n]+) ([^[\n]*) " + _BRACKETED + rb" " + _IN_QUOTES + rb" ([0-9]{3}) (?:(" + _SIZE
    + rb")|-)(?: " + _IN_QUOTES + rb" " + _IN_QUOTES + rb"( [^\n]*)?|( [^ \"\n][^\n]*)?+ ?)"
)  # fmt: skip
_OTHER_BEGINNING = (
    rb"(?!\{|[a-z0-9]+ " + _DATE + rb"T|" + _DATE + rb"|[0-9a-f]{64} |#"
    rb"|<|[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:|MESSAGE=|\[pod/|\xef\xbb\xbf)"
)  # fmt: skip
_STAMP = (
    _DATE + rb"T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)  # fmt: skip
_WRAPPED = re.compile(
    rb"(?:(?P<CRI>" + _STAMP + rb" (?:stdout|stderr) F )"
    rb"|(?P<journald>MESSAGE=)"
    rb"|(?P<syslog>(?:<[0-9]{1,3}>)?(?:"
    rb"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|" + _STAMP + rb") "
    rb"(?:[^ \n]++ )??[^ \n:\[]++(?:\[[0-9]+\])?: "
    rb"|1 (?:-|" + _STAMP + rb") (?:[^ \n]++ ){4}"
    rb"(?:- |(?:\[(?:[^\]\\\"\n]|\"" + TEXT + rb"\")*+\])+ )(?:\xef\xbb\xbf)?))"
    rb"|(?P<name>(?:\[pod/[^ \]\n]+\]|[^ |\n]+ +\|) (?:" + _STAMP + rb" )?)"
    rb"|(?P<time>" + _STAMP + rb" ))([^\n]+)"
)  # fmt: skip
"""What containers, journald and syslog write before the line of a log, and kubectl and Compose."""
_WHERE = {
    "CRI": "in CRI",
    "journald": "in journald",
    "syslog": "in syslog",
    "name": "behind a name",
    "time": "behind a time",
}
_S3 = re.compile(
    rb"[0-9a-f]{64} ([^ \n]+) " + _BRACKETED + rb" ([^ \n]+) [^ \n]+ [^ \n]+ [^ \n]+ [^ \n]+ "
    rb"(?:-|" + _IN_QUOTES + rb") ([0-9]{3}|-) [^ \n]+ (?:(" + _SIZE + rb")|-) (?:" + _SIZE + rb"|-) "
    rb"(?:([0-9]{1,12})|-) (?:[0-9]{1,12}|-) (?:-|" + _IN_QUOTES + rb") (?:-|" + _IN_QUOTES + rb")"
    rb"(?: [^\n]*)?"
)  # fmt: skip
_CLOUDFRONT = re.compile(rb"(" + _DATE + rb")\t([0-9]{2}:" + MINUTE + SECOND + rb")\t[^\n]*")
_CLOUDFRONT_FIELDS = [
    *("date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem"),
    *("sc-status", "cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-edge-result-type"),
    *("x-edge-request-id", "x-host-header", "cs-protocol", "cs-bytes", "time-taken"),
]
"""Those of standard logs, as far as they are used. A line has the first 12 at least."""
_FEWEST_FIELDS = 12
_TIME = rb"([0-9]{1,6}\.[0-9]{3})"
_REQUEST_TIME = re.compile(
    rb'(?: "(?![0-9]+\.[0-9]{3}[",])(?:' + TEXT + rb')")? "?' + _TIME + rb'"?(?=$| (?!"?[-0-9.]))'
    rb"| [0-9]+ " + _TIME + rb" \["
    rb'|(?: [^ "\n]*+(?:"' + TEXT + rb'"[^ "\n]*+)?+)*? (?:rt|request_time)="?' + _TIME + rb"(?![0-9.A-Za-z])"
    rb'| [0-9]+ "' + TEXT + rb'" "' + TEXT + rb'" ([0-9]{1,9})ms$'
)
"""Where fields behind a line have its response time: that of nginx, if no other number follows that might be
it; of its ingress in Kubernetes; by name and without a unit, outside of quotes, for clients choose what is
within; Traefik's."""
_ADDRESS = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")
_PORT = re.compile(rb":[0-9]{1,5}$")
_PLAIN = re.compile(REQUEST)
_URL = re.compile(URL_REQUEST)
_HOST = re.compile(rb'[A-Za-z_-]+ +[A-Za-z]+://([^/?: "\\]+)')
_LOCAL = re.compile(_BRACKETED[2:-2])
_DECIMAL = re.compile(rb"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_EPOCH = re.compile(rb"([0-9]{10}|[0-9]{9}(?![0-9]))(?:\.[0-9]{1,9}|(?:[0-9]{3}){1,3})?")
"""Seconds since 1970, until 2286: numbers of other lengths are dates, such as 20261125101500."""
_ZONED = re.compile(
    rb"(" + _DATE + rb")[T ]([0-9]{2}:" + MINUTE + rb"(?:" + SECOND + rb"|(?<=:59):60))(?:[.,][0-9]+)?"
    rb"(?:Z|([+-][0-9]{2}):?([0-9]{2}))?"
)
_DIGITS = re.compile(_SIZE)
_CELL = re.compile(rb'(?:^|(?<= ))(?:"(?:[^"]|"")*+"(?= |$)|[^ ]*)')
"""With quotes around it, a cell may have spaces."""
_QUOTED_CELL = re.compile(rb'\A"(.*)"\Z')
_STATUS = re.compile(rb"[0-9]{3}")


def _minute(time: bytes) -> int | None:
    """The minute in UTC of a time as ``_BRACKETED`` or ``_ISO`` find it, without its seconds unless these are
    60; None if there is none such."""
    part = part_of(time)
    if part == len(HOURS):
        return None
    if time[4:5] == b"-":
        return minute_of(time[:16].decode())
    month = 1 + b"JanFebMarAprMayJunJulAugSepOctNovDec".index(time[3:6]) // 3
    local = minute_of(f"{time[7:11].decode()}-{month:02}-{time[:2].decode()}T{time[12:17].decode()}")
    if local is None:
        return None
    zone = time[-5:]
    offset = 60 * int(zone[1:3]) + int(zone[3:])
    return local + (offset if zone[:1] == b"-" else -offset)


_MINUTES = _Cached(_minute)


def _local_minute(time: bytes) -> int | None:
    """Of ``22/Nov/2026:23:59:59 +0530``: seconds matter only if they are 60."""
    if time[18:20] == b"60":
        found: int | None = _minute(time[:17] + b"60 " + time[21:])
        return found
    known: int | None = _MINUTES[time[:17] + time[21:]]
    return known


def _iso_minute(time: bytes) -> int | None:
    found: int | None = _MINUTES[time[:16]]
    return found


def _asked(pattern: re.Pattern[bytes], request: bytes) -> tuple[bytes, bytes]:
    found = pattern.match(b'"' + request + b'"')
    if found is None or (found[2] is None and not found[3]):
        return b"-", b"-"
    return request[: request.index(b" ")], found[1] if found[2] is not None else found[3]


def _plain_request(request: bytes) -> tuple[bytes, bytes]:
    return _asked(_PLAIN, request)


def _url_request(request: bytes) -> tuple[bytes, bytes, bytes]:
    host = _HOST.match(request)
    return (*_asked(_URL, request), host[1].lower() if host else b"-")


_REQUESTS, _URL_REQUESTS = _Cached(_plain_request), _Cached(_url_request)


_POWERS = {"seconds": 6, "millis": 3, "micros": 0, "nanos": -3}
"""How many digits of microseconds there are behind the point of each unit."""


def _micros(text: bytes, power: int = 6) -> int | None:
    """
    >>> _micros(b"1.2345678"), _micros(b"12.5", 3), _micros(b"1999", -3), _micros(b"-1")
    (1234567, 12500, 1, None)
    """
    if not _DECIMAL.fullmatch(text):
        return None
    whole, _, fraction = text.partition(b".")
    if power > 0:
        micros = int(whole) * 10**power + int(fraction[:power].ljust(power, b"0"))
    else:
        micros = int(whole) // 10**-power
    return micros if micros <= MOST_SECONDS * 1_000_000 else None


_MICROS = _Cached(_micros)


def _clf(found: re.Match[bytes]) -> Request | None:
    client, second, rest, time, request, status, sent, referrer, agent, more, behind = found.groups()
    minute = _local_minute(time)
    if minute is None:
        return None
    host, kind = b"-", "common" if agent is None else "combined"
    if second != b"-" or b"," in client:
        client, host, before = _who(client, second, rest)
        kind += before
    micros = None
    if (more or behind) and (timed := _REQUEST_TIME.match(more or behind)):
        *seconds, millis = timed.groups()
        micros = _micros(millis, 3) if millis else _micros(next(filter(None, seconds)))
        kind = f"{kind} with request time"
    method, path = _REQUESTS[request]
    return Request(
        kind,
        minute,
        client,
        host,
        method,
        path,
        status,
        int(sent or 0),
        referrer or b"-",
        agent or b"-",
        micros,
    )


def _who(first: bytes, second: bytes, rest: bytes) -> tuple[bytes, bytes, str]:
    """The client and the host of a line that does not begin with one client and a ``-``, and what it has.
    Of clients with commas between, the first one is the client; the others passed its request on."""
    words = [first, second, *rest.split(b" ")]
    if second == b"-":
        last = 0
    elif words[-2] == b"-":
        last = len(words) - 3
    else:
        last = 1 if len(second) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(second.rstrip(b",")) else 0
        while last < len(words) - 1 and words[last].endswith(b","):
            last += 1
    at = last
    while at and words[at - 1].endswith(b","):
        at -= 1
    kind = ("", " with virtual host")[at] if at < 2 else " behind other fields"
    if b"," in words[at]:
        kind += " with X-Forwarded-For"
    host = _PORT.sub(b"", first).lower() if at == 1 else b"-"
    return words[at].partition(b",")[0] or b"-", host, kind


def _balancer(found: re.Match[bytes], kind: str) -> Request | None:
    time, client, one, two, three, status, sent, request, agent = found.groups()
    minute = _iso_minute(time)
    if minute is None:
        return None
    times = [_MICROS[each] for each in (one, two, three)]
    micros = sum(times) if None not in times else None
    method, path, host = _URL_REQUESTS[request]
    return Request(
        kind,
        minute,
        _PORT.sub(b"", client),
        host,
        method,
        path,
        status,
        int(sent),
        b"-",
        agent or b"-",
        micros,
    )


def _s3(found: re.Match[bytes]) -> Request | None:
    bucket, time, client, request, status, sent, millis, referrer, agent = found.groups()
    minute = _local_minute(time)
    if minute is None:
        return None
    method, path = _REQUESTS[request or b"-"]
    micros = int(millis) * 1000 if millis and int(millis) <= MOST_SECONDS * 1000 else None
    return Request(
        "s3",
        minute,
        client,
        bucket,
        method,
        path,
        status,
        int(sent or 0),
        referrer or b"-",
        agent or b"-",
        micros,
    )


def _cloudfront(time: re.Match[bytes]) -> Request | None:
    fields = time[0].split(b"\t")
    if len(fields) < _FEWEST_FIELDS:
        return None
    minute = _iso_minute(time[1] + b"T" + time[2])
    status, sent = fields[8], fields[3]
    if minute is None or not (_STATUS.fullmatch(status) or status in (b"-", b"0", b"000")):
        return None
    if not (_DIGITS.fullmatch(sent) or sent == b"-"):
        return None
    host = fields[15] if len(fields) > 15 and fields[15] != b"-" else fields[6]
    micros = _micros(fields[18]) if len(fields) > 18 else None
    return Request(
        "cloudfront", minute, fields[4], host.lower(), fields[5], fields[7] or b"-",
        status if len(status) == 3 else b"-", int(sent) if sent != b"-" else 0, fields[9], fields[10], micros,
    )  # fmt: skip


def _json(line: bytes) -> Request | None:
    found = _object(line)
    if found is None:
        return None
    return of_fields("json", fields_of(found)) or _wrapped_in_json(line, read_unwrapped)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _wrapped_in_json(line: bytes, read_inner: Reader) -> Request | None:
    if line[:1] != b"{" or (found := _object(line)) is None or not (inner := wrapped_line(found)):
        return None
    return _inside("in json", read_inner(inner))


def _inside(where: str, request: Request | str | None) -> Request | None:
    return request._replace(format=f"{request.format} {where}") if isinstance(request, Request) else None


def of_fields(kind: str, fields: dict[str, bytes]) -> Request | None:
    """The request of a line that has its fields by name; None without a time or a status."""
    if "date" in fields and "clock" in fields:
        fields["time"] = fields["date"] + b"T" + fields["clock"]
    minute = _any_minute(fields.get("time", b""))
    status, sent = fields.get("status", b""), fields.get("bytes") or b"-"
    if minute is None or not (_STATUS.fullmatch(status) or status == b"-"):
        return None
    if not (_DIGITS.fullmatch(sent) or sent == b"-"):
        return None
    method, path = _REQUESTS[fields["request"]] if "request" in fields else (b"-", b"-")
    host = fields.get("host") or b"-"
    if "url" in fields:
        _, path, of_url = _URL_REQUESTS[b"GET %s HTTP/1.1" % fields["url"]]
        host = of_url if of_url != b"-" else host
    if host.count(b":") == 1 or b"]:" in host:
        host = _PORT.sub(b"", host)
    method = fields.get("method") or method
    path = fields["path"].partition(b"?")[0] if fields.get("path") else path
    client = _PORT.sub(b"", fields["peer"]) if "peer" in fields else fields.get("client")
    client = client or fields.get("forwarded", b"").partition(b",")[0] or b"-"
    unit = "seconds" if "seconds" in fields else next((unit for unit in _POWERS if unit in fields), None)
    return Request(
        kind, minute, client, host.lower(), method, path or b"-", status,
        int(sent) if sent != b"-" else 0, fields.get("referrer") or b"-", fields.get("agent") or b"-",
        _micros(fields[unit], _POWERS[unit]) if unit else None,
    )  # fmt: skip


def _any_minute(time: bytes) -> int | None:
    """Of a time as nginx writes it, in one of three ways, or one in ISO 8601 that may lack its zone: UTC."""
    if found := _ZONED.fullmatch(time):
        minute = _iso_minute(found[1] + b"T" + found[2])
        if minute is None or not found[3]:
            return minute
        hours, minutes = int(found[3]), int(found[4])
        if abs(hours) > 23 or minutes > 59:
            return None
        return minute - 60 * hours - (minutes if found[3][:1] == b"+" else -minutes)
    if _LOCAL.fullmatch(time):
        return _local_minute(time)
    if found := _EPOCH.fullmatch(time):
        return (719_162 * DAY) + int(found[1]) // 60
    return None


def _header(line: bytes) -> str:
    """Raises OtherColumns."""
    name, _, columns = line.partition(b" ")
    given = columns.decode("latin-1").split()
    is_known = all(one == other for one, other in zip(given, _CLOUDFRONT_FIELDS, strict=False))
    if name == b"#Fields:" and not (is_known and len(given) >= _FEWEST_FIELDS):
        raise OtherColumns(columns)
    return HEADER


_FORMATS: list[tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], Request | str | None]]] = [
    (re.compile(_OTHER_BEGINNING + _CLF), _clf),
    (re.compile(rb"(\{.*\}\s*)"), lambda found: _json(found[0])),
    (_ALB, lambda found: _balancer(found, "alb")),
    (_ELB, lambda found: _balancer(found, "elb")),
    (_S3, _s3),
    (_CLOUDFRONT, _cloudfront),
    (re.compile(rb"#(?:Version|Fields): .*"), lambda found: _header(found[0])),
]
"""In this order: a line that could be read as two formats has the first one."""
_ANY_CLF = re.compile(_CLF)
_MARKS = re.compile(rb"(?:\xef\xbb\xbf)++")


def read(line: bytes) -> Request | str | None:
    """The request of a line without its end; ``HEADER``; None if it has no format that is known, or no
    time. Raises OtherColumns."""
    if request := read_unwrapped(line):
        return request
    if marks := _MARKS.match(line):
        return read(line[marks.end() :])
    if request := _wrapped(line, read_unwrapped):
        return request
    return _clf(found) if (found := _ANY_CLF.fullmatch(line)) else None


def read_unwrapped(line: bytes) -> Request | str | None:
    """``read`` a line that nothing comes before."""
    for pattern, make in _FORMATS:
        if (found := pattern.fullmatch(line)) and (request := make(found)):
            return request
    return None


def _wrapped(line: bytes, read_inner: Reader) -> Request | None:
    if not (found := _WRAPPED.fullmatch(line)):
        return None
    where = next(where for name, where in _WHERE.items() if found[name])
    return _inside(where, read_inner(found[len(_WHERE) + 1]))


def reader_of(log_format: str | None) -> Reader:
    """What reads lines, of all formats or of a ``log_format`` of nginx."""
    if log_format in (None, "auto"):
        return read
    from lambda_src.jobs.access_log.custom import FIELDS_LINE, columns_of, pattern_of  # noqa: PLC0415 - as above

    if (log_format or "").startswith(FIELDS_LINE):
        return _reader_of_columns(columns_of(log_format or ""))
    pattern = pattern_of(log_format or "")

    def read_inner(line: bytes) -> Request | None:
        found = pattern.fullmatch(line)
        return of_fields("custom", {k: v for k, v in found.groupdict().items() if v}) if found else None

    def read_custom(line: bytes) -> Request | None:
        line = line.removeprefix(BOM_UTF8)
        return read_inner(line) or _wrapped(line, read_inner) or _wrapped_in_json(line, read_inner)

    return read_custom


def _reader_of_columns(columns: Sequence[str | None]) -> Reader:
    """What reads lines of these columns, with a tab or a space between."""
    from lambda_src.jobs.access_log.custom import known_columns  # noqa: PLC0415 - as above

    def read_columns(line: bytes) -> Request | str | None:
        line = line.removeprefix(BOM_UTF8)
        if line[:1] == b"#":
            if line.startswith(b"#Fields:") and known_columns(line.decode("latin-1")) != columns:
                raise OtherColumns(line.removeprefix(b"#Fields:"))
            return HEADER
        cells = line.split(b"\t" if b"\t" in line else b" ")
        if b'"' in line:
            cells = cells if len(cells) == len(columns) else _CELL.findall(line)
            cells = [_QUOTED_CELL.sub(rb"\1", cell) for cell in cells]
        if len(cells) != len(columns):
            return None
        fields: dict[str, bytes] = {}
        for column, cell in zip(columns, cells, strict=True):
            if column and cell not in (b"", b"-"):
                fields.setdefault(column, cell)
        if "date" in fields and "clock" in fields:
            fields["time"] = fields["date"] + b"T" + fields["clock"]
        taken = fields.get("taken")
        if taken and taken.isdigit() and len(taken) <= MOST_DIGITS_OF_MILLIS:
            fields["seconds"] = b"%d.%03d" % divmod(int(taken), 1000)
        elif taken:
            fields["seconds"] = taken
        fields.setdefault("status", b"-")
        return of_fields("columns", fields)

    return read_columns


MOST_DIGITS_OF_MILLIS = 12
