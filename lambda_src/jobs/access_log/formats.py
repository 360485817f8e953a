"""What is noticed besides requests: malformed lines, and the formats that these may have."""

import re
import sys
from collections import Counter

from lambda_src.input.findings import NUL_BYTES
from lambda_src.job import Concern

MALFORMED_LINES, NULS_IN_LINES, CARRIAGE_RETURNS = (
    "malformed_lines",
    "nul_bytes_in_lines",
    "carriage_returns",
)
NO_REQUEST, NO_JSON, UNTIMED = "json_without_request", "json_not_valid", "untimed"
_DAY = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = rb"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_BRACKETED = rb"\[[0-9]{2}/" + _MONTH + rb"/[0-9]{4}:" + _CLOCK + rb" [+-][0-9]{4}\]"
_TEXT = rb'[^"\\\n]*+(?:\\[^\n]?+[^"\\\n]*+)*+'
_STAMP = _DAY + rb"T" + _CLOCK + rb"(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_SYSLOG = (
    rb"(?:<[0-9]{1,3}>|[A-Z][a-z]{2} [ 0-9]{2} "
    + _CLOCK
    + rb" |"
    + _STAMP
    + rb" [^ ]+ [^ :\[]+(?:\[[0-9]+\])?: )"
)

NOT_READ = "which is not read"
BY_ITSELF = "which is not read without format=auto"
WITHIN = "which is read with format=auto where it has lines of a known format"
_OTHER_FORMATS = {
    "common_log_format": (
        "Common Log Format",
        rb"[^ ]+ [^ ]+ [^[]* "
        + _BRACKETED
        + rb' "'
        + _TEXT
        + rb'" (?:[0-9]{3}|-) (?:[0-9]+|-)(?: [^" ][^"]*)? ?\r?\Z',
        BY_ITSELF,
    ),
    "other_time": (
        "Common or Combined Log Format whose times are not like [25/Nov/2026:10:15:00 +0000]",
        rb"[^ ]+ [^ ]+ [^[]* \[(?!" + _BRACKETED[2:] + rb')[^\]]*\] "' + _TEXT + rb'" [0-9]{3} ',
        "which is not read without a format that has $time_iso8601 or $msec, if its times are of these kinds",
    ),
    "classic_elb": (
        "the log of a Classic Load Balancer",
        _DAY + rb"T" + _CLOCK + rb"(?:\.[0-9]+)?Z [^ ]+ [^ ]+ [^ ]+ [-.0-9]+ [-.0-9]+ [-.0-9]+ "
        rb"(?:[0-9]{3}|-) (?:[0-9]{3}|-) [0-9]+ [0-9]+ \"",
        BY_ITSELF,
    ),
    "alb_connection": (
        "the connection log of an Application Load Balancer",
        _DAY + rb"T" + _CLOCK + rb"(?:\.[0-9]+)?Z [0-9a-f.:]+ [0-9]+ [0-9]+ (?:TLS|-)",
        NOT_READ,
    ),
    "network_load_balancer": (
        "the log of a Network Load Balancer",
        rb"tls [0-9.]+ " + _DAY + rb"T",
        NOT_READ,
    ),
    "cloudfront": (
        "a log of CloudFront",
        rb"#Version: 1\.0\r?\Z|#Fields: date time x-edge|" + _DAY + rb"\t" + _CLOCK + rb"\t",
        BY_ITSELF,
    ),
    "cloudfront_real_time": (
        "a real-time log of CloudFront",
        rb"[0-9]{10}\.[0-9]{3}\t",
        "which is not read without format='#Fields: timestamp c-ip ...', the columns that it was set up with",
    ),
    "w3c_extended": (
        "the W3C extended format of IIS",
        rb"#(?:Software|Date|Fields): |" + _DAY + rb" " + _CLOCK + rb" [^ ]+ [^ ]+ ",
        "which is not read without format='#Fields: ...', its own line of columns",
    ),
    "iis_native": (
        "the native format of IIS",
        rb"[^ ,]+, [^,]*, [0-9]+/[0-9]+/[0-9]+, [0-9]+:[0-9]{2}:[0-9]{2}, ",
        NOT_READ,
    ),
    "s3_access_log": ("an access log of S3", rb"[0-9a-f]{64} [^ ]+ " + _BRACKETED, BY_ITSELF),
    "json_lines": ("JSON", rb"[ \t]*\{.*\}[ \t]*\r?\Z", BY_ITSELF),
    "json_array": (
        "an array of JSON that has more than one line",
        rb"[ \t]*(?:\[[ \t]*\r?\Z|\[[ \t]*\{.*\},|\{.*\}[ \t]*[,\]]+\r?\Z)",
        "which is not read: write each of its elements as a line",
    ),
    "haproxy": (
        "the log of HAProxy",
        rb"(?:[^\[]{1,200} )?haproxy\[[0-9]+\]: |[^ ]+:[0-9]+ \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:"
        + _CLOCK
        + rb"\.[0-9]{3}\] ",
        NOT_READ,
    ),
    "nginx_error_log": (
        "an error log of nginx",
        rb"[0-9]{4}/[0-9]{2}/[0-9]{2} " + _CLOCK + rb" \[",
        NOT_READ,
    ),
    "apache_error_log": (
        "an error log of Apache",
        rb"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} " + _CLOCK,
        NOT_READ,
    ),
    "envoy": ("the default log of Envoy", rb"\[" + _DAY + rb"T" + _CLOCK + rb"(?:\.[0-9]+)?Z\] \"", NOT_READ),
    "java": ("a log of Java", _DAY + rb" " + _CLOCK + rb"[.,][0-9]{3} ", NOT_READ),
    "cef": ("the Common Event Format", rb"CEF:[0-9]\|", NOT_READ),
    "vpc_flow_log": ("a flow log of a VPC", rb"[0-9] [0-9]{12} eni-", NOT_READ),
    "squid": (
        "the native log of Squid",
        rb"[0-9]{9,11}\.[0-9]{3} +-?[0-9]+ [^ ]+ [A-Z_]+/[0-9]{3} ",
        NOT_READ,
    ),
    "logfmt": (
        "logfmt, as of Heroku's router",
        rb"(?:[^=]{1,200}: )?[a-zA-Z_.]+=(?:\""
        + _TEXT
        + rb"\"|[^ \"]*)(?: [a-zA-Z_.]+=(?:\""
        + _TEXT
        + rb"\"|[^ \"]*)){2}",
        NOT_READ,
    ),
    "ltsv": ("labeled values between tabs (LTSV)", rb"[a-zA-Z_]+:[^\t]*\t[a-zA-Z_]+:[^\t]*\t", NOT_READ),
    "container": ("the log of a container", _STAMP + rb" (?:stdout|stderr) [FP] ", WITHIN),
    "journald": (
        "journald's format for export",
        rb"(?:__?[A-Z_]+|PRIORITY|SYSLOG_[A-Z]+|CODE_[A-Z]+)=",
        WITHIN,
    ),
    "syslog": ("syslog", _SYSLOG, WITHIN),
    "named_lines": (
        "lines behind the name of a container",
        rb"(?:\[pod/[^ \]]+\]|[a-zA-Z0-9_.-]+ +\|) ",
        WITHIN,
    ),
}
"""Formats that are not read, some only without options: the name for a person, how a line begins, and what
reads it."""

