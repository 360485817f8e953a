"""Blocks own each byte once, cut no token, and read no more than they may."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.testing.texts import ANY_BYTES, WITHOUT_ASCII
from lambda_src.errors import SourceNotText
from lambda_src.input import ownership
from lambda_src.input.addresses import Addresses, Placed
from lambda_src.input.blocks import Block, split
from lambda_src.input.formats import LOOK_BYTES
from lambda_src.input.objects import ObjectsInput
from lambda_src.input.ownership import check_chain
from lambda_src.job import Owned, Span
from lambda_src.jobs.top_words.tokens import MAX_TOKEN_BYTES, TOKENS
from lambda_src.records import Rule

WINDOWS = st.integers(5, 64)
"""At least a character and a byte."""


@contextmanager
def windows_of(window_bytes: int) -> Iterator[None]:
    """At most so many bytes are read at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership, "WINDOW_BYTES", window_bytes)
        patch.setattr(ownership, "HEAD_BYTES", window_bytes)
        patch.setattr(ownership, "LOOK_BYTES", 16)
        yield


def owned(data: bytes, block: Block, window_bytes: int, rule: Rule = TOKENS) -> tuple[Owned, list[bytes]]:
    """What ``block`` owns of ``data``; checks every read on the way."""
    chunks: list[bytes] = []

    def read(_: Placed, start: int, end: int) -> list[bytes]:
        assert 0 <= start < end <= len(data), "outside of the object"
        assert end - start <= max(window_bytes, 16 if start else LOOK_BYTES), "more than asked for"
        return [data[start:end]]

    source = ObjectsInput(
        Addresses([Placed(0, "o", len(data), "", "plain")]), read, size_bytes=len(data), objects=1
    )
    with windows_of(window_bytes):
        return source.feed(Span(block.start, block.end), rule, lambda chunk, _: chunks.append(chunk)), chunks


def uncut(data: bytes) -> list[tuple[int, int]]:
    """What no cut goes through: tokens, and other characters."""
    return tokens(data, r"(?s)[\p{L}\p{M}]+|.")


def tokens(data: bytes, pattern: str = r"[\p{L}\p{M}]+") -> list[tuple[int, int]]:
    """The definition taken literally: where letters and marks begin and end, as bytes."""
    text = data.decode(errors="surrogateescape")  # An invalid byte is a character of its own, and no letter.

    def offset(index: int) -> int:
        return len(text[:index].encode(errors="surrogateescape"))

    return [(offset(found.start()), offset(found.end())) for found in regex.finditer(pattern, text)]


@given(ANY_BYTES, st.integers(1, 400), WINDOWS)
@example(b"", 1, 5)
@example(b"x", 1, 5)
@example(b"ab cd", 3, 5)
@example("本，語".encode(), 1, 5)
@example("本，語".encode() + b"\xe6\x9c", 4, 5)
@settings(max_examples=1000)
def test_blocks_own_every_byte_once_and_cut_no_token(
    data: bytes, block_bytes: int, window_bytes: int
) -> None:
    spans, pieces = [], []
    for block in split(len(data), block_bytes):
        span, chunks = owned(data, block, window_bytes)
        assert b"".join(chunks) == data[span.start : span.end]
        spans.append(span)
        pieces += chunks
    check_chain(spans, len(data))
    whole = [data[start:end] for start, end in tokens(data)]
    assert [piece[start:end] for piece in pieces for start, end in tokens(piece)] == whole


@given(ANY_BYTES.filter(len), st.integers(1, 400), WINDOWS)
@settings(max_examples=1000)
def test_a_block_owns_the_tokens_that_begin_in_it(data: bytes, block_bytes: int, window_bytes: int) -> None:
    for block in split(len(data), block_bytes):
        span, _ = owned(data, block, window_bytes)
        for start, _ in tokens(data):
            assert (span.start <= start < span.end) == (block.start <= start < block.end)


@given(ANY_BYTES.filter(len), st.integers(1, 400), st.lists(WINDOWS, min_size=2, max_size=3))
def test_how_much_is_read_at_once_changes_no_span(
    data: bytes, block_bytes: int, window_bytes: list[int]
) -> None:
    for block in split(len(data), block_bytes):
        assert len({owned(data, block, size)[0] for size in window_bytes}) == 1


