"""What is noticed besides requests: malformed lines, and the formats that these may have."""

import re
import sys
from collections import Counter

from lambda_src.input.findings import NUL_BYTES
from lambda_src.job import Concern

MALFORMED_LINES, NULS_IN_LINES = "malformed_lines", "nul_bytes_in_lines"
_DAY = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = rb"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_BRACKETED = rb"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:" + _CLOCK + rb" [+-][0-9]{4}\]"
_TEXT = rb'[^"\\\n]*+(?:\\[^\n]?+[^"\\\n]*+)*+'
_OTHER_FORMATS = {
    "carriage_returns": ("several lines that only CR ends, as on old Macs", rb"[^\r]*\r[^\r]"),
    "common_log_format": (
        "Common Log Format",
        rb"[^ ]+ [^ ]+ [^[]* " + _BRACKETED + rb' "' + _TEXT + rb'" (?:[0-9]{3}|-) (?:[0-9]+|-) ?\r?\Z',
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
    "haproxy": (
        "the log of HAProxy",
        rb"(?:<[0-9]{1,3}>)?[A-Z][a-z]{2} [ 0-9]{2} " + _CLOCK + rb" [^ ]+ haproxy\[",
    ),
    "nginx_error_log": ("an error log of nginx", rb"[0-9]{4}/[0-9]{2}/[0-9]{2} " + _CLOCK + rb" \["),
    "apache_error_log": ("an error log of Apache", rb"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} " + _CLOCK),
    "envoy": ("the default log of Envoy", rb"\[" + _DAY + rb"T" + _CLOCK + rb"(?:\.[0-9]+)?Z\] \""),
    "java": ("a log of Java", _DAY + rb" " + _CLOCK + rb"[.,][0-9]{3} "),
    "cef": ("the Common Event Format", rb"CEF:[0-9]\|"),
    "vpc_flow_log": ("a flow log of a VPC", rb"[0-9] [0-9]{12} eni-"),
    "squid": ("the native log of Squid", rb"[0-9]{9,11}\.[0-9]{3} +-?[0-9]+ [^ ]+ [A-Z_]+/[0-9]{3} "),
    "syslog": ("syslog", rb"(?:<[0-9]{1,3}>|[A-Z][a-z]{2} [ 0-9]{2} " + _CLOCK + rb" [^ ]+ )"),
}
"""Formats that are not read, some only without options: the name for a person, and how a line begins."""

_OTHER_FORMAT = re.compile(
    rb"|".join(b"(?P<%s>%s)" % (code.encode(), pattern) for code, (_, pattern) in _OTHER_FORMATS.items())
)

_READ_IF_ASKED = ("common_log_format", "classic_elb", "cloudfront", "s3_access_log", "json_lines")


NO_REQUEST = "json_without_request"


def _how(code: str) -> str:
    if code == "w3c_extended":
        return "which is not read without format='#Fields: ...', its own line of columns"
    return "which is not read" + (" without format=auto" if code in _READ_IF_ASKED else "")


CONCERNS = {
    MALFORMED_LINES: Concern(
        "line",
        "could not be read as a log line",
        "could not be read as log lines",
        most="Most lines of these objects are not log lines",
        advice="Without options, the job reads Combined Log Format and that of AWS's Application Load "
        "Balancers. With format=auto, it reads every format that it knows; format also takes a log_format of "
        "nginx.",
    ),
    **{
        code: Concern("line", f"looks like {name}, {_how(code)}", f"look like {name}, {_how(code)}")
        for code, (name, _) in _OTHER_FORMATS.items()
    },
    NO_REQUEST: Concern(
        "line of JSON",
        "lacks a time or a status under a name that is known",
        "lack a time or a status under a name that is known",
    ),
    NUL_BYTES: Concern(
        "NUL byte",
        "was skipped",
        "were skipped",
        advice="Such runs are left behind where a log is truncated while its server goes on writing.",
    ),
    NULS_IN_LINES: Concern("NUL byte", "is part of a line", "are part of lines"),
}


def strange_format_of(line: bytes) -> str | None:
    """``format_of`` a line that the reader of all formats does not read: a damaged line of a format that is
    read has no other one."""
    code = format_of(line)
    if code == "json_lines":
        return NO_REQUEST
    return None if code in _READ_IF_ASKED else code


def format_of(line: bytes, begin: int = 0, end: int = sys.maxsize) -> str | None:
    """The code of the format that the malformed ``line[begin:end]`` has, if that is known."""
    kind = _OTHER_FORMAT.match(line, begin, end)
    return kind.lastgroup if kind else None


class OtherColumns(Exception):
    """Lines have other columns than those that are read."""


class Noticed:
    """How many ``lines`` one chunk has, and how many ``malformed`` ones; ``formats`` counts what some of
    these look like. ``first`` has where the first line of each kind begins."""

    def __init__(self) -> None:
        self.lines = self.malformed = 0
        self.formats: Counter[str] = Counter()
        self.first: dict[str, int] = {}
