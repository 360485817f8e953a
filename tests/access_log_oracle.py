"""What ``access_log`` must arrive at: each line read character by character, its time by ``datetime``."""

import hashlib
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

DIGITS = frozenset("0123456789")
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Request(NamedTuple):
    """What one log line tells."""

    hour: int
    status: str
    sent: int
    path: str


class NoLogLine(Exception):
    """The line has neither format."""


class Reader:
    """A line, one character per byte, read from left to right."""

    def __init__(self, line: bytes) -> None:
        self.left = line.decode("latin-1")

    def word(self) -> str:
        word, space, self.left = self.left.partition(" ")
        expect(word != "" and space == " ")
        return word

    def quoted(self) -> str:
        expect(self.left.startswith('"'))
        end = 1
        while end < len(self.left) and self.left[end] != '"':
            end += 2 if self.left[end] == "\\" else 1
        expect(end < len(self.left))
        inside, self.left = self.left[1:end], self.left[end + 1 :]
        return inside

    def literal(self, text: str) -> None:
        expect(self.left.startswith(text))
        self.left = self.left.removeprefix(text)

    def end(self) -> None:
        expect(self.left == "" or self.left.startswith(" "))


def expect(condition: bool) -> None:
    if not condition:
        raise NoLogLine


def combined(line: bytes) -> Request:
    reader = Reader(line)
    reader.word()
    reader.word()
    user, bracket, reader.left = reader.left.partition("[")
    expect(user.endswith(" ") and bracket == "[")
    time, bracket, reader.left = reader.left.partition("]")
    expect(bracket == "]")
    hour = utc_hour(time, "00/Aaa/0000:00:00:00 ~0000", "%d/%b/%Y:%H:%M:%S %z")
    reader.literal(" ")
    request = reader.quoted()
    reader.literal(" ")
    status = reader.word()
    expect(is_status(status))
    size = reader.word()
    sent = 0 if size == "-" else number(size)
    reader.quoted()
    reader.literal(" ")
    reader.quoted()
    reader.end()
    target = target_of(request)
    return Request(hour, status, sent, "-" if target is None else shown(up_to(target, "?")))


def lines_of(data: bytes) -> list[bytes]:
    """NULs at the start of a line are none of it, and 16 or more end one."""
    lines = []
    pieces = data.split(b"\n")
    for number, piece in enumerate(pieces, start=1):
        text = piece.lstrip(b"\0")
        while (run := text.find(bytes(16))) >= 0:
            lines.append(text[:run])
            text = text[run:].lstrip(b"\0")
        if text or number < len(pieces):
            lines.append(text)
    return lines


def alb(line: bytes) -> Request:
    reader = Reader(line)
    kind = reader.word()
    expect(set(kind) <= DIGITS | LETTERS and kind == kind.lower())
    time = reader.word()
    expect(time.endswith("Z"))
    seconds, dot, fraction = time.removesuffix("Z").partition(".")
    expect(set(fraction) <= DIGITS and (dot == "") == (fraction == ""))
    hour = utc_hour(f"{seconds} +0000", "0000-00-00T00:00:00 ~0000", "%Y-%m-%dT%H:%M:%S %z")
    for _ in ("elb", "client", "target"):
        reader.word()
    for _ in ("request", "target", "response"):
        expect(set(reader.word()) <= DIGITS | set("-."))
    status, target_status = reader.word(), reader.word()
    expect(is_status(status) or status == "-")
    expect(is_status(target_status) or target_status == "-")
    number(reader.word())
    sent = number(reader.word())
    request = reader.quoted()
    reader.literal(" ")
    reader.quoted()
    reader.end()
    target = target_of(request)
    path = "-" if target is None else shown(url_path(target))
    return Request(hour, status, sent, path if path or is_version(request.split(" ")[-1]) else "-")


