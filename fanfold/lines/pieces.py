"""The pieces that the blocks of a run kept, read ahead in bounded memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from typing import NamedTuple

from lambda_src.errors import BlobDamaged
from lambda_src.input.addresses import Portion, addresses_of
from lambda_src.job import Span
from lambda_src.jobs.grep.frames import Frame, frames
from lambda_src.store.digests import digest_of
from lambda_src.store.keys import piece_key, variant
from lambda_src.wire.reports import BlockReport, Piece

READS_AT_ONCE = 32
"""Enough to hide S3's latency."""

AHEAD_BYTES = 64 << 20
"""Most bytes of pieces that are read ahead, unless a single one is larger."""

Get = Callable[[str], bytes]
"""Reads the object of a key, whole."""


class Placed(NamedTuple):
    """A piece of a block, and the key under which it is stored."""

    block: int
    key: str
    piece: Piece


def pieces_of(run_id: str, blocks: Sequence[BlockReport]) -> list[Placed]:
    """All pieces of a run, in order."""
    return [
        Placed(report.block, piece_key(run_id, report.block, number, variant(report.left_out)), piece)
        for report in blocks
        for number, piece in enumerate(report.pieces)
    ]


def keys_of(listing: bytes, blocks: Sequence[BlockReport]) -> Iterator[str]:
    """The keys of all objects in the ``listing`` of a run that were read, in order. Raises BlobDamaged."""
    left_out = {span.start for report in blocks for span in report.left_out}
    for one in addresses_of(Portion((), Span(0, len(listing))), lambda start, end: listing[start:end]):
        if not (one.bytes and one.address in left_out):
            yield one.key


def frames_by_block(pieces: Sequence[Placed], get: Get) -> Iterator[Iterator[Frame]]:
    """The frames of each block that kept any, in order. Raises BlobDamaged for a piece that is not as it was
    written, and what ``get`` raises."""
    with closing(_read(pieces, get)) as found:
        for _, of_block in groupby(found, key=lambda one: one[0].block):
            yield frames(data for _, data in of_block)


def _read(pieces: Sequence[Placed], get: Get) -> Generator[tuple[Placed, bytes]]:
    coming = deque(pieces)
    under_way: deque[tuple[Placed, Future[bytes]]] = deque()
    ahead = 0
    threads = ThreadPoolExecutor(READS_AT_ONCE)
    try:
        while coming or under_way:
            while coming and len(under_way) < READS_AT_ONCE:
                if under_way and ahead + coming[0].piece.size > AHEAD_BYTES:
                    break
                one = coming.popleft()
                ahead += one.piece.size
                under_way.append((one, threads.submit(_checked, one, get)))
            one, future = under_way.popleft()
            yield one, future.result()
            ahead -= one.piece.size
    finally:
        threads.shutdown(cancel_futures=True)


def _checked(one: Placed, get: Get) -> bytes:
    data = get(one.key)
    if digest_of(data) != one.piece.digest:
        raise BlobDamaged(f"{one.key} is not as the run wrote it: start a new run.")
    return data
