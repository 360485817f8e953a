"""The job grep: what its blocks keep, put together again, is what grep prints of the same bytes."""

import bz2
import gzip
import math
import subprocess
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.errors import RunError
from fanfold.lines.forms import AsCounts, AsText, for_terminal
from fanfold.lines.stitch import Found, Total, Wanted, stitched
from fanfold.testing import check_job
from lambda_src.errors import BlobDamaged, InvalidRequest
from lambda_src.input import ownership
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Span, load
from lambda_src.jobs.grep import context as context_module
from lambda_src.jobs.grep import frames as frames_module
from lambda_src.jobs.grep.context import Latest, backward, forward
from lambda_src.jobs.grep.frames import MOST_GAP, Begin, End, Lines, Writer, frames
from lambda_src.jobs.grep.pattern import BadPattern, matching, parts_of
from lambda_src.run.map_block import map_watched
from tests import grep_oracle
from tests.bzip2_bits import one_stream

JOB = load("grep")
LOG = b"ok 1\nERROR two\n\nerror 3\r\nok\xff four\nok\0five\nlast error"


def printed(texts: Sequence[bytes], cuts: Iterable[int] = (), *, only: bool = False, **options: Any) -> bytes:
    """What `fanfold grep` prints of these objects, cut into blocks at these places."""
    chosen = JOB.read_options(options)
    size = sum(map(len, texts))
    edges = sorted({0, size, *(cut for cut in cuts if 0 < cut < size)})
    blocks, counted = [], 0
    for start, end in pairwise(edges):
        pieces: list[bytes] = []
        context = Context(JOB.shards("run"), chosen, {}, pieces.append)
        mapped = map_watched(JOB, Span(start, end), input_of_bytes(texts, None, Span(start, end)), context)
        counted += sum(sum(line.observed) for line in mapped.lines)
        blocks.append(frames(pieces))
    parts = parts_of(chosen.pattern, **chosen.how()) if only else None
    form: Any = AsText(str, terminal=False, context=bool(chosen.before or chosen.after), parts=parts)
    if chosen.count:
        form = AsCounts(str, terminal=False, most=chosen.most)
    written, lines = [], 0
    for found in stitched(blocks, Wanted(chosen.before, chosen.after, chosen.most)):
        if isinstance(found, Total):
            lines += found.lines
            written.append(form.total(found))
        else:
            written += form.found(found)
    assert lines == counted  # what the run counts is what the blocks kept
    return b"".join(written)


def test_it_keeps_the_laws() -> None:
    objects = {"a": LOG, "b": b"", "c": b"no end: error"}
    for more in ({}, {"before": 2, "after": 1}, {"invert": True, "most": 2}, {"count": True}):
        answer = check_job(JOB, objects, 20, {"pattern": "error", **more})
        assert answer["lines"] == (5 if more.get("invert") else 3)
    assert answer["top"] == [{"object": "0", "lines": 2}, {"object": "2", "lines": 1}]


def test_offsets_lines_and_line_ends_are_those_of_grep() -> None:
    assert printed([LOG], pattern="error") == b"0:16:error 3\r\n0:42:last error\n"
    assert printed([LOG], pattern="error$") == b"0:42:last error\n"
    assert printed([LOG], pattern="^$") == b"0:15:\n"
    assert printed([LOG], pattern="ok.?[a-z ]") == b"0:0:ok 1\n0:25:ok\xff four\n0:34:ok\0five\n"
    assert printed([LOG], pattern=r"\xff") == b"0:25:ok\xff four\n"
    assert printed([LOG], pattern="", count=True) == b"0:7\n"
    assert printed([b"a", b"a\n", b"\n"], pattern="a|^$") == b"0:0:a\n1:0:a\n2:0:\n"