def utc_hour(time: str, shape: str, form: str) -> int:
    """``shape`` keeps ``strptime`` to the letter: it takes "1" for a day, and months in any case."""
    classes = {"0": DIGITS, "A": {*map(str.upper, LETTERS)}, "a": {*map(str.lower, LETTERS)}, "~": {"+", "-"}}
    expect(len(time) == len(shape))
    expect(all(found in classes.get(wanted, {wanted}) for found, wanted in zip(time, shape, strict=True)))
    is_leap_second = time[17:19] == "60" or time[18:20] == "60"
    if is_leap_second:  # in the one format or the other
        time = time.replace(":60 ", ":59 ")
    try:
        local = datetime.strptime(time, form)
    except ValueError:
        raise NoLogLine from None
    # In a year that is neither the first nor the last, for the day may change.
    utc = local.replace(year=2000).astimezone(UTC)
    expect(not is_leap_second or (23, 59) in ((local.hour, local.minute), (utc.hour, utc.minute)))
    return utc.hour


def is_status(word: str) -> bool:
    return len(word) == 3 and set(word) <= DIGITS


def number(word: str) -> int:
    expect(0 < len(word) <= 15 and set(word) <= DIGITS)
    return int(word)


def target_of(request: str) -> str | None:
    words = request.split(" ")
    method, *target = words
    if method == "" or not set(method) <= LETTERS | {"-", "_"}:
        return None
    if len(target) > 1 and is_version(target[-1]):
        target.pop()
        return " ".join(target) if target[0] and target[-1] else None
    if len(target) != 1:
        return None
    scheme, separator, _ = target[0].partition("://")
    has_scheme = scheme != "" and set(scheme) <= LETTERS and separator
    return target[0] if target[0].startswith("/") or has_scheme else None


def is_version(word: str) -> bool:
    protocol, slash, numbers = word.partition("/")
    major, dot, minor = numbers.partition(".")
    return (
        (protocol, slash) == ("HTTP", "/")
        and len(major) == 1
        and len(minor) == len(dot)
        and set(major + minor) <= DIGITS
    )


def url_path(target: str) -> str:
    before_query = up_to(target, "?")
    scheme, separator, rest = before_query.partition("://")
    if scheme and separator and set(scheme) <= LETTERS:
        ends = [rest.index(end) for end in "/ " if end in rest]
        return rest[min(ends, default=len(rest)) :]
    return before_query


def up_to(text: str, stop: str) -> str:
    return text.partition(stop)[0]


def shown(path: str) -> str:
    raw = path.encode("latin-1")
    if len(raw) > 2048 or b" bytes, SHA-256 " in raw:
        beginning = raw[:1024].decode(errors="backslashreplace")
        return f"{beginning}... ({len(raw)} bytes, SHA-256 {hashlib.sha256(raw).hexdigest()})"
    return raw.decode(errors="backslashreplace")


def read_line(line: bytes) -> Request | None:
    """None if it is malformed."""
    for read in (alb, combined):
        try:
            return read(line)
        except NoLogLine:
            continue
    return None


def answer(*objects: bytes) -> dict[str, Any]:
    """The job's fields of the answer on these objects."""
    requests = []
    for data in objects:
        requests += [read_line(line.removesuffix(b"\r")) for line in lines_of(data)]
    by_hour = defaultdict[int, list[Request]](list)
    for request in requests:
        if request is not None:
            by_hour[request.hour].append(request)
    return {
        "bytes": sum(map(len, objects)),
        "objects": len(objects),
        "lines": len(requests),
        "malformed_lines": requests.count(None),
        "hours": {str(hour): of_hour(by_hour[hour]) for hour in range(24)},
        "top_paths": top(Counter(request.path for request in requests if request is not None)),
    }


def of_hour(requests: list[Request]) -> dict[str, Any]:
    return {
        "requests": len(requests),
        "bytes_sent": sum(request.sent for request in requests),
        "status": dict(sorted(Counter(request.status for request in requests).items())),
        "top_paths": top(Counter(request.path for request in requests)),
        "top_paths_5xx": top(Counter(request.path for request in requests if request.status[0] == "5")),
    }


def top(counts: Counter[str]) -> list[dict[str, Any]]:
    best = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:10]
    return [{"path": path, "count": count} for path, count in best]