_OTHER_FORMAT = re.compile(
    rb"|".join(b"(?P<%s>%s)" % (code.encode(), pattern) for code, (_, pattern, _) in _OTHER_FORMATS.items())
)

CONCERNS = {
    MALFORMED_LINES: Concern(
        "line",
        "could not be read as a log line",
        "could not be read as log lines",
        most="Most lines of these objects are not log lines",
        advice="Without options, the job reads Combined Log Format and that of AWS's Application Load "
        "Balancers. With format=auto, it reads every format that it knows; format also takes a log_format of "
        "nginx or a LogFormat of Apache.",
    ),
    **{
        code: Concern("line", f"looks like {name}, {how}", f"look like {name}, {how}")
        for code, (name, _, how) in _OTHER_FORMATS.items()
    },
    NO_REQUEST: Concern(
        "line of JSON",
        "lacks a time or a status under a name that is known",
        "lack a time or a status under a name that is known",
    ),
    NO_JSON: Concern(
        "line",
        "in braces is not JSON",
        "in braces are not JSON",
        advice="nginx writes JSON if its log_format has escape=json.",
    ),
    UNTIMED: Concern(
        "request",
        "has no response time that is known, and is in no percentile",
        "have no response time that is known, and are in no percentile",
        advice="If the lines have one, say where: format takes a log_format of nginx with $request_time, or "
        "a LogFormat of Apache with %D.",
    ),
    NUL_BYTES: Concern(
        "NUL byte",
        "was skipped",
        "were skipped",
        advice="Such runs are left behind where a log is truncated while its server goes on writing.",
    ),
    NULS_IN_LINES: Concern("NUL byte", "is part of a line", "are part of lines"),
    CARRIAGE_RETURNS: Concern(
        "carriage return",
        "is part of a line",
        "are part of lines",
        advice="A line ends with a newline. If only CR ends lines, as on old Macs, each object is one line: "
        "convert it first.",
    ),
}


def strange_format_of(line: bytes) -> str | None:
    """``format_of`` a line that the reader of all formats does not read: a damaged line of a format that is
    read has no other one."""
    code = format_of(line)
    if code == "json_lines":
        return NO_REQUEST if _is_json(line) else NO_JSON
    return None if code and _OTHER_FORMATS[code][2] == BY_ITSELF else code


def _is_json(line: bytes) -> bool:
    import msgspec  # noqa: PLC0415 - hardly ever needed

    try:
        msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def format_of(line: bytes, begin: int = 0, end: int = sys.maxsize) -> str | None:
    """The code of the format that the malformed ``line[begin:end]`` has, if that is known."""
    kind = _OTHER_FORMAT.match(line, begin, end)
    return kind.lastgroup if kind else None


LONGEST_FORMAT = 4000
"""More than any server writes, and few enough for a message."""


class OtherColumns(Exception):
    """Lines have other columns than those that are read."""

    def __init__(self, columns: bytes) -> None:
        super().__init__(" ".join(columns.decode("latin-1").split())[: LONGEST_FORMAT - len("#Fields: ")])


class Noticed:
    """How many ``lines`` one chunk has, and how many ``malformed`` ones; ``formats`` counts what some of
    these look like. ``first`` has where the first line of each kind begins."""

    def __init__(self) -> None:
        self.lines = self.malformed = 0
        self.formats: Counter[str] = Counter()
        self.first: dict[str, int] = {}