lines = st.lists(st.text("ab\xff \r", max_size=4), max_size=12)
texts = st.builds(
    lambda lines, end: ("\n".join(lines) + end).encode("latin-1"), lines, st.sampled_from(["", "\n"])
)
PATTERNS = [
    "a",
    "ab",
    "a|b",
    "a.?",
    "(?P<x>ab?)",
    " ",
    "^a",
    "b$",
    "^$",
    "",
    "[^a]",
    "a*",
    "a.b",
    r"\s",
    r"\bab\b",
    "(a)(b)?",
    r"\xff",
]


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    options: dict[str, Any] = {
        "pattern": draw(st.sampled_from(PATTERNS)),
        "ignore_case": draw(st.booleans()),
        "invert": draw(st.booleans()),
        "fixed": draw(st.booleans()),
        "whole": draw(st.sampled_from(["none", "none", "word", "line"])),
        "count": draw(st.sampled_from([False, False, False, True])),
        "most": draw(st.sampled_from([None, None, 1, 2, 5])),
        "before": draw(st.sampled_from([0, 0, 0, 1, 2, 4])),
        "after": draw(st.sampled_from([0, 0, 0, 1, 2, 4])),
    }
    if draw(st.booleans()):
        options["only"] = True
        options["invert"] = options["count"] = False
        options["before"] = options["after"] = 0
    return options


def packed_in_streams(text: bytes) -> bytes:
    """bzip2 of a stream for every three bytes, so that blocks share it."""
    return b"".join(bz2.compress(text[at : at + 3]) for at in range(0, len(text), 3)) or bz2.compress(b"")


def packed_in_blocks(text: bytes) -> bytes:
    """The same in one stream."""
    return one_stream(text[at : at + 3] for at in range(0, len(text), 3))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    st.lists(texts, min_size=1, max_size=3),
    st.lists(st.integers(1, 200), max_size=6),
    cases(),
    st.sampled_from([bytes, bytes, gzip.compress, packed_in_streams, packed_in_blocks]),
    st.sampled_from([1, 4, 9, 1 << 20]),
)
def test_any_cut_and_any_options_print_what_grep_prints(
    texts: list[bytes],
    cuts: list[int],
    options: dict[str, Any],
    pack: Callable[[bytes], bytes],
    frame_bytes: int,
) -> None:
    of_oracle = {**options, "pattern": options["pattern"].encode()}
    objects = [(str(number), text) for number, text in enumerate(texts) if text]
    if options["fixed"]:
        of_oracle["pattern"] = options["pattern"].encode()
    expected = grep_oracle.grep(objects, **of_oracle)
    stored = [pack(text) if text else b"" for text in texts]
    places = [cut % (sum(map(len, stored)) + 1) for cut in cuts]
    with patch.object(frames_module, "FRAME_BYTES", frame_bytes):
        assert printed(stored, places, **options) == expected


FLAGS: list[tuple[list[str], dict[str, Any]]] = [
    ([], {}),
    (["-i"], {"ignore_case": True}),
    (["-v"], {"invert": True}),
    (["-c"], {"count": True}),
    (["-o"], {"only": True}),
    (["-w", "-i"], {"whole": "word", "ignore_case": True}),
    (["-w", "-o"], {"whole": "word", "only": True}),
    (["-x", "-v"], {"whole": "line", "invert": True}),
    (["-x", "-o"], {"whole": "line", "only": True}),
    (["-m2"], {"most": 2}),
    (["-c", "-m2", "-v"], {"count": True, "most": 2, "invert": True}),
    (["-A1"], {"after": 1}),
    (["-B2"], {"before": 2}),
    (["-C3", "-m1"], {"before": 3, "after": 3, "most": 1}),
    (["-v", "-A1", "-m2"], {"invert": True, "after": 1, "most": 2}),
]


