"""What C reads and counts of logs with options is what Python does, to the byte. Whether Python is right,
other tests say, with an oracle of their own (``test_access_log_asked``)."""

import itertools
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.testing import Objects, run_job
from lambda_src import job
from lambda_src.counts.compiled import library_name
from lambda_src.counts.library import find_library
from lambda_src.errors import TooManyDistinct
from lambda_src.input import ownership
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Mapped, Shards, Span
from lambda_src.jobs.access_log import JOB, asked, c_asked, python_asked
from lambda_src.jobs.access_log.scan import ASKED_LIBRARY
from stacks.native_library import sources_of_jobs
from tests.unit.test_access_log import LINES, SHARDS, combined
from tests.unit.test_access_log_asked import CUSTOM, FORMS, HOSTILE, KEYS, MEAN, paged, requests
from tests.unit.test_access_log_asked import Form as Written

AT_ONCE = Shards("key", 1, "run")


def mapped(data: bytes, options: dict[str, Any], shards: Shards = AT_ONCE, kernel: str = "c") -> Mapped:
    """The whole of ``data`` as a block."""
    context = Context(shards, JOB.read_options(options), {})
    with patch.object(asked, "find_library", find_library if kernel == "c" else lambda _: None):
        return JOB.map(Span(0, len(data)), input_of_bytes([data], "plain"), context)


def both(data: bytes, options: dict[str, Any], shards: Shards = AT_ONCE) -> Mapped:
    found = mapped(data, options, shards)
    assert found == mapped(data, options, shards, "python")
    return found


Form = tuple[bytes, list[list[bytes]]]
"""A line with `%b` for each of its fields, and what these may be: first what is usual."""


def choice(texts: bytes, *more: bytes) -> list[bytes]:
    """What is between the bars, and ``more``."""
    return [*texts.split(b"|"), *more]


