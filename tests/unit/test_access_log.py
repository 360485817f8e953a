"""The job ``access_log`` against its oracle: same answer, wherever the input is cut, whatever it holds."""

import json
import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Literal
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.testing import Objects, run_job
from lambda_src import counts, job
from lambda_src.counts import c_counts
from lambda_src.counts.compiled import library_name
from lambda_src.counts.library import find_library
from lambda_src.errors import SourceNotText, TooManyDistinct
from lambda_src.input import ownership
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Input, Mapped, Measured, Shards, Span
from lambda_src.jobs import access_log
from lambda_src.jobs.access_log import JOB, c_scan, python_scan
from lambda_src.jobs.access_log.formats import CONCERNS
from lambda_src.jobs.access_log.scan import HOURS, LIBRARY, MALFORMED, Scanner
from stacks.native_library import sources_of_jobs
from tests import access_log_oracle as oracle
from tests.contexts import context_for, observed_by_part

LONGEST_LINE_BYTES = 8 << 20
COMBINED = b'1.2.3.4 - bob [22/Nov/2026:23:59:59 +0530] "GET /a?b=c HTTP/1.1" 200 12 "-" "curl/8"'
ALB = (
    b"https 2026-11-22T05:59:59.186641Z app/lb/50dc6c495c0c9188 192.168.131.3:2817 10.0.0.1:80 0.08 0.04 -1 "
    b'502 200 0 57 "GET https://www.example.com:443/a?b=c HTTP/1.1" "curl/8" ECDHE-RSA-AES128 TLSv1.2 '
    b'arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/t/73e2 "Root=1-58337281-1d84" "-" "-" 1'
)


def plain(*objects: bytes) -> Input:
    """Also of bytes that begin like something else."""
    return input_of_bytes(objects, "plain")


def mapped_by(scanner: Scanner, data: bytes, shards: Shards | None = None) -> Mapped:
    with patch.object(access_log, "SCANNER", scanner):
        return JOB.map(Span(0, len(data)), plain(data), context_for(JOB, shards))


def mapped(data: bytes) -> Mapped:
    """By both scanners, which give the same."""
    found = mapped_by(c_scan.Scan, data)
    assert found == mapped_by(python_scan.Scan, data)
    return found


def answer(*objects: bytes, cuts: Iterable[int] = ()) -> dict[str, Any]:
    for data in objects:
        mapped(data)
    return run_job(JOB, Objects(objects, "plain"), cuts)


def part_of(line: bytes) -> str:
    """The part in which the only line of an input is."""
    observations = observed_by_part(mapped(line).lines)
    assert sum(observations) == 1
    return JOB.parts[observations.index(1)]


def only_hour(data: bytes) -> dict[str, Any]:
    """The result of the one hour that ``data`` falls into."""
    result = answer(data)
    assert result["malformed_lines"] == 0
    (hour,) = (hour for hour in result["hours"].values() if hour["requests"])
    return dict(hour)


def only_path(line: bytes) -> str:
    (top,) = only_hour(line)["top_paths"]
    assert top["count"] == 1
    return str(top["path"])


def combined(request: bytes = b"GET / HTTP/1.1", time: bytes = b"22/Nov/2026:10:00:00 +0000") -> bytes:
    return b'1.2.3.4 - - [%s] "%s" 500 1 "-" "-"\n' % (time, request)


# Lines of one of the two formats, any field of which is hostile or wrong at times, and changed lines.