@pytest.mark.parametrize(("flags", "options"), FLAGS)
def test_the_oracle_is_grep_itself(flags: list[str], options: dict[str, Any], tmp_path: Path) -> None:
    objects = [("a", LOG * 3), ("b", b"none\n"), ("c", b"error\n" * 3 + b"x\ny\nz\nerror\nerror\n")]
    for name, text in objects:
        (tmp_path / name).write_bytes(text)
    for pattern in ("error", "[0-9]|x", "^$", "o.?", "r?"):
        command = ["grep", "-abHE", *flags, "-e", pattern, "a", "b", "c"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=False,
        )
        assert grep_oracle.grep(objects, pattern.encode(), **options) == done.stdout


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", r"missing \): \($"),
        ("a{2000}", "invalid repetition size"),
        (r"(?=a)", "invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
        (r"\Aa", "the borders of a line"),
        (r"a\z", "the borders of a line"),
        (r"(?-m)^a", "the borders of a line"),
        (r"(?i-ms:^a)", "the borders of a line"),
        (r"\C", "a dot is any byte"),
        (r"\<error\>", r"\\< is not supported: write \\b for the border of a word, or \[<\]"),
        (r"a\>", r"write \\b for the border of a word, or \[>\]"),
        (r"\`a", "write \\^ for the beginning of a line"),
        (r"a\'", r"write \$ for the end of a line"),
        ("ba{,3}", r"\{,3\} is not supported: write \{0,3\}, or \\\{,3\} for these characters"),
        ("[[=a=]b]", r"\[\[=a=\]\] is not supported: write the characters themselves"),
        ("[b[.-.]]", r"\[b\[\.-\.\]\] is not supported"),
        (r"a\nb", "no line has"),
        ("a\nb", "no line has"),
        ("a\udcff", r"it is not UTF-8: write other bytes as \\xff"),
        ("(?:(?:a{100}){10}){2}" * 9, "too large|invalid repetition"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_in_one_sentence(pattern: str, reason: str) -> None:
    with pytest.raises(BadPattern, match=reason):
        matching(pattern)
    with pytest.raises(InvalidRequest, match="options: pattern: "):
        JOB.read_options({"pattern": pattern})


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"\\A", r"[\n]a|a", r"[^\n]*a", r"\Q\A\E|a", "(?i)A", "(?s)a", r"[(?-m)]|a"),
        *(r"[\<]|a", r"\\<|a", r"\{,3}|a", "[{,3}]|a", "{,}|a", r"\Q{,3}\E|a", "[[.]a|A", "[[:alpha:]]"),
    ],
)
def test_what_only_looks_like_that_is_a_pattern(pattern: str) -> None:
    assert list(matching(pattern)(b"\\Aa\n")) == [(0, 4, 1)]


@pytest.mark.parametrize("pattern", ["(?P<x>b)|c", "(?<x>b)|(?<y>c)", r"\(?<x>b|c"])
@pytest.mark.parametrize("whole", ["none", "word", "line"])
def test_groups_may_have_names(pattern: str, whole: Any) -> None:
    assert printed([b"a\nb\nc\n"], pattern=pattern, whole=whole, only=True).endswith(b"0:4:c\n")
    assert list(matching(r"\(?<x>")(b"<x>\n(<x>\n")) == [(0, 4, 1), (4, 9, 1)]  # no group


@pytest.mark.parametrize(
    ("pattern", "of_words", "of_lines"),
    [
        (r"\Qa.b", "0:0:a.b\n0:10:a.b c\n", "0:0:a.b\n"),
        (r"a|a\.b", "0:0:a.b\n0:10:a.b c\n", "0:0:a.b\n"),
        ("", "0:9:\n0:16:é\n0:19:és\n", "0:9:\n"),  # its letters are those of ASCII
        ("é", "0:16:é\n", "0:16:é\n"),
        ("é|és", "0:16:é\n0:19:és\n", "0:16:é\n0:19:és\n"),
    ],
)
def test_words_and_lines_are_whole(pattern: str, of_words: str, of_lines: str) -> None:
    text = "a.b\nxa.b\n\na.b c\né\nés\n".encode()
    assert printed([text], pattern=pattern, whole="word").decode() == of_words
    assert printed([text], pattern=pattern, whole="line").decode() == of_lines


@pytest.mark.parametrize("pattern", [")|(", "a)|(?:b", "(", "a**"])
@pytest.mark.parametrize("whole", ["word", "line"])
def test_what_is_put_around_a_pattern_does_not_make_it_valid(pattern: str, whole: Any) -> None:
    with pytest.raises(BadPattern, match=r"unexpected|missing|bad repetition"):
        matching(pattern, whole=whole)


