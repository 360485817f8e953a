"""A ``log_format`` of nginx as the regular expression of its lines, and the columns of ``#Fields:``."""

import functools
import re

FIELDS = {
    "remote_addr": "client",
    "time_local": "time",
    "time_iso8601": "time",
    "msec": "time",
    "request": "request",
    "request_method": "method",
    "request_uri": "path",
    "uri": "path",
    "status": "status",
    "body_bytes_sent": "bytes",
    "bytes_sent": "bytes",
    "http_referer": "referrer",
    "http_user_agent": "agent",
    "request_time": "seconds",
    "host": "host",
    "http_host": "host",
    "server_name": "host",
}
"""The variables that are used, and what each is. All others are skipped."""

FIELDS_LINE = "#Fields:"
COLUMNS = {
    "date": "date",
    "time": "clock",
    "timestamp": "time",
    "c-ip": "client",
    "cs-method": "method",
    "cs-uri-stem": "path",
    "sc-status": "status",
    "sc-bytes": "bytes",
    "x-host-header": "host",
    "cs-host": "host",
    "cs(Host)": "host",
    "cs(Referer)": "referrer",
    "cs-referer": "referrer",
    "cs(User-Agent)": "agent",
    "cs-user-agent": "agent",
    "time-taken": "taken",
}
"""Columns of the W3C's extended format that are used, and what each is: of IIS, CloudFront and others. The
time taken is in seconds if it has a point, else in milliseconds. All others are skipped."""

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
LONGEST_FORMAT = 2000


@functools.lru_cache(maxsize=4)
def pattern_of(log_format: str) -> re.Pattern[bytes]:
    """The pattern of a line, with a group for each field. A value ends before the character that follows it
    in the format; between quotes, a backslash takes the next byte along. Raises ValueError."""
    if len(log_format) > LONGEST_FORMAT:
        raise ValueError(f"format has more than {LONGEST_FORMAT} characters")
    texts = _VARIABLE.split(log_format)
    names = [one or other for one, other in zip(texts[1::3], texts[2::3], strict=True)]
    literals = texts[::3]
    pattern, known = re.escape(literals[0].encode()), set[str]()
    for name, before, after in zip(names, literals, literals[1:], strict=False):
        if not after and name != names[-1]:
            raise ValueError(f"format: after ${name} there must be a character that ends it")
        field = FIELDS.get(name)
        value = _value(name, before[-1:], after[:1].encode())
        named = field is not None and field not in known
        pattern += (b"(?P<%s>%s)" % (str(field).encode(), value)) if named else b"(?:%s)" % value
        pattern += re.escape(after.encode())
        known.add(field or "")
    if not {"time", "status"} <= known:
        raise ValueError(
            "format takes auto or a log_format of nginx, with $status and $time_local, $time_iso8601 or "
            f"$msec, not {log_format[:60]!r}"
        )
    return re.compile(pattern)


def columns_of(line: str) -> list[str | None]:
    """What each column is, of a line that begins with ``#Fields:``. Raises ValueError.

    >>> columns_of("#Fields: date time s-ip sc-status")
    ['date', 'clock', None, 'status']
    """
    if len(line) > LONGEST_FORMAT:
        raise ValueError(f"format has more than {LONGEST_FORMAT} characters")
    columns = [COLUMNS.get(name) for name in line.removeprefix(FIELDS_LINE).split()]
    if not ({"date", "clock"} <= {*columns} or "time" in columns) or "status" not in columns:
        raise ValueError("format: #Fields: needs date and time, or timestamp, and sc-status")
    return columns


def check_format(text: str) -> None:
    """Raise ValueError unless lines can be read by this format."""
    if text.startswith(FIELDS_LINE):
        columns_of(text)
    else:
        pattern_of(text)


def _value(name: str, before: str, after: bytes) -> bytes:
    if before == '"' and after == b'"':
        return rb'[^"\\\n]*+(?:\\[^\n]?+[^"\\\n]*+)*+'
    if name == "time_local":
        return rb"[^ \n]++ [+-][0-9]{4}"
    return b"[^%s\n]*+" % re.escape(after) if after else b"[^\n]*+"
