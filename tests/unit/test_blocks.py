"""Blocks own each byte once, cut no token, and read no more than they may."""

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_src import blocks
from lambda_src.blocks import (
    MAX_BLOCKS,
    MAX_TOKEN_BYTES,
    TOKEN_BYTES,
    Block,
    Span,
    bounded_block_bytes,
    check_chain,
    feed_owned,
    partition,
)
from lambda_src.errors import ConservationBroken, SourceNotText
from tests.texts import ANY_BYTES


def owned(data: bytes, block: Block, window_bytes: int) -> tuple[Span, list[bytes]]:
    """What ``block`` owns of ``data``; checks every read on the way."""
    chunks: list[bytes] = []

    def read(start: int, end: int) -> bytes:
        assert 0 <= start < end <= len(data), "outside of the object"
        assert end - start <= window_bytes, "more than asked for"
        return data[start:end]

    return feed_owned(block, len(data), read, chunks.append, window_bytes), chunks


def tokens(data: bytes) -> list[tuple[int, int]]:
    """The definition taken literally: where letters and marks begin and end, as bytes."""
    text = data.decode(errors="surrogateescape")  # An invalid byte is a character of its own, and no letter.

    def offset(index: int) -> int:
        return len(text[:index].encode(errors="surrogateescape"))

    return [(offset(found.start()), offset(found.end())) for found in regex.finditer(r"[\p{L}\p{M}]+", text)]


@given(ANY_BYTES, st.integers(1, 400), st.integers(1, 64))
@example(b"", 1, 1)
@example(b"x", 1, 1)
@example(b"ab cd", 3, 1)
@example("本，語".encode(), 1, 1)
@example("本，語".encode() + b"\xe6\x9c", 4, 2)
@settings(max_examples=1000)
def test_blocks_own_every_byte_once_and_cut_no_token(
    data: bytes, block_bytes: int, window_bytes: int
) -> None:
    spans, pieces = [], []
    for block in partition(len(data), block_bytes):
        span, chunks = owned(data, block, window_bytes)
        assert b"".join(chunks) == data[span.start : span.end]
        spans.append(span)
        pieces += chunks
    check_chain(spans, len(data))
    whole = [data[start:end] for start, end in tokens(data)]
    assert [piece[start:end] for piece in pieces for start, end in tokens(piece)] == whole


@given(ANY_BYTES.filter(len), st.integers(1, 400), st.integers(1, 64))
@settings(max_examples=1000)
def test_a_block_owns_the_tokens_that_begin_in_it(data: bytes, block_bytes: int, window_bytes: int) -> None:
    for block in partition(len(data), block_bytes):
        span, _ = owned(data, block, window_bytes)
        for start, _ in tokens(data):
            assert (span.start <= start < span.end) == (block.start <= start < block.end)


@given(ANY_BYTES.filter(len), st.integers(1, 400), st.lists(st.integers(1, 64), min_size=2, max_size=3))
def test_how_much_is_read_at_once_changes_no_span(
    data: bytes, block_bytes: int, window_bytes: list[int]
) -> None:
    for block in partition(len(data), block_bytes):
        assert len({owned(data, block, size)[0] for size in window_bytes}) == 1


@given(ANY_BYTES, st.integers(1, 400), st.integers(1, 64), st.integers(3, 30))
@example("本，".encode() * 50, 300, 7, 3)
@example("本，".encode() * 50, 7, 64, 3)
@example(b"a" * 31, 400, 64, 30)
@settings(max_examples=3000)
def test_a_token_is_refused_for_its_length_and_nothing_else_is(
    data: bytes, block_bytes: int, window_bytes: int, longest_bytes: int
) -> None:
    """However blocks and windows are cut. What is kept of a text stays bounded, too."""
    too_long = [start for start, end in tokens(data) if end - start > longest_bytes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MAX_TOKEN_BYTES", longest_bytes)
        refused = []
        for block in partition(len(data), block_bytes):
            try:
                _, chunks = owned(data, block, window_bytes)
            except SourceNotText as error:
                refused.append(str(error))
            else:
                assert all(len(chunk) <= longest_bytes + window_bytes + 3 for chunk in chunks)
                assert not any(block.start <= start < block.end for start in too_long)
    assert bool(refused) == bool(too_long)
    if too_long:
        sentence = (
            rf"The run of letters at byte (\d+) is longer than {longest_bytes} bytes: this is not text\."
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
        for block in partition(len(longest), block_bytes):
            owned(longest, block, window_bytes)

        too_long = b"hello " + letters + b"a" + separator + b"world"
        with pytest.raises(SourceNotText, match="at byte 6 is longer than 1048576 bytes"):
            [owned(too_long, block, window_bytes) for block in partition(len(too_long), block_bytes)]


@pytest.mark.parametrize("block_bytes", [1 << 18, 5 << 20])
@pytest.mark.parametrize("window_bytes", [1 << 16, 1 << 23])
def test_a_text_without_an_ascii_byte_is_shared_among_its_blocks(block_bytes: int, window_bytes: int) -> None:
    data = "海内存知己，天涯若比邻。".encode() * 40_000
    assert len(data) > MAX_TOKEN_BYTES
    spans = [owned(data, block, window_bytes)[0] for block in partition(len(data), block_bytes)]
    check_chain(spans, len(data))
    assert all(abs(span.end - span.start - block_bytes) < 20 for span in spans[:-1])


def test_a_small_block_takes_one_read() -> None:
    data = b"some words " * 1000
    reads: list[tuple[int, int]] = []

    def read(start: int, end: int) -> bytes:
        reads.append((start, end))
        return data[start:end]

    feed_owned(Block(1, 1000, 2000), len(data), read, lambda _: None)
    assert reads == [(996, 2000 + 1024)]


def test_a_token_holds_letters_and_bytes_of_multibyte_characters_only() -> None:
    assert set(TOKEN_BYTES) == {*range(0x41, 0x5B), *range(0x61, 0x7B), *range(0x80, 0x100)}


@given(st.integers(0, 5 * 10**13), st.integers(1, 10**10))
def test_block_size_is_raised_only_as_far_as_needed(object_bytes: int, block_bytes: int) -> None:
    bounded = bounded_block_bytes(object_bytes, block_bytes)
    assert bounded >= block_bytes
    assert -(-object_bytes // bounded) <= MAX_BLOCKS
    assert bounded == block_bytes or -(-object_bytes // (bounded - 1)) > MAX_BLOCKS


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([Span(0, 4), Span(5, 9)], "Block 1 owned bytes 5 to 9, which leaves a gap after byte 4"),
        ([Span(0, 4), Span(3, 9)], "Block 1 owned bytes 3 to 9, which overlaps byte 4"),
        ([Span(1, 9)], "Block 0 owned bytes 1 to 9, which leaves a gap after byte 0"),
        ([Span(0, 4), Span(4, 3), Span(3, 9)], "Block 1 owned bytes 4 to 3"),
        ([Span(0, 8)], "The blocks owned 8 of the object's 9 bytes"),
        ([Span(0, 9), Span(9, 10)], "The blocks owned 10 of the object's 9 bytes"),
        ([], "The blocks owned 0 of the object's 9 bytes"),
    ],
)
def test_a_broken_chain_is_named(spans: list[Span], message: str) -> None:
    with pytest.raises(ConservationBroken, match=message):
        check_chain(spans, 9)