@given(ANY_BYTES | WITHOUT_ASCII, st.data())
@settings(max_examples=1000)
def test_cuts_are_told_by_the_characters_around_them(data: bytes, draws: st.DataObject) -> None:
    """And by nothing else: not by what lies before, and not by how much of what follows is known."""
    spans = uncut(data)
    at = draws.draw(st.integers(1, max(len(data), 1)))
    begin = draws.draw(st.integers(0, max(at - TOKENS.around_bytes, 0)))
    end = draws.draw(st.integers(at, max(len(data), at)))
    cut = TOKENS.first_cut(data[begin:end], at - begin, False)
    wanted = next((stop for start, stop in spans if start < at < stop), at)
    assert cut is None or begin + cut == wanted
    # A token that goes on behind what is known, and a character that is cut, cannot be judged.
    assert cut is not None or end < wanted + 4
    last = TOKENS.last_cut(data[:end])
    assert not any(start < last < stop for start, stop in spans)
    assert last <= end
    known = [(start, stop) for start, stop in tokens(data[:end]) if stop <= end - 4]
    assert last >= max((stop for _, stop in known), default=0)


@given(ANY_BYTES, st.integers(1, 400), WINDOWS, st.integers(4, 30))
@example("本，".encode() * 50, 300, 7, 3)
@example("本，".encode() * 50, 7, 64, 3)
@example(b"a" * 31, 400, 64, 30)
@settings(max_examples=3000)
def test_a_token_is_refused_for_its_length_and_nothing_else_is(
    data: bytes, block_bytes: int, window_bytes: int, longest_bytes: int
) -> None:
    """However blocks and windows are cut. What is kept of a text stays bounded, too."""
    too_long = [start for start, end in tokens(data) if end - start > longest_bytes]
    refused = []
    for block in split(len(data), block_bytes):
        try:
            _, chunks = owned(data, block, window_bytes, TOKENS._replace(longest_bytes=longest_bytes))
        except SourceNotText as error:
            refused.append(str(error))
        else:
            assert all(len(chunk) <= longest_bytes + max(window_bytes, LOOK_BYTES) + 3 for chunk in chunks)
            assert not any(block.start <= start < block.end for start in too_long)
    assert bool(refused) == bool(too_long)
    if too_long:
        sentence = (
            rf"The token at byte (\d+) of o is longer than {longest_bytes:,} bytes: "
            r"this is not text that can be read record by record\."
        )
        named = regex.fullmatch(sentence, refused[0])
        assert named
        assert int(named[1]) in too_long


@pytest.mark.parametrize("block_bytes", [1 << 16, 3 << 19, 1 << 20, (1 << 20) + 7, 1 << 23])
@pytest.mark.parametrize("window_bytes", [1 << 18, 1 << 23])
@pytest.mark.parametrize("letter", ["a", "é"])
def test_the_limit_of_a_token_holds_wherever_blocks_are_cut(
    block_bytes: int, window_bytes: int, letter: str
) -> None:
    letters = letter.encode() * (MAX_TOKEN_BYTES // len(letter.encode()))
    for separator in (b" ", "，".encode()):
        longest = b"hello " + letters + separator + b"world"
        for block in split(len(longest), block_bytes):
            owned(longest, block, window_bytes)

        too_long = b"hello " + letters + b"a" + separator + b"world"
        with pytest.raises(SourceNotText, match="at byte 6 of o is longer than 1,048,576 bytes"):
            [owned(too_long, block, window_bytes) for block in split(len(too_long), block_bytes)]


@pytest.mark.parametrize("block_bytes", [1 << 18, 5 << 20])
@pytest.mark.parametrize("window_bytes", [1 << 16, 1 << 23])
def test_a_text_without_an_ascii_byte_is_shared_among_its_blocks(block_bytes: int, window_bytes: int) -> None:
    data = "海内存知己，天涯若比邻。".encode() * 40_000
    assert len(data) > MAX_TOKEN_BYTES
    spans = [owned(data, block, window_bytes)[0] for block in split(len(data), block_bytes)]
    check_chain(spans, len(data))
    assert all(abs(span.end - span.start - block_bytes) < 20 for span in spans[:-1])


def test_a_small_block_takes_one_read() -> None:
    data = b"some words " * 1000
    reads: list[tuple[int, int]] = []

    def read(_: Placed, start: int, end: int) -> list[bytes]:
        reads.append((start, end))
        return [data[start:end]]

    one = Placed(0, "o", len(data), "", "plain")
    ObjectsInput(Addresses([one]), read, size_bytes=len(data), objects=1).feed(
        Span(1000, 2000), TOKENS, lambda *_: None
    )
    assert reads == [(996, 2000 + 1024)]


def test_of_single_bytes_letters_alone_belong_to_a_token() -> None:
    belong = {byte for byte in range(256) if TOKENS.first_cut(bytes([0x61, byte, 0x61]), 1, True) == 3}
    assert belong == {*range(0x41, 0x5B), *range(0x61, 0x7B)}
