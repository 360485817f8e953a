"""The records that a block owns of the objects that it touches, plain or compressed. It owns whole records
only.

The end of an object ends a record. Of a plain object a block owns the records whose first byte lies in it. A
gzip, xz or zstd object is one record. Of a bzip2 object a block owns bzip2's own blocks that begin in it. The
texts of all of these, put end to end, are one text, and the block owns the records whose first byte lies in
the texts of its own.

Where a block of bzip2 begins is certain only after unpacking everything before it. A block of the run trusts
the beginnings that it finds if they unpack, and reports to the byte where its own and its records begin and
end. The first block begins with the object; from there, ``check_chain`` proves that no beginning was false.
"""

import math
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, pairwise

from lambda_src.errors import (
    BAD_OBJECT,
    BadObjects,
    BlockTooSlow,
    ConservationBroken,
    CredentialsRefused,
)
from lambda_src.input.addresses import Piece, Placed
from lambda_src.input.bzip2 import Bzip2, crc_after, enter
from lambda_src.input.compression import RESERVE_S, STEP_BYTES, Archive
from lambda_src.input.compression import WINDOW_BYTES as HEAD_BYTES
from lambda_src.input.formats import (
    LOOK_BYTES,
    Compression,
    Format,
    Readable,
    check_unpacked,
    detect_format,
    no_end,
)
from lambda_src.job import Crcs, Feed, Owned, Place, Span
from lambda_src.records import Rule, Text, feed_records

Read = Callable[[Placed, int, int], Iterable[bytes]]
"""``read(object, start, end)``: bytes ``[start, end)`` of a pinned object, in chunks, as they arrive."""

WINDOW_BYTES = 256 << 20
"""Most bytes read at once of a plain object: S3's client gives a GET 30 s."""

OVER_READ_BYTES = 1 << 10
"""Bytes of the first read past a block's end; doubled until the last record ends."""

JOIN_BYTES = 64 << 10
"""Texts of small streams or blocks are joined up to this size: work per chunk is then not work per stream."""

MOST_BAD = 2000
"""Most bad objects that a block names at once: its answer must fit into a payload of 6 MB."""

LOOK_S = 60.0
"""Seconds left below which a block stops looking for bad objects: a good one would seem to take too long."""

PACE_BYTES = 1 << 20
"""After so much, it is known how long the rest takes: the first calls of a job take longer."""

PIN_BYTES = 16 << 10
"""Size of the first read of an object: enough to start unpacking gzip and xz."""


def check_chain(owned: Iterable[Owned], size: int, unit: str = "bytes") -> None:
    """Raise ConservationBroken unless the ranges that the blocks owned, in block order, run from 0 to
    ``size`` with no gap and no overlap, in units and in texts. ``unit`` names the units in messages."""
    reached, overrun, crc = 0, 0, 0
    for number, span in enumerate(owned):
        if span.start == span.end:
            continue
        if span.start != reached or span.end < span.start:
            fault = "overlaps" if span.start < reached else "leaves a gap after"
            raise ConservationBroken(
                f"Block {number} owned {unit} {span.start} to {span.end}, which {fault} "
                f"{unit.removesuffix('s')} {reached}, "
                "where the block before it ended."
            )
        if span.skipped != overrun:
            raise ConservationBroken(
                f"Block {number} left {span.skipped} bytes of the text from byte {span.start} on to the "
                f"block before it, which took {overrun}."
            )
        if span.crcs:
            if span.crcs.before not in (None, crc):
                raise ConservationBroken(
                    f"The first bzip2 stream that ends in block {number}, which owned {unit} {span.start} to "
                    f"{span.end}, is damaged: its checksum is not that of the blocks in it. Upload it again."
                )
            crc = crc_after(crc, span.crcs)
        reached, overrun = span.end, span.overrun
    if reached != size or overrun:
        more = f", and {overrun} bytes of text beyond" if overrun else ""
        raise ConservationBroken(f"The blocks owned {reached} of {size} {unit}{more}.")


def first_read(piece: Piece) -> Span | None:
    """The bytes that ``feed_block`` reads first of a piece, to look at them, unless it is known to be plain
    or does not begin with its object. They can be read ahead, for many pieces at once."""
    if piece.start or piece.object.format == "plain":
        return None
    end = max(min(piece.end + OVER_READ_BYTES, HEAD_BYTES), LOOK_BYTES)
    return Span(0, min(end, piece.object.bytes))


