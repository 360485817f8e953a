"""A ``log_format`` of nginx as the regular expression of its lines."""

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


def _value(name: str, before: str, after: bytes) -> bytes:
    if before == '"' and after == b'"':
        return rb'[^"\\\n]*+(?:\\[^\n]?+[^"\\\n]*+)*+'
    if name == "time_local":
        return rb"[^ \n]++ [+-][0-9]{4}"
    return b"[^%s\n]*+" % re.escape(after) if after else b"[^\n]*+"
