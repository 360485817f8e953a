"""Blocks of an object, and which bytes each of them owns.

A *token* is a maximal sequence of letters and combining marks in UTF-8; an invalid byte belongs to none. A
block owns exactly the tokens whose first byte lies in it. Owned spans therefore partition the object, and no
token is ever cut, wherever the blocks are cut. What separates tokens may be.

In UTF-8 no character begins inside another, so a few bytes around a place tell whether a token covers it.
Most separators are ASCII and are found in C; characters are looked at only where a block begins and ends, and
where there is no ASCII separator for longer than a token may be.
"""

import codecs
from collections.abc import Callable, Iterable
from typing import NamedTuple

import regex

from lambda_src.errors import ConservationBroken, SourceNotText

TOKEN_BYTES = bytes(byte for byte in range(256) if byte >= 0x80 or chr(byte).isalpha())
"""The bytes that a token may hold: all others separate tokens."""

MAX_TOKEN_BYTES = 1 << 20
"""A longer token is no text, and would make memory unbounded."""

_CHARACTER_BYTES = 4
_SEPARATOR = regex.compile(r"[^\p{L}\p{M}]")
_LAST_SEPARATOR = regex.compile(r"(?r)[^\p{L}\p{M}]")

MAX_BLOCKS = 100_000
"""Bounds the manifest and the reducers' reads whatever the object's size."""

WINDOW_BYTES = 8 << 20
"""The most that is read at once: a larger block is streamed."""

OVER_READ_BYTES = 1 << 10
"""First read past a block's end; doubled until the last token ends."""


class Span(NamedTuple):
    """Bytes ``[start, end)`` of an object."""

    start: int
    end: int


class Block(NamedTuple):
    """Block ``number`` (from 0), nominally bytes ``[start, end)``."""

    number: int
    start: int
    end: int


