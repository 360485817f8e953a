"""A ``log_format`` of nginx, or a ``LogFormat`` of Apache, as the regular expression of its lines, and the
columns of ``#Fields:``."""

import functools
import re
from collections.abc import Mapping

from lambda_src.jobs.access_log.formats import LONGEST_FORMAT

FIELDS = {
    "remote_addr": "client",
    "http_x_forwarded_for": "forwarded",
    "proxy_add_x_forwarded_for": "forwarded",
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
    "request_time_ms": "millis",
    "request_time_us": "micros",
    "host": "host",
    "http_host": "host",
    "server_name": "host",
}
"""The variables that are used, and what each is. All others are skipped. nginx does not have the last two of
a time."""

APACHE = {
    "h": "remote_addr",
    "a": "remote_addr",
    "m": "request_method",
    "U": "uri",
    "r": "request",
    "s": "status",
    "b": "body_bytes_sent",
    "B": "body_bytes_sent",
    "O": "bytes_sent",
    "v": "server_name",
    "V": "host",
    "D": "request_time_us",
    "T": "request_time",
    "{ms}T": "request_time_ms",
    "{us}T": "request_time_us",
    "{s}T": "request_time",
    "{Host}i": "http_host",
    "{Referer}i": "http_referer",
    "{User-Agent}i": "http_user_agent",
    "{X-Forwarded-For}i": "http_x_forwarded_for",
    "{sec}t": "msec",
    "{msec}t": "msec",
    "{usec}t": "msec",
    "{%Y-%m-%dT%H:%M:%S%z}t": "time_iso8601",
    "{%d/%b/%Y:%H:%M:%S %z}t": "time_local",
}
"""What Apache's directives are in nginx's notation. All others are skipped."""

FIELDS_LINE = "#Fields:"
COLUMNS = {
    "date": "date",
    "time": "clock",
    "timestamp": "time",
    "c-ip": "client",
    "cs-method": "method",
    "cs-uri-stem": "path",
    "cs-uri": "path",
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
_DIRECTIVE = re.compile(r"%(?:(%)|!?[0-9,]*[<>]?((?:\{[^}]*\})?(?:\^t[io]|[a-zA-Z])))")
_STATEMENT = re.compile(r"\s*(?:log_format|LogFormat)\s")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)

NAMES = {
    "client": ("$remote_addr", "c-ip"),
    "host": ("$host", "cs-host"),
    "path": ("$request", "cs-uri-stem"),
    "method": ("$request", "cs-method"),
    "agent": ("$http_user_agent", "cs(User-Agent)"),
    "referrer": ("$http_referer", "cs(Referer)"),
    "seconds": ("$request_time", "time-taken"),
}
"""What can be asked for, and the variable or the column that a format needs for it."""

_OTHER_NAMES = {
    "path": {"request"},
    "method": {"request"},
    "client": {"forwarded"},
    "seconds": {"millis", "micros", "taken"},
}


@functools.lru_cache(maxsize=4)
def pattern_of(log_format: str) -> re.Pattern[bytes]:
    """The pattern of a line, with a group for each field. A value ends before the character that follows it
    in the format; between quotes, a backslash takes the next byte along. Raises ValueError."""
    if len(log_format) > LONGEST_FORMAT:
        raise ValueError(f"format has more than {LONGEST_FORMAT} characters")
    texts = _VARIABLE.split(_in_notation_of_nginx(log_format))
    names = [one or other for one, other in zip(texts[1::3], texts[2::3], strict=True)]
    literals = texts[::3]
    pattern, known = re.escape(literals[0].encode()), set[str]()
    for number, (name, before, after) in enumerate(zip(names, literals, literals[1:], strict=False), 1):
        if not after and number < len(names):
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
            f"$msec, or a LogFormat of Apache, with %s and %t, not {log_format[:60]!r}"
        )
    return re.compile(pattern)


def _in_notation_of_nginx(log_format: str) -> str:
    r"""A format of nginx or Apache, or the statement that has it.

    >>> _in_notation_of_nginx(r'LogFormat "%h %t \"%r\" %>s %U%q %D" common')
    '${remote_addr} [${time_local}] "${request}" ${status} ${request_uri} ${request_time_us}'
    """
    if _STATEMENT.match(log_format):
        texts = ["".join(found) for found in _QUOTED.findall(log_format)]
        is_of_apache = log_format.lstrip().startswith("L")
        log_format = texts[0] if texts and is_of_apache else re.sub(r"\\(.)", r"\1", "".join(texts))
    if "$" in log_format or "%" not in log_format:
        return log_format
    text = log_format.replace('\\"', '"').replace("\\t", "\t").replace("%U%q", "${request_uri}")
    return _DIRECTIVE.sub(_variable_of, text.replace("%t", "[${time_local}]"))


def _variable_of(found: re.Match[str]) -> str:
    if found[1]:
        return "%"
    if found[2].endswith("}t") and found[2] not in APACHE:
        raise ValueError(f"format: %{found[2]} is no time that is known: take %t, %{{sec}}t or %{{msec}}t")
    return "${" + APACHE.get(found[2], "other") + "}"


def columns_of(line: str) -> list[str | None]:
    """What each column is, of a line that begins with ``#Fields:``. Raises ValueError.

    >>> columns_of("#Fields: date time s-ip sc-status")
    ['date', 'clock', None, 'status']
    """
    if len(line) > LONGEST_FORMAT:
        raise ValueError(f"format has more than {LONGEST_FORMAT} characters")
    columns = known_columns(line)
    if not ({"date", "clock"} <= {*columns} or "time" in columns) or "status" not in columns:
        raise ValueError("format: #Fields: needs date and time, or timestamp, and sc-status")
    return columns


def known_columns(line: str) -> list[str | None]:
    """What each column is, whatever they are. CloudFront's cs(Host) is not what was asked for."""
    names = line.removeprefix(FIELDS_LINE).split()
    unused = "cs(Host)" if "x-host-header" in names else ""
    return [None if name == unused else COLUMNS.get(name) for name in names]


def check_format(text: str, needed: Mapping[str, str]) -> None:
    """Raise ValueError unless lines can be read by this format, and have what is ``needed``: the option that
    needs it, by a name of ``NAMES``."""
    is_of_columns = text.startswith(FIELDS_LINE)
    fields = {*(columns_of(text) if is_of_columns else pattern_of(text).groupindex)}
    for name, option in needed.items():
        if not fields & {name, *_OTHER_NAMES.get(name, ())}:
            variable, column = NAMES[name]
            raise ValueError(
                f"{option} needs the column {column} in format"
                if is_of_columns
                else f"{option} needs {variable} in format: write it in place of the variable that has it"
            )


def _value(name: str, before: str, after: bytes) -> bytes:
    if before == '"' and after == b'"':
        return rb'[^"\\\n]*+(?:\\[^\n]?+[^"\\\n]*+)*+'
    if name == "time_local":
        return rb"[^ \n]++ [+-][0-9]{4}"
    if name.endswith("x_forwarded_for") or name.startswith("upstream_"):
        one = rb"[^%s \n,]*+" % re.escape(after) if after else rb"[^ \n,]*+"
        return one + rb"(?:(?:, ?| : )" + one + rb")*+"
    return b"[^%s\n]*+" % re.escape(after) if after else b"[^\n]*+"