_WORDS = choice(
    b"192.0.2.1|198.51.100.9|192.0.2.256|192.0.2.1000|a:b|192.0.2.01|1.2.3|1.2.3.4.5|0.0.0.0|h:123456|:80|-|localhost|a,b|"
    b"www.Example.com:443|2001:db8::1|[2001:db8::1]|::ffff:192.0.2.1|FE80::1|a:b:c|g::|192.0.2.1,|"
    b"2026-11-22|2026-11-22T|12:34:56|Nov|<13>h|MESSAGE=h",
    *(b"f" * 64, b"f" * 65, b"h" * 300, b"h" * 301, b":" * 45, b":" * 46, b"h\xc3\x89X"),
)
_USERS = choice(b"-|- -|- bob|bob|| |bob smith|- bob -|a - b|\xff x")
_TIMES = choice(
    b"22/Nov/2026:23:59:59 +0530|01/Jan/0001:00:00:00 +2359|31/Dec/9999:23:59:59 -2359|"
    b"29/Feb/2024:12:00:60 +0000|31/Dec/2016:23:59:60 -0100|29/Feb/2023:00:00:00 +0000|"
    b"01/Mar/2024:00:10:00 +0015|28/Nov/2026:24:00:00 +0000|28/nov/2026:10:00:00 +0000|"
    b"01/Jan/2025:00:00:00 +0000|31/Dec/2024:23:00:00 -0100"
)
_KEYS = (bytes(80), b"a" * 299, b"a" * 300, b"\xff" * 74 + b"abc", b"\xff" * 75, b"\0\xe2\x82" * 25)
_REQUESTS = choice(
    rb"GET /a?b HTTP/1.1|GET /A b HTTP/2|POST http://h.example/x|-||GET ?x HTTP/1.1|M-SEARCH * HTTP/1.1|"
    rb"GET  /a HTTP/1.1|\|\" /|GET /x bytes, SHA-256 y HTTP/1.1|GET /x characters, SHA-256 y HTTP/1.1|g /",
    *(b"GET /" + key + b" HTTP/1.1" for key in (*_KEYS, "é".encode() * 299, "é".encode() * 300)),
)
_ANSWERS = choice(
    b'200 1 "-" "curl/8"|200 1|404 -|500 999999999999999|000 0|599 1 |200 1 \r|200 1  |20 1|200 1 x|'
    b'301 - "" ""|200 1 "-" "-"|503 77 "https://e/\xff" "a \\"b\\""|200 1 "-"|100 1 "\\" "x"'
)
_TAILS = choice(
    rb'| |  | 0.123| "0.123"| "0.123| 0.123"| 0.1234| 1234567.000| "x" 1.500| "\" 1.500| "x" rt=2.500|'
    rb'x 0.123| rt=0.001 rt=9.000| rt=0.0011 rt=9.000| "rt=1.000"| "0.123" 0.456| "a" "0.250"| "a|'
    rb' 7 0.125 [x]| "a" "0.250" rt=1.000|'
    rb' "0.123 x"| "1234567.000" 0.123| "203.0.113.9, 10.0.0.1" 0.250| "203.0.113.9"|'
    rb' "0.1"ms| 7 "a" "b" 12ms| "-" "b" 12ms| "1.000," 0.500| "12.0000" 0.500| "-"| "-" -| "-" 12| rt=|'
    rb' 0.001 0.002| "" ""| "a \"b" 0.125| "a" 1.000 -| "a" 1.000 x',
    *(b"\r", b" \r", b"\r\r", b" 0.123\r", b" rt=5.000\r", b" \xff 0.123"),
)
_CLF: Form = (
    b'%b %b %b [%b] "%b" %b%b',
    [_WORDS, [b"-", *_WORDS], _USERS, _TIMES, _REQUESTS, _ANSWERS, _TAILS],
)
_SECONDS = choice(
    b"0.000|0.001|0.0002|0.1|1|12.345678901|1.1234567890|1000000|1000000.1|999999999.9|1234567890|-1|.|-|1..|7.|"
    b"000000000000000001.5|0000000000000000001"
)
_BALANCED = [
    choice(
        b"2026-11-22T05:59:59.1Z|2016-12-31T23:59:60Z|0001-01-01T00:00:00Z|2026-02-29T00:00:00Z|2026-1-1T0Z"
    ),
    *(_WORDS, _WORDS, _WORDS, _SECONDS, _SECONDS, _SECONDS),
    choice(b"200 200|- -|502 -|460 x|460 1|460 1234"),
    choice(
        rb"GET https://Www.Example.com:443/a?b HTTP/1.1|GET https:///a HTTP/1.1|- http://h- -|GET / HTTP/2|"
        rb"GET  https://two/ HTTP/1.1|GET https://h\x/a HTTP/1.1|G1 https://h/ HTTP/1.1|GET ws://h",
        b"GET https://" + b"H" * 400 + b"/ HTTP/1.1",
    ),
    choice(b' "curl/8"|| "-"| ""| "" "trace" "x"| "a"x| "| ""\r|\r| x', b' "%b"' % (b"a" * 400)),
]
_ALB: Form = (b'h2 %b %b %b %b %b %b %b %b 0 7 "%b"%b', _BALANCED)
_ELB: Form = (b'%b %b %b %b %b %b %b %b 0 7 "%b"%b', _BALANCED)
_CELLS = choice(b"-|0|x y||7|\xff|Www.Example.com|192.0.2.1")
_CLOUDFRONT: Form = (
    b"\t".join([b"%b"] * 20),
    [
        choice(b"2026-11-22|2026-02-29|2026-1-2"),
        choice(b"10:00:00|23:59:59|24:00:00|10:60:00|10:00:60|1:00:00|10:00:00.1"),
        _CELLS,
        choice(b"77|-|0||x|999999999999999|9999999999999999|7 "),
        *(_CELLS, _CELLS, _CELLS, [b"/a", *_CELLS]),
        choice(b"200|404|-|0|000|20|x||2000|20 "),
        *([_CELLS] * 9),
        choice(b"0.250|-||1|1.|x|1000000.1|0.0000001|7\t|12345678901234567890"),
        choice(b"|-|\t|\r| "),
    ],
)
_SIZES = choice(b"7|-|0|1000000000|1000000001|999999999999|1234567890123|x|1234567890123456|")
_S3: Form = (
    b"%b %b [%b] %b - ID OP key %b %b - %b %b %b %b %b %b%b",
    [
        choice(b"", *(b"0a" * 32, b"0A" * 32, b"0" * 63, b"ff"))[1:],
        *(
            [b"bucket", b"BUCKET", *_WORDS],
            _TIMES,
            _WORDS,
            [b'"%b"' % one for one in _REQUESTS] + [b"-", b"x"],
        ),
        *(choice(b"200|404|-|20"), _SIZES, _SIZES, _SIZES, _SIZES),
        *(choice(b'"-"|-|""|"a \\" b"|x'), choice(b'"curl/8"|-|""|"'), choice(b"|| | more|x|\r")),
    ],
)
_FORMS = {"clf": _CLF, "alb": _ALB, "elb": _ELB, "cloudfront": _CLOUDFRONT, "s3": _S3}