def test_a_pattern_that_would_hang_elsewhere_does_not() -> None:
    """The time of Python's re would double with each x."""
    assert printed([b"x" * 100_000 + b"\n"], pattern="(x+x+)+y") == b""
    assert printed([b"x" * 100_000 + b"y\n"], pattern="(x?){50}x{50}y", count=True) == b"0:1\n"


@pytest.mark.parametrize(
    ("pattern", "smallest", "largest"),
    [
        ("5f3a9c2e", 1 << 30, math.inf),
        ("error|timed out", 1 << 30, math.inf),
        ("(.{1,30}b){1,30}c", 5 << 20, 20 << 20),
        ("a.{1000}b", 5 << 20, 20 << 20),
    ],
)
def test_a_block_is_so_small_that_the_pattern_takes_half_of_its_time(
    pattern: str, smallest: float, largest: float
) -> None:
    """The last two read 0.16 and 0.46 MB/s at worst; a Lambda has 300 s."""
    assert smallest < JOB.largest_block(JOB.read_options({"pattern": pattern})) < largest


def test_a_pattern_without_its_engine_is_left_to_the_functions_that_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "re2", None)
    assert JOB.read_options({"pattern": "("}).pattern == "("


def test_a_pattern_of_ascii_works_on_bytes_and_any_other_on_characters() -> None:
    text = "größe\nGRÖSSE\nGRÖßE\nca\xff\n".encode("latin-1").replace(b"\xf6", "ö".encode())
    text = "größe\nGRÖßE\n".encode() + b"ca\xfft\n"
    assert printed([text], pattern="gr..ße", only=True) == b""
    assert printed([text], pattern="gr.ße") == "0:0:größe\n".encode()
    assert printed([text], pattern="gr..") == "0:0:größe\n".encode()
    assert printed([text], pattern="größe", ignore_case=True) == "0:0:größe\n0:8:GRÖßE\n".encode()
    assert printed([text], pattern="[öÖ]ß", only=True) == "0:2:öß\n0:10:Öß\n".encode()
    assert printed([text], pattern="ca.t") == b"0:16:ca\xfft\n"
    assert printed([text], pattern=r"ca.t|\pZ") == b""  # a dot is a character


def test_bytes_that_are_no_characters_are_found_where_characters_count() -> None:
    def found(pattern: str) -> int:
        context = Context(JOB.shards("run"), JOB.read_options({"pattern": pattern}), {}, lambda _: None)
        text = [b"caf\xe9\n"]
        return map_watched(JOB, Span(0, 5), input_of_bytes(text), context).findings["invalid_utf8"].found

    assert (found("café"), found("caf.")) == (1, 0)


def test_a_terminal_gets_nothing_that_it_might_obey() -> None:
    assert for_terminal(b"a\x1b[2J\tb\xff\x9b\r") == b"a\\x1b[2J\tb\\xff\\x9b\\r"
    assert for_terminal("\u202eé".encode()) == "\\u202eé".encode()


def test_a_line_with_many_parts_is_written_in_portions() -> None:
    """A line may have millions of parts, and each part takes more memory than its byte of text."""
    form = AsText(str, terminal=False, context=False, parts=parts_of("a"))
    text = b"a" * 25_000 + b"\n"
    portions = list(form.found(Found("0", 5, text, 1, True, False)))
    assert [portion.count(b"\n") for portion in portions] == [10_000, 10_000, 5_000]
    assert b"".join(portions) == b"".join(b"0:%d:a\n" % (5 + at) for at in range(25_000))


def test_pieces_may_end_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "PIECE_BYTES", 1)
    pieces: list[bytes] = []
    writer = Writer(pieces.append)
    writer.begin("ä", 5)
    writer.lines(5, b"one\ntwo\n", selected=True)
    writer.lines(13, b"", selected=False)
    writer.selected(20, b"a\nb\nc\n", [(0, 2, 1), (4, 6, 1)])
    writer.end(26, 4)
    wanted = [Begin("ä", 5), Lines(5, b"one\ntwo\na\nc\n", True, (0, 0, 7, 2)), End(26, 4)]
    assert list(frames(pieces)) == wanted
    whole = b"".join(pieces)
    for cut in range(len(whole)):
        assert list(frames([whole[:cut], whole[cut:]])) == wanted
    with pytest.raises(BlobDamaged, match="end too early"):
        list(frames([whole[:-1]]))
    with pytest.raises(BlobDamaged, match="are damaged"):
        list(frames([b"?" + whole[1:]]))
    for damaged in (whole.replace(b"a\nc", b"abc"), whole.replace(b"\4\0\0\0", b"\5\0\0\0")):
        with pytest.raises(BlobDamaged, match="are damaged"):
            list(frames([damaged]))