def mostly(usual: st.SearchStrategy[bytes], seldom: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.integers(0, 14).flatmap(lambda choice: seldom | st.just(b"") if choice == 14 else usual)


def joined(*parts: st.SearchStrategy[bytes] | bytes) -> st.SearchStrategy[bytes]:
    return st.tuples(*(st.just(part) if isinstance(part, bytes) else part for part in parts)).map(b"".join)


def number(first: int, last: int, form: str = "02d") -> st.SearchStrategy[bytes]:
    return st.integers(first, last).map(lambda value: format(value, form).encode())


def one_of(words: str) -> st.SearchStrategy[bytes]:
    return st.sampled_from(words.encode().split())


_PIECES = (
    *(b"/", b"a", b"b", b"?", b"#", b"\\", b'\\"', b"\\x22", b"%20", b"://", b"-", b"[", b"]", b"x" * 3000),
    *(b" b", bytes(15), bytes(40), b" HTTP/1.1", b" (9 bytes, SHA-256 "),
    *(b"\x1b[31m", b"\x00", b"\r", b"\t", b"\xff", b"\xc3\xa9", "本".encode(), b"\xed\xa0\x80"),
)
_WORD = st.lists(st.sampled_from(_PIECES), max_size=6).map(b"".join)
_JUNK = st.lists(st.sampled_from([*_PIECES, b" ", b'"']), max_size=6).map(b"".join)
_TEXT = mostly(_WORD, _JUNK)
_PATH = st.lists(st.sampled_from([b"/", b"/a", b"/b", b"/a/b"]), max_size=3).map(b"".join) | _WORD
_QUERY = st.just(b"") | _WORD.map(b"?".__add__)
_ORIGIN = st.just(b"") | one_of("https://example.com:443 http://h 1://h ://h https://a\\/b")
_METHOD = mostly(one_of("GET POST M-SEARCH get -"), one_of("G3T \\"))
_VERSION = mostly(one_of("HTTP/1.1 HTTP/2.0 HTTP/3"), one_of("HTTP/1. HTTP/10 HTTP/1.10 http/1.1 FTP/1.1 -"))
_TARGET = joined(_METHOD, b" ", _ORIGIN, _PATH, _QUERY)
_REQUEST = mostly(joined(_TARGET, b" ", _VERSION), _TARGET | _JUNK)
_STATUS = mostly(number(0, 999, "03d") | number(500, 504, ""), one_of("20 2000 - -20 2²0"))
_SIZE = mostly(number(0, 10**15 - 1, ""), one_of("- -1 1e3 +1 1.0 1000000000000000 " + "1" * 400))
_DAY, _HOUR = mostly(number(1, 28), number(0, 32)), mostly(number(0, 23), number(24, 99))
_MINUTE = mostly(number(0, 59), number(60, 99))
_MONTH = mostly(one_of("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"), one_of("JAN nov Foo Nove"))
_YEAR = mostly(number(1999, 2030), one_of("0000 0001 9999 26 2100 02026"))
_ZONE = mostly(one_of("+0000 -0000 +0530 -0330 +1400 -1200 +0545 +2359"), one_of("-2400 +0060 0000 Z +05:30"))
_LOCAL_TIME = joined(_DAY, b"/", _MONTH, b"/", _YEAR, b":", _HOUR, b":", _MINUTE, b":", _MINUTE, b" ", _ZONE)
_UTC_TIME = joined(
    *(
        _YEAR,
        b"-",
        mostly(number(1, 12), number(0, 13)),
        b"-",
        _DAY,
        b"T",
        _HOUR,
        b":",
        _MINUTE,
        b":",
        _MINUTE,
    ),
    mostly(one_of(".186641Z Z"), one_of(".Z .1+00:00 ." + "1" * 50 + "Z")),
)
_USER = mostly(st.sampled_from([b"-", b"bob", b"bob smith", b" ", b'""', b"\xff"]), _JUNK)
_MORE = mostly(st.sampled_from([b"", b" ", b' "more"', b" \x1b"]), st.sampled_from([b"more", b"\r"]))
_COMBINED_LINES = joined(
    *(b"1.2.3.4 - ", _USER, b" [", _LOCAL_TIME, b'] "', _REQUEST, b'" ', _STATUS, b" ", _SIZE),
    *(b' "', _TEXT, b'" "', _TEXT, b'"', _MORE),
)
_ALB_LINES = joined(
    *(mostly(st.sampled_from([b"http", b"h2"]), one_of("HTTP -")), b" ", _UTC_TIME, b" app/lb/5 1.2.3.4:1 "),
    *(mostly(st.sampled_from([b"10.0.0.1:80", b"-"]), _JUNK), b" 0.1 ", mostly(number(-1, 9), one_of("- x"))),
    *(b" -1 ", _STATUS, b" ", _STATUS, b" 0 ", _SIZE, b' "', _REQUEST, b'" "', _TEXT, b'"', _MORE),
)
_GOOD_LINES = st.sampled_from([COMBINED, ALB]) | st.builds(
    lambda path, hour: combined(b"GET %s HTTP/1.1" % path, b"01/Mar/2026:%02d:15:00 -0030" % hour)[:-1],
    st.sampled_from([b"/%d" % number for number in range(12)]),
    st.integers(0, 2),
)
_CHANGED_LINES = st.builds(
    lambda line, at, cut, noise: line[: at % len(line)] + noise + line[at % len(line) + cut :],
    st.sampled_from([COMBINED, ALB]),
    st.integers(0, 1000),
    st.integers(0, 3) | st.just(1000),
    st.binary(max_size=3),
)
LINES = st.one_of(_COMBINED_LINES, _ALB_LINES, _GOOD_LINES, _CHANGED_LINES, _JUNK, st.binary(max_size=40))
_ENDED_LINES = st.tuples(
    st.integers(0, 20).map(lambda size: bytes(max(size - 10, 0) ** 2)),
    LINES,
    st.sampled_from([b"\n", b"\n", b"\r\n", b"\r\r\n"]),
).map(b"".join)
LOGS = st.lists(_ENDED_LINES, max_size=30).map(b"".join)


@given(LINES)
@example(COMBINED)
@example(ALB)
@settings(max_examples=1_000, deadline=None)
def test_a_line_is_what_the_oracle_says(line: bytes) -> None:
    assert run_job(JOB, Objects([line], "plain")) == oracle.answer(line)


@given(
    st.lists(st.builds(bytes.__add__, LOGS, LINES | st.just(b"")), max_size=4),
    st.lists(st.integers(0, 20_000), max_size=8),
    st.sampled_from([1, 100, 1 << 20]),
)
@settings(max_examples=300, deadline=None)
def test_any_cutting_gives_the_answer_of_the_whole(
    logs: list[bytes], cuts: list[int], window_bytes: int
) -> None:
    """The last line of an object may have no newline: it ends there all the same."""
    with patch.object(ownership, "WINDOW_BYTES", window_bytes):
        assert run_job(JOB, Objects(logs, "plain"), cuts) == oracle.answer(*logs)


@given(LOGS, st.integers(1, 100))
@settings(deadline=None)
def test_every_line_is_observed_once(log: bytes, slice_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(python_scan, "SLICE_BYTES", slice_bytes)
        observations = observed_by_part(mapped(log).lines)
    assert len(observations) == len(JOB.parts) == 25
    assert sum(observations) == len(oracle.lines_of(log))
    assert observations == observed_by_part(mapped(log).lines)


@given(LOGS)
@settings(deadline=None)
def test_a_block_mapped_again_gives_the_same_bytes(log: bytes) -> None:
    """However it is read: a straggler's copy may get other chunks."""
    first = mapped(log)
    assert mapped(log) == first
    with patch.object(ownership, "WINDOW_BYTES", 50):
        assert mapped(log) == first
    for line in first.lines:
        parts = line.data.split(b"\n")
        assert len(parts) == len(JOB.parts)
        assert all(json.loads(piece.decode()) for part in parts for piece in part.split(b"\t") if part)


def test_a_line_of_a_megabyte_counts_and_one_without_end_is_refused() -> None:
    mega = combined().replace(b'"-"\n', b'"%s"\n' % (b"a" * (1 << 20)))
    junk = b"\xff" * (LONGEST_LINE_BYTES - 1) + b"\n"
    logs = COMBINED + b"\n" + mega + junk + ALB
    found = answer(logs, cuts=range(0, len(logs), 1_000_000))
    assert (found["lines"], found["malformed_lines"], found["hours"]["10"]["requests"]) == (4, 1, 1)
    with pytest.raises(
        SourceNotText, match=f"The line at byte 0 of 0 is longer than {LONGEST_LINE_BYTES:,} bytes"
    ):
        answer(b"\xff" + junk)


def shards_of(run_id: str, by: Literal["part", "key"], count: int) -> Shards:
    return Shards(by, 25 if by == "part" else count, run_id)


SHARDS = st.builds(
    shards_of, st.sampled_from(["a", "b"]), st.sampled_from(["part", "key"]), st.integers(1, 9)
)


@given(LOGS | st.binary(max_size=40), SHARDS)
@settings(max_examples=300, deadline=None)
def test_both_scanners_write_the_same_bytes(log: bytes, shards: Shards) -> None:
    assert mapped_by(c_scan.Scan, log, shards) == mapped_by(python_scan.Scan, log, shards)


@given(st.lists(LOGS, max_size=3), SHARDS)
@settings(deadline=None)
def test_any_shards_give_the_answer_of_the_whole(logs: list[bytes], shards: Shards) -> None:
    """Runs of an older version may have reducers by part, which cannot tell the paths of all hours."""
    expected = oracle.answer(*logs)
    if shards.by == "part":
        del expected["top_paths"]
    with patch.object(c_counts, "KEYS_BYTES", 300):  # so that they are summed in several passes
        assert run_job(JOB, Objects(logs, "plain"), shards=shards) == expected


def test_the_most_frequent_path_may_be_first_in_no_hour() -> None:
    log = b"".join(
        combined(b"GET /%b HTTP/1.1" % path, b"22/Nov/2026:%02d:00:00 +0000" % hour) + b"\n"
        for hour in range(12)
        for path in (*(b"%d/%d" % (hour, number // 2) for number in range(24)), b"all")
    )
    expected = oracle.answer(log)
    assert expected["top_paths"][0] == {"path": "/all", "count": 12}
    assert all(top["path"] != "/all" for hour in expected["hours"].values() for top in hour["top_paths"])
    for kernel in ("c", "python"):
        with patch.object(counts, "find_library", find_library if kernel == "c" else lambda _: None):
            assert run_job(JOB, Objects([log], "plain"), [1000]) == expected
            assert run_job(JOB, Objects([log], "plain"), shards=Shards("key", 3, "run")) == expected


@pytest.mark.parametrize("scan", [c_scan, python_scan])
@pytest.mark.parametrize("held", [0, 2_000, 20_000])
def test_more_paths_than_a_block_holds_go_to_its_lines(
    scan: ModuleType, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = b"".join(
        combined(b"GET /%d HTTP/1.1" % (number * number % 307), b"22/Nov/2026:1%d:00:00 +0000" % (number % 5))
        for number in range(2_000)
    )
    monkeypatch.setattr(python_scan, "SLICE_BYTES", 1_000)
    monkeypatch.setattr(scan, "MOST_HELD_BYTES", held)
    monkeypatch.setattr(access_log, "SCANNER", scan.Scan)
    block = JOB.map(Span(0, len(log)), plain(log), context_for(JOB))
    assert any(b"}\t{" in line.data for line in block.lines)
    assert observed_by_part(block.lines) == [0] * 10 + [400] * 5 + [0] * 10
    assert run_job(JOB, Objects([log, log], "plain")) == oracle.answer(log, log)
    monkeypatch.setattr(job, "MAX_LINE_BYTES", 500)
    with pytest.raises(TooManyDistinct, match="One block has too many distinct things to count"):
        JOB.map(Span(0, len(log)), plain(log), context_for(JOB))


def test_the_scanner_in_c_is_used_where_its_library_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of scan.c or of what it includes, its new name goes into scan.py."""
    assert LIBRARY in map(library_name, sources_of_jobs(["access_log"]))
    assert find_library(LIBRARY)
    assert access_log.choose_scanner() is c_scan.Scan
    monkeypatch.setattr(access_log, "find_library", lambda _: None)
    assert access_log.choose_scanner() is python_scan.Scan


@given(st.integers(0, 300) | st.integers(2040, 2060), st.binary(min_size=1, max_size=8))
@example(700, "本".encode())  # cut within a character
@settings(max_examples=200, deadline=None)
def test_a_long_path_is_shown_by_its_sha_256(size: int, some: bytes) -> None:
    """Of any length around a block of the hash."""
    path = b"/ bytes, SHA-256 /" + re.sub(rb'[\s"?\\\0]', b"x", some) * size
    assert only_path(combined(b"GET %s HTTP/1.1" % path[:2060])) == oracle.shown(
        path[:2060].decode("latin-1")
    )


def test_what_is_noticed_may_be_more_than_one_call_has_room_for() -> None:
    log = b"{}\n" * 10_000 + COMBINED + b"\n#Date: \n\n"
    found = mapped(log).findings
    assert {code: finding.found for code, finding in found.items() if finding.found} == {
        "malformed_lines": 10_002,
        "json_lines": 10_000,
        "w3c_extended": 1,
    }
    first = found["w3c_extended"].first
    assert first
    assert first.offset == log.index(b"#")


def test_a_chunk_with_nuls_is_counted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever these are, the same is found."""
    log = (b"\0" * 3 + COMBINED + b"\n" + b"\0\n" + ALB + bytes(20) + COMBINED + b"a\0b\n{}\n") * 5
    whole = mapped(log)
    for piece_bytes in (1, 100, 1_000):
        monkeypatch.setattr(access_log, "PIECE_BYTES", piece_bytes)
        assert mapped(log) == whole
    assert set(CONCERNS) >= set(whole.findings)


@pytest.mark.parametrize(
    ("time", "hour"),
    [
        (b"22/Nov/2026:10:59:59 +0000", "10"),
        (b"22/Nov/2026:00:15:00 +0530", "18"),  # the day before
        (b"22/Nov/2026:23:59:59 -0330", "3"),  # the day after
        (b"31/Dec/2026:23:30:00 -0030", "0"),
        (b"01/Jan/0001:00:00:00 +0100", "23"),
        (b"29/Feb/2024:12:00:00 -0000", "12"),
        (b"29/Feb/2026:12:00:00 +0000", MALFORMED),
        (b"31/Nov/2026:12:00:00 +0000", MALFORMED),
        (b"00/Nov/2026:12:00:00 +0000", MALFORMED),
        (b"22/Nov/0000:12:00:00 +0000", MALFORMED),
        (b"22/Foo/2026:12:00:00 +0000", MALFORMED),
        (b"22/nov/2026:12:00:00 +0000", MALFORMED),
        (b"22/Nov/2026:24:00:00 +0000", MALFORMED),
        (b"22/Nov/2026:25:00:00 +0000", MALFORMED),
        (b"22/Nov/2026:12:60:00 +0000", MALFORMED),
        (b"22/Nov/2026:12:00:60 +0000", MALFORMED),
        (b"31/Dec/2016:23:59:60 +0000", "23"),
        (b"31/Dec/2016:23:59:60 -0100", "0"),
        (b"01/Jan/2017:05:29:60 +0530", "23"),
        (b"31/Dec/2016:23:59:61 +0000", MALFORMED),
        (b"31/Dec/2016:23:59", MALFORMED),
        (b"31/Dec/2016:23:59 +0000", MALFORMED),
        (b"31/Dec/2016:23:59:60 60 +0000", MALFORMED),
        (b"31/Dec/2016:23:59:30 60 +0000", MALFORMED),
        (b"22/Nov/2026:12:00:00 +2400", MALFORMED),
        (b"22/Nov/2026:12:00:00 +0060", MALFORMED),
        (b"22/Nov/2026:12:00:00", MALFORMED),
        (b"2026-11-22T12:00:00Z", MALFORMED),
    ],
)
def test_the_hour_of_a_combined_line(time: bytes, hour: str) -> None:
    assert part_of(combined(time=time)) == hour


@pytest.mark.parametrize(
    ("time", "hour"),
    [
        (b"2026-11-22T23:22:48.364000Z", "23"),
        (b"2026-11-22T00:22:48Z", "0"),
        (b"2026-11-31T00:22:48Z", MALFORMED),
        (b"2026-11-22T24:00:00Z", MALFORMED),
        (b"2026-11-22T23:22:48+00:00", MALFORMED),
        (b"22/Nov/2026:12:00:00 +0000", MALFORMED),
    ],
)
def test_the_hour_of_an_alb_line(time: bytes, hour: str) -> None:
    assert part_of(ALB.replace(b"2026-11-22T05:59:59.186641Z", time)) == hour


@pytest.mark.parametrize(
    ("request_line", "path"),
    [
        (b"GET /a HTTP/1.1", "/a"),
        (b"GET /a?b=c?d HTTP/2.0", "/a"),
        (b"GET /a#b?c HTTP/3", "/a#b"),
        (b"OPTIONS * HTTP/1.1", "*"),
        (b"GET http://example.com/a?b HTTP/1.1", "http://example.com/a"),
        (b"GET ?a HTTP/1.1", ""),
        (b"GET  HTTP/1.1", "-"),
        (b"GET / a HTTP/1.1", "/ a"),
        (b"GET /a b?c d HTTP/1.1", "/a b"),
        (b"GET /a  HTTP/1.1", "-"),
        (b"GET /a HTTP/1.1 HTTP/1.1", "/a HTTP/1.1"),
        (b"GET /", "/"),
        (b"GET /a?b=c", "/a"),
        (b"GET https://h/a", "https://h/a"),
        (b"GET /a b", "-"),
        (b"GET a", "-"),
        (
            b"GET /a... (9 bytes, SHA-256 00) HTTP/1.1",
            "/a... (9 bytes, SHA-256 00)... (27 bytes, SHA-256 "
            "f0baa43cfbcefa5a4bd62bc345c4f0c5b7c3bcdba8796336d99539b144dd93a1)",
        ),
        (b"GET / FTP/1.1", "-"),
        (b"-", "-"),
        (b"", "-"),
        (rb"\x16\x03\x01", "-"),
        (rb"GET /\"a\" HTTP/1.1", r"/\"a\""),
        (rb"GET /a\\ HTTP/1.1", r"/a\\"),
        (rb"GET /a\?b\"c HTTP/1.1", "/a\\"),
        (rb"GET /\ HTTP/1.1", "/\\"),
        (rb"GET / HTTP/1.1\"", "-"),
        ("GET /é/本 HTTP/1.1".encode(), "/é/本"),
        (b"GET /\xff\xed\xa0\x80 HTTP/1.1", r"/\xff\xed\xa0\x80"),
        (b"GET /\x1b[31m\x00\t\r HTTP/1.1", "/\x1b[31m\x00\t\r"),
        (b"GET /" + b"a" * 2047 + b" HTTP/1.1", "/" + "a" * 2047),
        (
            b"GET /" + b"a" * 2048 + b"?b HTTP/1.1",
            "/" + "a" * 1023 + "... (2049 bytes, SHA-256 "
            "00cb1270aa628c1f442fdd8d1aceb35cd8b91005625246e02baf9e52e05402e1)",
        ),
    ],
)
def test_the_path_of_a_request(request_line: bytes, path: str) -> None:
    assert only_path(combined(request_line)) == path


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"https://www.example.com:443/a/b?c=/d", "/a/b"),
        (b"wss://10.0.0.30:80/", "/"),
        (b"https://www.example.com:443", ""),
        (b"https://www.example.com:443?a", ""),
        (rb"https://a\x22b:443/a", "/a"),
        (b"/no/url?a", "/no/url"),
    ],
)
def test_the_path_of_an_alb_url(target: bytes, path: str) -> None:
    assert only_path(ALB.replace(b"https://www.example.com:443/a?b=c", target)) == path


def test_an_alb_line_counts_by_the_load_balancer() -> None:
    assert only_hour(ALB) == {
        "requests": 1,
        "bytes_sent": 57,
        "status": {"502": 1},
        "top_paths": [{"path": "/a", "count": 1}],
        "top_paths_5xx": [{"path": "/a", "count": 1}],
    }
    unanswered = ALB.replace(b" 502 200 ", b" - - ")
    assert only_hour(unanswered)["status"] == {"-": 1}
    assert only_hour(unanswered)["top_paths_5xx"] == []


@pytest.mark.parametrize("line", [ALB.replace(b"GET ", b"- "), ALB.replace(b" HTTP/1.1", b" -")])
def test_what_the_load_balancer_could_not_read_has_no_path(line: bytes) -> None:
    assert only_path(line.replace(b"/a?b=c HTTP/1.1", b"/a?b=c -")) == "-"


@pytest.mark.parametrize("line", [COMBINED, ALB])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_ends_with_its_object_a_newline_or_both_bytes(line: bytes, end: bytes) -> None:
    assert only_path(line + end) == "/a"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_empty_line_is_malformed(end: bytes) -> None:
    assert part_of(end) == MALFORMED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b" 200 ", b" 20 "),
        (b" 200 ", b" 2000 "),
        (b" 200 ", b" - "),
        (b" 200 ", b" 2x0 "),
        (b" 12 ", b" -12 "),
        (b" 12 ", b" " + b"1" * 16 + b" "),
        (b" 12 ", b" " + b"1" * 400 + b" "),
        (b" 12 ", b"  "),
        (b"curl/8", b'cu"rl'),
        (b"curl/8", b"curl\\"),
        (b'"curl/8"', b'"curl'),
        (b'"curl/8"', b'"curl/8"more'),
        (b' "curl/8"', b""),
        (b"?b=c", b'"'),
        (b"bob", b"[bob"),
        (b"1.2.3.4 ", b""),
    ],
)
def test_a_malformed_line(old: bytes, new: bytes) -> None:
    assert COMBINED.count(old) == 1
    assert part_of(COMBINED) == "18"
    assert part_of(COMBINED.replace(old, new)) == MALFORMED