def odd_lines(form: Form) -> bytes:
    """Lines with one odd field, or with two odd fields and one field between them."""
    text, fields = form
    usual = [values[0] for values in fields]
    lines = [
        text % (*usual[:at], value, *usual[at + 1 :]) for at, values in enumerate(fields) for value in values
    ]
    for at in range(len(fields) - 1):
        lines += [
            text % (*usual[:at], one, other, *usual[at + 2 :])
            for one in fields[at]
            for other in fields[at + 1]
        ]
    return b"\n".join(lines) + b"\n"


def lines_of(form: Form) -> st.SearchStrategy[bytes]:
    text, fields = form
    return st.tuples(*map(st.sampled_from, fields)).map(lambda found: text % found)


_WRITTEN = [
    form.write(one._replace(**mean)).encode(errors="surrogateescape")
    for form in FORMS[:13]
    for one in requests(1, 2)
    for mean in ({}, *MEAN[1:8], *MEAN[9:])
]
_ANY_LINES = st.one_of(
    *(lines_of(form) for form in (_CLF, *_FORMS.values())), st.sampled_from([*_WRITTEN, *HOSTILE[3:7]]), LINES
)
_CHANGED_LINES = st.builds(
    lambda line, at, cut, noise: line[: at % (len(line) + 1)] + noise + line[at % (len(line) + 1) + cut :],
    _ANY_LINES,
    st.integers(0, 400),
    st.integers(0, 3),
    st.sampled_from(
        [b"", b" ", b'"', b"\\", b"\r", b"\0", b"\xff", b"0", b":", b"[", b"{", b"#", b"-", b".", b"a"]
    ),
)
_LOGS = st.lists(
    st.builds(
        bytes.__add__, _ANY_LINES | _CHANGED_LINES, st.sampled_from([b"\n", b"\n", b"\r\n", bytes(20)])
    ),
    max_size=12,
).map(b"".join)
_FILTERS: list[dict[str, Any]] = [
    *({}, {}, {}, {"from": "2026-11-01"}, {"from": "2026-11-22T18:29"}, {"to": "2026-11-22T18:30"}),
    *({"from": "0001-01-01"}, {"to": "9999-12-31"}),
    *({name: value} for name, values in {
        "status": ["5xx", "404", "-"], "method": ["GET", "-"], "host": ["WWW.example.com", "-"],
        "path": ["/a", "/*a*", "*", "/\xe9*", "*a*b", "/a*a"],
        "client": ["192.0.2.0/24", "192.0.2.1", "bob", "0.0.0.0/0", "2001:db8::/32", "::/0", "localhost"],
    }.items() for value in values),
]  # fmt: skip
_OPTIONS = st.builds(
    lambda by, order, one, other: {
        "by": by,
        "format": "auto",
        **({"order": order} if order and by != "hour" else {}),
        **one,
        **other,
    },
    st.sampled_from(["hour", *KEYS]),
    st.sampled_from([None, None, "p95"]),
    st.sampled_from(_FILTERS),
    st.sampled_from(_FILTERS),
)


@given(_LOGS, _OPTIONS, SHARDS, st.sampled_from([1, 100, 1 << 20]))
@example(b"\n".join(HOSTILE), {"by": "path"}, AT_ONCE, 1000)
@example(b"\n\n" + combined() * 3, {"by": "day", "format": CUSTOM}, AT_ONCE, 1)
@settings(max_examples=150, deadline=None)
def test_c_and_python_map_a_block_to_the_same_bytes_whatever_the_chunks(
    log: bytes, options: dict[str, Any], shards: Shards, window_bytes: int
) -> None:
    found = both(log, options, shards)
    with patch.object(ownership, "WINDOW_BYTES", window_bytes):
        assert mapped(log, options, shards) == found


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("by", ["hour", *KEYS])
def test_any_odd_field_is_what_it_is_in_python(by: str, form: str) -> None:
    both(odd_lines(_FORMS[form]), {"by": by, "format": "auto"})


@pytest.mark.parametrize("options", [*_FILTERS[3:], {"to": "2026-11-22T18:29"}, {"order": "p95"}], ids=str)
def test_any_filter_takes_what_it_takes_in_python(options: dict[str, Any]) -> None:
    for form in _FORMS.values():
        both(odd_lines(form)[:200_000].rpartition(b"\n")[0], {"by": "path", **options})


