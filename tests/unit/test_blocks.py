"""Blocks own each byte once, cut no run, and read no more than they may."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_src.blocks import (
    MAX_BLOCKS,
    MAX_RUN_BYTES,
    RUN_BYTES,
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


@given(ANY_BYTES, st.integers(1, 400), st.integers(1, 64))
@example(b"", 1, 1)
@example(b"x", 1, 1)
@example(b"ab cd", 3, 1)
@settings(max_examples=1000)
def test_blocks_own_every_byte_once_and_cut_no_run(data: bytes, block_bytes: int, window_bytes: int) -> None:
    spans, pieces = [], []
    for block in partition(len(data), block_bytes):
        span, chunks = owned(data, block, window_bytes)
        assert b"".join(chunks) == data[span.start : span.end]
        spans.append(span)
        pieces += chunks
    check_chain(spans, len(data))
    runs = re.compile(rb"[A-Za-z\x80-\xff]+")
    assert [run for piece in pieces for run in runs.findall(piece)] == runs.findall(data)


@given(ANY_BYTES.filter(len), st.integers(1, 400))
def test_a_block_owns_the_runs_that_begin_in_it(data: bytes, block_bytes: int) -> None:
    for block in partition(len(data), block_bytes):
        span, _ = owned(data, block, 1 << 20)
        for run in re.finditer(rb"[A-Za-z\x80-\xff]+", data):
            assert (span.start <= run.start() < span.end) == (block.start <= run.start() < block.end)


@pytest.mark.parametrize("block_bytes", [1 << 16, 3 << 19, 1 << 20, (1 << 20) + 7, 1 << 23])
@pytest.mark.parametrize("window_bytes", [1 << 18, 1 << 23])
def test_a_run_is_refused_for_its_length_wherever_blocks_are_cut(block_bytes: int, window_bytes: int) -> None:
    longest = b"hello " + b"a" * MAX_RUN_BYTES + b" world"
    for block in partition(len(longest), block_bytes):
        owned(longest, block, window_bytes)

    too_long = b"hello " + b"a" * (MAX_RUN_BYTES + 1) + b" world"
    with pytest.raises(SourceNotText, match="at byte 6 is longer than 1048576 bytes"):
        [owned(too_long, block, window_bytes) for block in partition(len(too_long), block_bytes)]


def test_a_small_block_takes_one_read() -> None:
    data = b"some words " * 1000
    reads: list[tuple[int, int]] = []

    def read(start: int, end: int) -> bytes:
        reads.append((start, end))
        return data[start:end]

    feed_owned(Block(1, 1000, 2000), len(data), read, lambda _: None)
    assert reads == [(999, 2000 + 1024)]


def test_runs_are_letters_and_all_bytes_of_multibyte_characters() -> None:
    assert set(RUN_BYTES) == {*range(0x41, 0x5B), *range(0x61, 0x7B), *range(0x80, 0x100)}


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