def test_bytes_add_up_beyond_64_bits() -> None:
    line = COMBINED.replace(b" 12 ", b" " + b"9" * 15 + b" ") + b"\n"
    assert only_hour(line * 20_000)["bytes_sent"] == 20_000 * (10**15 - 1) > 2**64
    assert only_hour(COMBINED.replace(b" 12 ", b" - "))["bytes_sent"] == 0


@pytest.mark.parametrize(
    "piece", [b"\\", b"\\x", b'\\"', b'"', b" ", b" [", b"?", b"a", b"\xff", b"/", b'" "', b"\r"]
)
@pytest.mark.parametrize("field", [b"GET ", b"/a", b"bob", b"curl", b"10.0.0.1", b"www", b"Root"])
def test_a_long_line_takes_linear_time(field: bytes, piece: bytes) -> None:
    """With a pattern that goes back and forth, some of them would not end."""
    for line in (COMBINED, ALB):
        long = line.replace(field, field + piece * (200_000 // len(piece)), 1)
        assert answer(long) == oracle.answer(long)


def test_ties_go_to_the_smaller_path_by_code_point() -> None:
    in_order = ["/z", "/-", "/B", "/_", "/a", "/a/", "/é", "/\uffff", "/\U00010000", "/\U00010001"]
    paths = [*reversed(in_order), "/z", "/\U00010002"]
    hour = only_hour(b"".join(combined(f"GET {path} HTTP/1.1".encode()) for path in paths))
    assert [top["path"] for top in hour["top_paths"]] == in_order
    assert hour["top_paths_5xx"] == hour["top_paths"]


def test_a_byte_and_its_escape_are_one_path() -> None:
    hour = only_hour(combined(b"GET /\xff HTTP/1.1") * 2 + combined(rb"GET /\xff HTTP/1.1") * 3)
    assert hour["top_paths"] == hour["top_paths_5xx"] == [{"path": r"/\xff", "count": 5}]


def test_lines_may_come_in_any_order() -> None:
    logs = [combined(), combined().replace(b" 500 ", b" 200 "), ALB, combined().replace(b" 500 ", b" 404 ")]
    blocks = [mapped(log).lines for log in logs]
    (lines,) = zip(*([line.data for line in block] for block in blocks), strict=True)
    context = context_for(JOB)
    results = [
        {
            part: json.dumps(found.result)
            for part, found in JOB.finish([JOB.reduce(0, order, context).data], context).items()
        }
        for order in (lines, lines[::-1])
    ]
    assert results[0] == results[1]
    assert list(results[0]) == list(JOB.parts)


def test_known_times_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_scan, "MAX_KNOWN_TIMES", 5)
    parts = python_scan._Parts()
    times = [b"22/Nov/2026:%02d:59+0000" % hour for hour in range(24)]
    assert [parts[time] for time in times] == list(range(24))
    assert len(parts) <= 5


def test_an_answer_of_the_longest_paths_fits_lambda() -> None:
    """JSON writes a control character as six bytes."""
    log = b"".join(
        combined(b"GET /%d%s HTTP/1.1" % (number, b"\x1b" * 2046), b"22/Nov/2026:%02d:00:00 +0000" % hour)
        for hour in range(24)
        for number in range(10)
    )
    assert 5_800_000 < len(json.dumps(answer(log))) < 6 * 1024 * 1024


def test_the_units_are_bytes() -> None:
    assert JOB.measure(plain(b"12", b"345")) == Measured(5, {"bytes": 5, "objects": 2})
    assert tuple(JOB.parts) == (*(str(hour) for hour in range(24)), "malformed")
    assert JOB.parts[:24] == HOURS


def test_an_empty_input_has_an_answer() -> None:
    assert answer() == oracle.answer()
    assert answer(b"") == oracle.answer(b"")