def test_selected_lines_far_from_each_other_are_one_frame_if_their_gap_can_be_written() -> None:
    """A frame for each took most of the time where many lines are selected."""
    pieces: list[bytes] = []
    writer = Writer(pieces.append)
    writer.begin("a", 0)
    for offset in (0, 10, MOST_GAP + 12, 2 * MOST_GAP + 15):
        writer.selected(offset, b"x\n", [(0, 2, 1)])
    writer.end(2 * MOST_GAP + 17, 4)
    writer.flush()
    kept = [frame for frame in frames(pieces) if isinstance(frame, Lines)]
    assert [(one.offset, one.gaps) for one in kept] == [(0, (0, 8, MOST_GAP)), (2 * MOST_GAP + 15, ())]


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(texts, cases(), st.sampled_from([16, 23, 40]), st.sampled_from([3, 9, 1000]))
def test_a_block_that_is_mapped_again_stores_the_same(
    text: bytes, options: dict[str, Any], window_bytes: int, held_bytes: int
) -> None:
    """In whatever chunks its text arrives: a second copy of a call overwrites what the first has stored."""
    options.pop("only", None)

    def stored() -> list[bytes]:
        pieces: list[bytes] = []
        context = Context(JOB.shards("run"), JOB.read_options(options), {}, pieces.append)
        map_watched(JOB, Span(0, len(text) * 9), input_of_bytes([text * 9], "plain"), context)
        return pieces

    with (
        patch.object(frames_module, "FRAME_BYTES", 9),
        patch.object(frames_module, "PIECE_BYTES", 40),
        patch.object(context_module, "HELD_BYTES", held_bytes),
    ):
        whole = stored()
        with patch.object(ownership, "WINDOW_BYTES", window_bytes):
            assert stored() == whole


def test_lines_that_are_held_for_context_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_src.jobs.grep.context.HELD_BYTES", 3)
    text = b"a\n" * 50 + b"b\n" + b"a\n" * 50
    for size in (1, 7, 60):
        cuts = range(0, len(text), size)
        expected = grep_oracle.grep([("0", text)], b"b", before=9, after=9)
        assert printed([text], cuts, pattern="b", before=9, after=9) == expected


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(texts.filter(bool).map(lambda text: text.rstrip(b"\n") + b"\n")), st.integers(0, 5))
def test_the_latest_lines_are_kept_in_whatever_portions_they_come(portions: list[bytes], most: int) -> None:
    latest, kept = Latest(most), b""
    for number, text in enumerate(portions, 1):
        latest.add(text)
        lines = [line + b"\n" for line in b"".join(portions[:number]).split(b"\n")[:-1]]
        kept = b"".join(lines[-most:]) if most else b""
        assert latest.size == len(kept)
    assert (latest.take(), latest.take(), latest.lacks) == (kept, b"", False)


def test_lines_before_a_selected_one_are_refused_if_they_take_too_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fanfold.lines.stitch.HELD_BYTES", 5)
    assert printed([b"a\na\na\n"], pattern="b", before=2) == b""
    assert printed([b"aaa\naaa\na\na\nb\n"], pattern="b", before=2) == b"0-8-a\n0-10-a\n0:12:b\n"
    with pytest.raises(RunError, match="The 2 lines before byte 8 of 0 have more than 5 bytes"):
        printed([b"aaa\naaa\nb\n"], pattern="b", before=2)


def test_first_and_last_lines() -> None:
    assert [forward(b"a\nb", 0, 3, count) for count in range(4)] == [0, 2, 3, 3]
    assert [backward(b"a\nb", 0, 3, count) for count in range(4)] == [3, 2, 0, 0]