def bounded_block_bytes(object_bytes: int, block_bytes: int) -> int:
    """``block_bytes``, raised as far as it takes to need at most ``MAX_BLOCKS``.

    >>> bounded_block_bytes(1_000_000_000, 5_000_000)
    5000000
    >>> bounded_block_bytes(5 * 10**12, 5_000_000)
    50000000
    """
    return max(block_bytes, -(-object_bytes // MAX_BLOCKS))


def partition(object_bytes: int, block_bytes: int) -> list[Block]:
    """Cut ``object_bytes`` into blocks of ``block_bytes``, the last one shorter.

    >>> partition(5, 2)
    [Block(number=0, start=0, end=2), Block(number=1, start=2, end=4), Block(number=2, start=4, end=5)]
    >>> partition(0, 2)
    []
    """
    starts = range(0, object_bytes, block_bytes)
    return [
        Block(number, start, min(start + block_bytes, object_bytes)) for number, start in enumerate(starts)
    ]


def feed_owned(
    block: Block,
    object_bytes: int,
    read: Callable[[int, int], bytes],
    feed: Callable[[bytes], None],
    window_bytes: int = WINDOW_BYTES,
) -> Span:
    """Feed the bytes that ``block`` owns, in order, in chunks that cut no token; return their span.

    ``read(start, end)`` gives the object's bytes ``[start, end)``; it is asked for at most ``window_bytes``
    at once, from one character before the block, to see whether its first token began earlier, up to where
    its last token ends. A block inside one long token owns the empty span at that token's end.

    Raises SourceNotText for a token of more than ``MAX_TOKEN_BYTES``.
    """
    position = max(block.start - _CHARACTER_BYTES, 0)
    step = min(OVER_READ_BYTES, window_bytes)
    pending = b""  # read, not fed yet; begins at offset `base`
    base = position
    owned_from = 0 if block.start == 0 else None

    while True:
        if position < block.end:
            stop = min(position + window_bytes, block.end + OVER_READ_BYTES, object_bytes)
        else:
            stop = min(position + step, object_bytes)
            step = min(2 * step, window_bytes)
        pending += read(position, stop)
        position = stop
        is_last = position == object_bytes

        if owned_from is None:
            if position < block.start:
                continue
            owned_from = _uncut(block.start, pending, base, is_last)
            if owned_from is None:
                continue
            if owned_from >= block.end:
                return Span(owned_from, owned_from)
            pending, base = pending[owned_from - base :], owned_from

        if position >= block.end:
            owned_to = _uncut(block.end, pending, base, is_last)
            if owned_to is not None:
                owned = pending[: owned_to - base]
                _check_tokens(owned, base)
                feed(owned)
                return Span(owned_from, owned_to)

        _check_tokens(pending, base)
        cut = _last_cut(pending)
        feed(pending[:cut])
        pending, base = pending[cut:], base + cut


def check_chain(spans: Iterable[Span], object_bytes: int) -> None:
    """Raise ConservationBroken unless ``spans``, in block order, run from 0 to ``object_bytes``
    with no gap and no overlap."""
    reached = 0
    for number, span in enumerate(spans):
        if span.start != reached or span.end < span.start:
            fault = "overlaps" if span.start < reached else "leaves a gap after"
            raise ConservationBroken(
                f"Block {number} owned bytes {span.start} to {span.end}, which {fault} byte {reached}, "
                "where the block before it ended."
            )
        reached = span.end
    if reached != object_bytes:
        raise ConservationBroken(f"The blocks owned {reached} of the object's {object_bytes} bytes.")


def _uncut(offset: int, data: bytes, base: int, is_last: bool) -> int | None:
    """``offset``, or where the token ends that began before it and goes on there: such places bound what a
    block owns. ``data`` begins at ``base``, before ``offset``; the object ends with it if it ``is_last``.
    None if more has to be read to know. Raises SourceNotText."""
    first = offset - 1 - base
    while first > max(offset - _CHARACTER_BYTES - base, 0) and data[first] & 0xC0 == 0x80:
        first -= 1  # to the beginning of the character before `offset`
    token_bytes, is_whole = _token_at(first, data, base, is_last)
    return max(base + first + token_bytes, offset) if is_whole else None


def _token_at(index: int, data: bytes, base: int, is_last: bool) -> tuple[int, bool]:
    """How many bytes of letters ``data`` has from ``index`` on, and whether these surely are all. Raises
    SourceNotText."""
    reach = data[index : index + MAX_TOKEN_BYTES + _CHARACTER_BYTES]
    candidates = reach[: len(reach) - len(reach.lstrip(TOKEN_BYTES))]
    is_whole = len(candidates) < len(reach) or (is_last and index + len(candidates) == len(data))
    text, _ = codecs.utf_8_decode(candidates, "replace", is_whole)
    separator = _SEPARATOR.search(text)
    token_bytes = len((text[: separator.start()] if separator else text).encode())
    if token_bytes > MAX_TOKEN_BYTES:
        offset = base + _last_token(data[:index], is_last=True)
        raise SourceNotText(
            f"The run of letters at byte {offset} is longer than {MAX_TOKEN_BYTES} bytes: this is not text."
        )
    return token_bytes, is_whole or separator is not None


def _last_token(data: bytes, is_last: bool) -> int:
    """Where in ``data`` the token begins that may go on behind it; if it ``is_last``, no character does."""
    begin = len(data.rstrip(TOKEN_BYTES))
    # An incomplete character at the end is left out, unless it is the last. What is invalid is a separator.
    text, whole_bytes = codecs.utf_8_decode(data[begin:], "replace", is_last)
    separator = _LAST_SEPARATOR.search(text)
    token = text[separator.end() :] if separator else text
    return begin + whole_bytes - len(token.encode())


def _last_cut(data: bytes) -> int:
    """An index in ``data`` that cuts no token, found among bytes if that leaves no more behind it than one
    token may have, else among characters."""
    index = len(data.rstrip(TOKEN_BYTES))
    return index if len(data) - index <= MAX_TOKEN_BYTES else _last_token(data, is_last=False)


def _check_tokens(data: bytes, base: int) -> None:
    """Hop from cut to cut, each the last one that a token of the allowed length can reach. Raises
    SourceNotText."""
    index = 0
    while len(data) - index > MAX_TOKEN_BYTES:
        hop = _last_cut(data[index : index + MAX_TOKEN_BYTES + 1])
        index += hop or _token_at(index, data, base, is_last=True)[0]