def feed_block(
    pieces: Sequence[Piece],
    read: Read,
    rule: Rule,
    feed: Feed,
    remaining_s: Callable[[], float] = no_end,
    *,
    left_out: Collection[int] = (),
    skip_bad: bool = False,
) -> Owned:
    """Feed the records that the block of ``pieces``, at least one, owns, in order, in chunks that cut none,
    each with its place. Of the objects at the addresses ``left_out`` it owns its pieces, and reads nothing.

    ``read`` is called by another thread, too; ``remaining_s`` tells how much time is left.

    Raises ArchiveDamaged, ArchiveTooLarge, SourceNotText (a record that is too long, an object that is not
    text, zstd that cannot be unpacked), BlockTooSlow, ConservationBroken (a rule that contradicts itself),
    and what ``read`` and ``feed`` raise. With ``skip_bad``, looks for bad objects in the whole block, as far
    as time allows, and names all of them at once: BadObjects.
    """
    owned: list[Owned] = []
    bad: list[tuple[int, str]] = []
    in_time, ignored = _InTime(feed, remaining_s).feed, _InTime(_ignore, remaining_s).feed
    for piece in pieces:
        address = piece.object.address
        span = Owned(piece.start, piece.end)
        if address not in left_out:
            try:
                span = _feed_piece(piece, read, rule, ignored if bad else in_time, remaining_s)
            except BAD_OBJECT as error:
                if not skip_bad or isinstance(error, CredentialsRefused):
                    raise
                bad.append((address, str(error)))
                if len(bad) == MOST_BAD or remaining_s() < LOOK_S:
                    break
        owned.append(span._replace(start=address + span.start, end=address + span.end))
    if bad:
        raise BadObjects(bad)
    for before, after in pairwise(owned):
        if (before.end, before.overrun) != (after.start, after.skipped):
            raise ConservationBroken(
                f"Within a block, one object was read up to byte {before.end} and the next one from byte "
                f"{after.start} on."
            )
    return Owned(owned[0].start, owned[-1].end, owned[0].skipped, owned[-1].overrun, _crcs_of(owned))


def _crcs_of(owned: Sequence[Owned]) -> Crcs | None:
    """Those of pieces end to end. At the end of an object no stream goes on, so only the first piece can end
    a stream that began before, and only the last one can begin a stream that goes on."""
    first, last = owned[0].crcs, owned[-1].crcs
    if len(owned) == 1 or not (first or last):
        return first
    return Crcs(first.before if first else None, *(last[1:] if last else (0, 0)))


class _InTime:
    """Feeds chunks as long as there is time. A long record is one chunk: it is not begun if, at the pace of
    those before, it would take longer than is left, because nothing can stop it then."""

    def __init__(self, feed: Feed, remaining_s: Callable[[], float]) -> None:
        self._feed, self._remaining_s = feed, remaining_s
        self._fed_bytes, self._fed_s = 0, 0.0

    def feed(self, chunk: bytes, at: Place) -> None:
        """As ``Feed``. Raises BlockTooSlow."""
        left_s, needed_s = self._remaining_s(), 0.0
        if self._fed_bytes >= PACE_BYTES:
            needed_s = len(chunk) * self._fed_s / self._fed_bytes
        if left_s < RESERVE_S + needed_s:
            raise BlockTooSlow(
                f"To read this block takes longer than a function may run: its time was up at {at.name()}."
            )
        self._feed(chunk, at)
        if left_s < math.inf:
            self._fed_bytes += len(chunk)
            self._fed_s += left_s - self._remaining_s()


def _ignore(_chunk: bytes, _at: Place) -> None:
    """A ``feed`` for a block that will be read again."""


def _feed_piece(
    piece: Piece,
    read: Read,
    rule: Rule,
    feed: Feed,
    remaining_s: Callable[[], float],
) -> Owned:
    """Like ``feed_block``, in bytes of the piece's own object."""

    def read_object(start: int, end: int) -> Iterable[bytes]:
        return read(piece.object, start, end)

    source = Readable(piece.object.key, piece.object.bytes, read_object, remaining_s)
    first = first_read(piece)
    head = source.read(*first) if first else b""
    compression = piece.object.format
    if not compression:
        compression = detect_format(source, head or source.read(0, min(LOOK_BYTES, source.bytes)))
    if compression == "plain":
        return _feed_plain(source, Span(piece.start, piece.end), head, rule, feed)
    if compression == "bzip2":
        return _feed_blocks(source, Span(piece.start, piece.end), head, rule, feed)
    if piece.start:
        return Owned(source.bytes, source.bytes)
    archive = Archive(source, compression, 0, head)
    return _feed_archive(archive, source.bytes, b"", rule, feed)


def _feed_plain(source: Readable, piece: Span, head: bytes, rule: Rule, feed: Feed) -> Owned:
    """Feed the records that a block owns of a plain object; ``head`` has its first bytes if they were read
    already."""
    begin = max(piece.start - rule.around_bytes, 0)
    with closing(_chunks(source, begin + len(head), piece.end)) as chunks:
        while len(head) < piece.start - begin:
            head += next(chunks)
        coming, rest = chain(_sliced(head[piece.start - begin :]), chunks), b""

        def own() -> Iterator[bytes]:
            nonlocal rest
            left = piece.end - piece.start
            for chunk in coming:
                rest = chunk[left:]
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return

        def beyond() -> Iterator[bytes]:
            yield rest
            yield from coming

        def where(offset: int) -> str:
            return Place(source.name, piece.start + offset).name()

        def feed_at(chunk: bytes, offset: int) -> None:
            feed(chunk, Place(source.name, piece.start + offset))

        fed = feed_records(rule, Text(head[: piece.start - begin], own(), beyond(), where), feed_at)
    return Owned(piece.start + fed.skipped, piece.end + fed.overrun)