@pytest.mark.parametrize(
    "pattern", ["a*b", "*a", "a*", "*ab*", "*a*b*a", "ab*ba", "**", "*b*", "a*a*a", "ab"]
)
def test_a_pattern_matches_what_it_matches_in_python(pattern: str) -> None:
    paths = ["".join(letters) for size in range(7) for letters in itertools.product("ab", repeat=size)]
    data = b"".join(combined(b"GET http://%b HTTP/1.1" % path.encode()) for path in paths)
    both(data, {"by": "path", "path": f"http://{pattern}"})


def test_lines_of_cloudfront_may_have_fewer_columns() -> None:
    text, fields = _CLOUDFRONT
    cells = (text % tuple(values[0] for values in fields)).replace(b"-", b"x").split(b"\t")
    for count in range(1, 25):
        both(b"\t".join([b"2026-11-22", *cells[1:], *cells][:count]) + b"\n", {"by": "host"})


@pytest.mark.parametrize("by", ["hour", "path"])
def test_lines_that_python_reads_are_counted_in_their_place(by: str) -> None:
    """Among lines that C reads, and with a format that it never reads."""
    ones = paged(5, 30)
    lines = [FORMS[number % 13].write(one) for number, one in enumerate(ones)]
    both(("\n".join(lines) + "\n").encode(), {"by": by, "format": "auto"})
    form = next(form for form in FORMS if form.name == "custom")
    both("".join(form.write(one) + "\n" for one in ones).encode(), {"by": by, "format": CUSTOM})


@pytest.mark.parametrize("form", [*FORMS[:5], *FORMS[6:10]], ids=lambda form: form.name)
def test_the_most_common_formats_are_read_in_c(form: Written) -> None:
    data = "".join(form.write(one) + "\r\n" for one in requests(1)).encode()
    for options in ({"by": "path"}, {"by": "day", "client": "192.0.2.0/26"}):
        counts = c_asked.Counts(JOB.read_options(options), AT_ONCE)
        assert counts.read(data, 0, len(data)) == (120, len(data), len(data))
        assert counts.lines_read()[0] == {form.name: 120}


@pytest.mark.parametrize("by", ["hour", "path"])
@pytest.mark.parametrize("held", [0, 3_000, 10_000])
def test_more_keys_than_a_block_holds_go_to_its_lines(
    by: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the same key in C and in Python, wherever the chunks end."""
    data = "".join(FORMS[number % 8].write(one) + "\n" for number, one in enumerate(paged(3, 60))).encode()
    options = {"by": by, "format": "auto"}
    whole = run_job(JOB, Objects([data], "plain"), options=options)
    for counts in (c_asked, python_asked):
        monkeypatch.setattr(counts, "MOST_HELD_BYTES", held)
    found = both(data, options)
    assert any(b"}\t{" in line.data for line in found.lines)
    monkeypatch.setattr(ownership, "WINDOW_BYTES", 3_000)
    assert both(data, options) == found
    assert run_job(JOB, Objects([data], "plain"), [5_000], options=options) == whole
    monkeypatch.setattr(job, "MAX_LINE_BYTES", 500)
    for kernel in ("c", "python"):
        with pytest.raises(TooManyDistinct, match="One block has too many distinct things to count"):
            mapped(data, options, kernel=kernel)


def test_keys_of_any_length_keep_their_times() -> None:
    """A key that is shortened, or holds what marks one that is, has its percentiles all the same."""
    paths = ["/" + "\\x00" * 280, "/a characters, SHA-256 b", "/a bytes, SHA-256 b", "/" + "é" * 400]
    line = '{"time": "2026-11-22T10:00:00Z", "status": 200, "path": "%s", "request_time": 1.5}\n'
    data = "".join(line % path.replace("\\x00", "\\u0000") for path in paths).encode()
    both(data, {"by": "path"})
    rows = run_job(JOB, Objects([data], "plain"), options={"by": "path"})["top"]
    assert len(rows) == len(paths)
    assert all(row["requests"] == 1 and row["p50"] == pytest.approx(1.5, rel=0.008) for row in rows)


def test_c_is_used_where_its_library_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of asked.c or of what it includes, its new name goes into scan.py."""
    assert ASKED_LIBRARY in map(library_name, sources_of_jobs(["access_log"]))
    context = Context(AT_ONCE, JOB.read_options({"by": "path"}), {})
    assert isinstance(asked.counts_of(context), c_asked.Counts)
    monkeypatch.setattr(asked, "find_library", lambda _: None)
    assert isinstance(asked.counts_of(context), python_asked.Counts)
