"""What blocks notice adds up to warnings that name the number, the share, the object and the byte."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.testing.texts import ANY_BYTES
from lambda_src.errors import JobContractViolated
from lambda_src.input import findings
from lambda_src.input.findings import (
    CONCERNS,
    INVALID_UTF8,
    NUL_BYTES,
    Findings,
    Invalid,
    Tally,
    invalid_utf8,
)
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Concern, Context, Finding, FoundIn, Input, Mapped, Place, Span, load
from lambda_src.run.map_block import map_watched
from lambda_src.run.warnings import warnings_of
from lambda_src.wire.codec import encode
from lambda_src.wire.record import RunWarning
from lambda_src.wire.reports import BlockReport
from tests.contexts import context_for


def by_characters(text: bytes) -> Invalid:
    """The bytes that no character holds, character by character."""
    at, bad = 0, []
    while at < len(text):
        for size in range(1, 5):
            try:
                text[at : at + size].decode()
            except UnicodeDecodeError:
                continue
            at += size
            break
        else:
            bad.append(at)
            at += 1
    return Invalid(len(bad), bad[0] if bad else 0)


@given(ANY_BYTES, st.integers(5, 20))
def test_a_byte_is_invalid_if_no_character_holds_it(text: bytes, slice_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "SLICE_BYTES", slice_bytes)
        assert invalid_utf8(text) == by_characters(text)


def warnings(texts: Sequence[bytes], cuts: Sequence[int] = (), job: str = "access_log") -> list[RunWarning]:
    """Those of a run over ``texts``, whose blocks end at ``cuts`` and come in any order."""
    source = input_of_bytes(texts, "plain")
    borders = sorted({0, source.size_bytes, *cuts})
    blocks = [Span(start, end) for start, end in pairwise(borders)]
    Random(len(borders)).shuffle(blocks)
    deployed, run = load(job), Findings()
    for block in blocks:
        run.add(map_watched(deployed, block, source, context_for(deployed)).findings)
    return list(warnings_of(run, {**CONCERNS, **deployed.concerns}))


GOOD = b'1.2.3.4 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n'
COMMON = b'1.2.3.4 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1\n'


@pytest.mark.parametrize("step", [1 << 20, 700, 100])
def test_a_few_bad_lines_are_reported_and_the_object_that_is_bad_is_named(step: int) -> None:
    texts = [GOOD * 20 + b"bad\n", GOOD * 15, b"x\n" * 6 + GOOD * 2, *[GOOD * 16 + b"?\n"] * 3, GOOD * 17]
    (told,) = warnings(texts, range(step, sum(map(len, texts)), step))
    assert told == RunWarning(
        "malformed_lines",
        "10 of 112 lines (8.93 %) could not be read as log lines, the first one at byte "
        f"{20 * len(GOOD)} of 0. Most lines of these objects are not log lines: 2 (6 of 8 lines). "
        "Without options, the job reads Combined Log Format and that of AWS's Application Load Balancers. "
        "With format=auto, it reads every format that it knows; format also takes a log_format of nginx "
        "or a LogFormat of Apache.",
        "0",
        20 * len(GOOD),
        10,
    )


def test_all_good_is_no_warning() -> None:
    assert warnings([GOOD * 3, b"", "größte \u4e2d".encode()], job="top_words") == []
    assert warnings([GOOD * 3]) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (COMMON, "common_log_format"),
        (COMMON.replace(b" 1\n", b" -\r\n"), "common_log_format"),
        (
            b"2026-11-26T13:39:43.945958Z my-lb 192.0.2.9:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 "
            b'200 0 29 "GET http://www.example.com:80/a?b HTTP/1.1" "curl/8" - -\n',
            "classic_elb",
        ),
        (b"2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td1.cloudfront.net\t/\t200\n", "cloudfront"),
        (b'{"time": "2026-11-26T13:39:43Z", "status": 200}\n', "json_lines"),
        (b"a" * 64 + b" bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57 REST.GET - \n", "s3_access_log"),
        (b"2026/11/26 13:39:43 [error] 12#12: *1 open() failed\n", "nginx_error_log"),
        (b"#Software: Microsoft Internet Information Services 10.0\n", "w3c_extended"),
        (b"Nov 26 13:39:43 host sshd[1]: message\n", "syslog"),
    ],
)
def test_a_format_that_is_not_read_is_named(line: bytes, code: str) -> None:
    malformed, looks = warnings([GOOD, GOOD + line * 5], [100])
    assert (malformed.code, malformed.count) == ("malformed_lines", 5)
    assert "1 (5 of 6 lines)" in malformed.message
    assert (looks.code, looks.count, looks.key, looks.offset) == (code, 5, "1", len(GOOD))
    assert ("which is not read" in looks.message) == (code != "syslog")
    assert "format" in looks.message or code == "nginx_error_log"


@pytest.mark.parametrize("step", [1 << 30, 100])
@pytest.mark.parametrize("fields", [b"", b" 0.123"])
def test_lines_that_only_cr_ends_are_noticed_also_where_fields_follow_lines(fields: bytes, step: int) -> None:
    """With fields behind, they are all one good line."""
    line = GOOD.removesuffix(b"\n") + fields
    texts = [GOOD, line + b"\r\n" + line + b"\r", GOOD + b"\r".join([line] * 3) + b"\r"]
    *malformed, told = warnings(texts, range(step, sum(map(len, texts)), step))
    assert [each.code for each in malformed] == ([] if fields else ["malformed_lines"])
    assert (told.code, told.key, told.offset, told.count) == ("carriage_returns", "2", len(GOOD + line), 2)
    assert "If only CR ends lines" in told.message


def test_an_empty_line_and_an_impossible_day_are_malformed_where_they_stand() -> None:
    for bad in (b"\n", GOOD.replace(b"22/Nov", b"31/Nov")):
        (told,) = warnings([GOOD * 2 + bad + GOOD])
        assert (told.offset, told.count) == (2 * len(GOOD), 1)


@pytest.mark.parametrize("step", [1 << 30, 1000, 77])
def test_nuls_before_a_line_are_skipped_and_told(step: int) -> None:
    texts = [GOOD, bytes(5000) + GOOD + b"\0\0" + GOOD + b"cut" + bytes(300) + GOOD]
    nuls, malformed = warnings(texts, range(step, sum(map(len, texts)), step))
    assert (malformed.key, malformed.offset, malformed.count) == ("1", 5002 + 2 * len(GOOD), 1)
    assert (nuls.code, nuls.key, nuls.offset, nuls.count) == ("nul_bytes", "1", 0, 5302)
    assert nuls.message.startswith("5,302 NUL bytes were skipped, the first one at byte 0 of 1.")


@pytest.mark.parametrize("step", [1 << 30, 100])
def test_nuls_inside_of_a_log_line_are_reported(step: int) -> None:
    odd = GOOD.replace(b"/ ", b"/\0\0 ")
    texts = [GOOD + b"\0" + odd + odd]
    skipped, inside = warnings(texts, range(step, len(texts[0]), step))
    assert (skipped.code, skipped.offset, skipped.count) == ("nul_bytes", len(GOOD), 1)
    assert (inside.code, inside.offset, inside.count) == (
        "nul_bytes_in_lines",
        len(GOOD) + 1 + odd.index(b"\0"),
        4,
    )


@pytest.mark.parametrize("step", [1 << 30, 700, 7])
def test_nuls_that_are_read_as_text_are_reported(step: int) -> None:
    texts = [b"words\n", b"some " + bytes(300) + b" more\0\n" + bytes(1000)]
    (told,) = warnings(texts, range(step, sum(map(len, texts)), step), "top_words")
    assert (told.code, told.key, told.offset, told.count) == (NUL_BYTES, "1", 5, 1301)
    assert told.message.startswith("1,301 NUL bytes were read as text, the first one at byte 5 of 1.")


@pytest.mark.parametrize("job", ["access_log", "top_words"])
@pytest.mark.parametrize("step", [1 << 30, 7, 1])
def test_what_is_not_utf8_is_reported_by_every_job_that_reads_text(job: str, step: int) -> None:
    """Also where a block is cut inside a character that separates words."""
    texts = [b"plain\n", "é—中—é".encode() * 40 + b"caf\xe9 na\xefve\n", bytes(range(128, 256)) * 9]
    told = warnings(texts, range(step, sum(map(len, texts)), step), job)[0]
    bad = by_characters(texts[2]).found
    assert (told.code, told.key, told.offset, told.count) == (INVALID_UTF8, "1", 40 * 13 + 3, bad + 2)
    assert f"These look binary, or like text in another encoding: 2 ({bad:,} of 1,152 bytes)." in told.message


def test_what_a_block_names_is_bounded_and_its_ends_are_named_in_any_case() -> None:
    tally = Tally()
    for number in range(5000):
        tally.note(Place(f"{number:04d}" + "k" * 1000, 0), number % 7 if number % 2 else 0, 7, 3)
    found = tally.finding()
    assert len(found.objects) == findings.MOST_OBJECTS + 2
    assert (found.objects[0].key[:4], found.objects[-1].key[:4]) == ("0000", "4999")
    assert (found.total, found.first) == (35_000, Place("0001" + "k" * 1000, 3))
    assert len(encode(BlockReport(0, (0, 1), 0, [], [], {}, findings={"x": found}))) < 200_000  # type: ignore[arg-type]


def test_an_old_report_has_no_findings() -> None:
    of_parts = b'"line_bytes":[],"observations":[],"extras":{}'
    old = b'{"outcome":"done","block":0,"owned":[0,1,0,0],"header_bytes":1,%s}' % of_parts
    assert msgspec.json.decode(old, type=BlockReport).findings == {}


def test_long_keys_leave_room_for_what_is_said() -> None:
    run = Findings()
    first = Place("k" * 1024, 7, 9)
    run.add({"x": Finding(2, 2, first, [FoundIn("k" * 1024, 2, 2), FoundIn("l" * 1024, 2, 2)])})
    (told,) = warnings_of(run, {"x": Concern("line", "is bad", "are bad", "These are worst", advice="Help.")})
    assert told.key == "k" * 1024
    assert told.offset is None, "counted from byte 9 of what is stored, as the sentence says"
    assert "unpacked from byte 9 on" in told.message
    assert told.message.endswith("Help.")
    assert len(told.message) < 600


def test_a_finding_that_nobody_can_word_is_refused() -> None:
    def broken(block: Span, source: Input, context: Context) -> Mapped:
        mapped = load("top_words").map(block, source, context)
        return mapped._replace(findings={"new": Finding(1, 1, None, [])})

    job = msgspec.structs.replace(load("top_words"), map=broken)
    with pytest.raises(JobContractViolated, match="finding new"):
        map_watched(job, Span(0, 1), input_of_bytes([b"x"]), context_for(job))