def _sliced(head: bytes) -> Iterator[bytes]:
    """``head`` in chunks that fit into the processor's cache, as others come."""
    for start in range(0, len(head), STEP_BYTES):
        yield head[start : start + STEP_BYTES]


def _chunks(source: Readable, position: int, block_end: int) -> Generator[bytes]:
    """The object from ``position`` on: in even windows up to the block's end, then in growing steps."""
    end = max(min(block_end + OVER_READ_BYTES, source.bytes), position)
    for window in _even(position, end):
        yield from source.chunks(*window)
    step = OVER_READ_BYTES
    while end < source.bytes:
        step = min(2 * step, HEAD_BYTES)
        yield from source.chunks(end, min(end + step, source.bytes))
        end += step


def _even(start: int, end: int) -> list[Span]:
    """``[start, end)`` as the fewest spans of at most ``WINDOW_BYTES``, of about the same length."""
    count = -(-(end - start) // WINDOW_BYTES)
    cuts = [start + (end - start) * number // count for number in range(count)]
    return [Span(*pair) for pair in pairwise([*cuts, end])]


def _feed_blocks(source: Readable, piece: Span, head: bytes, rule: Rule, feed: Feed) -> Owned:
    """Feed the records that a block owns of a bzip2 object; ``head`` are its first bytes if they were read
    already."""
    archive, behind = Bzip2(source, 0, head), b""
    if piece.start:
        entered = enter(source, piece, rule.around_bytes)
        if entered is None:
            return Owned(piece.end, piece.end)
        archive, behind = entered
    return _feed_archive(archive, piece.end, behind, rule, feed)


def _feed_archive(archive: Archive, end: int, behind: bytes, rule: Rule, feed: Feed) -> Owned:
    """Feed the records of the units of ``archive`` that begin before byte ``end``, from where it is on;
    ``behind`` are the last bytes of the text before."""
    start = archive.position
    owned = Owned(start, start)

    def own() -> Iterator[bytes]:
        nonlocal owned
        while not archive.at_end() and archive.position < end:
            yield from archive.unit()
        owned = Owned(start, archive.position, crcs=archive.crcs)

    def where(offset: int) -> str:
        return f"byte {offset} of the text of {archive.name} that is unpacked from byte {start} on"

    def feed_at(chunk: bytes, offset: int) -> None:
        feed(chunk, Place(archive.name, offset, start))

    texts = own() if start else _checked(own(), archive.name, archive.compression)
    fed = feed_records(rule, Text(behind, _joined(texts), _joined(archive.rest()), where), feed_at)
    return owned._replace(skipped=fed.skipped, overrun=fed.overrun)


def open_archive(source: Readable, compression: Compression, head: bytes = b"") -> Archive:
    """A compressed object, whose first bytes are ``head``."""
    return Bzip2(source, 0, head) if compression == "bzip2" else Archive(source, compression, 0, head)


def _checked(texts: Iterator[bytes], name: str, compression: Compression) -> Iterator[bytes]:
    """``texts``, after a check of their beginning. Raises SourceNotText."""
    beginning = b""
    for text in texts:
        beginning += text
        if len(beginning) >= LOOK_BYTES:
            break
    check_unpacked(name, compression, beginning[:LOOK_BYTES])
    yield beginning
    yield from texts


def format_of(stored: Readable, head: bytes) -> Format:
    """The format of an object, whose first ``PIN_BYTES`` are ``head``; where those tell, also whether it
    unpacks to text. Raises SourceNotText, ArchiveDamaged, ArchiveTooLarge."""
    found = detect_format(stored, head)
    # Other formats are checked by the block that reads them.
    if found in ("gzip", "xz") or (found != "plain" and stored.bytes <= PIN_BYTES):
        _check_beginning(stored, found, head)
    return found


def _check_beginning(source: Readable, compression: Compression, head: bytes) -> None:
    """Look at the beginning of the text of a compressed object, whose first bytes are ``head``. Raises
    SourceNotText, ArchiveDamaged, ArchiveTooLarge."""
    next(_checked(open_archive(source, compression, head).rest(), source.name, compression))


def _joined(texts: Iterator[bytes]) -> Iterator[bytes]:
    """``texts`` in chunks of at least ``JOIN_BYTES``, but for the last one."""
    small: list[bytes] = []
    size = 0
    for text in texts:
        small.append(text)
        size += len(text)
        if size >= JOIN_BYTES:
            yield b"".join(small)
            small.clear()
            size = 0
    if small:
        yield b"".join(small)
