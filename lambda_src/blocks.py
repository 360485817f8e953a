"""Blocks of an object, and which bytes each of them owns.

A *run* is a maximal run of ASCII letters and bytes >= 0x80: the bytes of letters in UTF-8, and some more.
A block owns exactly the runs whose first byte lies in it. Owned spans therefore partition the object, a run
is never cut, and a character is never cut, wherever the blocks are cut.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from lambda_src.errors import ConservationBroken, SourceNotText

RUN_BYTES = bytes(byte for byte in range(256) if byte >= 0x80 or chr(byte).isalpha())
MAX_RUN_BYTES = 1 << 20
"""A longer run is no text, and would make memory unbounded."""

MAX_BLOCKS = 100_000
"""Bounds the manifest and the reducers' reads whatever the object's size."""

WINDOW_BYTES = 8 << 20
"""The most that is read at once: a larger block is streamed."""

OVER_READ_BYTES = 1 << 10
"""First read past a block's end; doubled until the last run ends."""


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
    """Feed the bytes that ``block`` owns, in order, in chunks that cut no run; return their span.

    ``read(start, end)`` gives the object's bytes ``[start, end)``; it is asked for at most ``window_bytes``
    at once, from one byte before the block, to see whether its first run began earlier, up to the first
    separator at or after its end. A block inside one long run owns the empty span at that run's end.

    Raises SourceNotText for a run of more than ``MAX_RUN_BYTES``.
    """
    position = max(block.start - 1, 0)
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

        if owned_from is None:
            began_earlier = _leading_run_bytes(pending)
            if began_earlier == len(pending) and position < object_bytes:
                _check_run_bytes(began_earlier, base)
                continue
            owned_from = base + max(began_earlier, 1)
            if owned_from >= block.end:
                return Span(owned_from, owned_from)
            pending, base = pending[owned_from - base :], owned_from

        if position >= block.end:
            last_run_bytes = _leading_run_bytes(pending[block.end - 1 - base :])
            owned_to = block.end - 1 + max(last_run_bytes, 1)
            if last_run_bytes == 0 or owned_to < position or position == object_bytes:
                owned = pending[: owned_to - base]
                _check_runs(owned, base)
                feed(owned)
                return Span(owned_from, owned_to)

        whole_runs = pending.rstrip(RUN_BYTES)
        _check_run_bytes(len(pending) - len(whole_runs), base + len(whole_runs))
        _check_runs(whole_runs, base)
        feed(whole_runs)
        pending, base = pending[len(whole_runs) :], base + len(whole_runs)


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


def _leading_run_bytes(data: bytes) -> int:
    return len(data) - len(data.lstrip(RUN_BYTES))


def _check_run_bytes(run_bytes: int, offset: int) -> None:
    if run_bytes > MAX_RUN_BYTES:
        raise SourceNotText(
            f"The run of letters at byte {offset} is longer than {MAX_RUN_BYTES} bytes: this is not text."
        )


def _check_runs(data: bytes, offset: int) -> None:
    """Hop from separator to separator, each the last one that a run of the allowed length can reach."""
    position = 0
    while len(data) - position > MAX_RUN_BYTES:
        reach = data[position : position + MAX_RUN_BYTES + 1].rstrip(RUN_BYTES)
        if not reach:
            _check_run_bytes(MAX_RUN_BYTES + 1, offset + position)
        position += len(reach)
