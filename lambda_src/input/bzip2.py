"""bzip2, unpacked block by block, from any of its blocks on.

A stream is a header, blocks, and an end. Each block begins with a magic number of 48 bits, at any bit, and
its own CRC. No length is stored: to know where a block ends, one must unpack it. So where a block begins is
certain only after unpacking all blocks before it. What looks like a beginning may be part of another block's
data, by chance or on purpose.

A block is unpacked by itself: its bits are moved to the border of a byte, and put behind a header. The
decompressor gets them up to the next magic number. If it has no text by then, that number was data. If it
has, the block ends there, and nowhere else: the decompressor gives no text before it has the whole block, and
then checks the magic number behind it. So for a given beginning, text and end are always the same.
"""

import bz2
import re
from collections.abc import Iterator
from functools import cache

from lambda_src.errors import ArchiveDamaged
from lambda_src.input import compression
from lambda_src.input.compression import Archive
from lambda_src.input.formats import Readable
from lambda_src.job import Crcs, Span

_BLOCK, _END = 0x314159265359, 0x177245385090
_MAGIC_BYTES = 6
_MAGIC_MASK = (1 << 48) - 1

_HEADER = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
"""Of a stream, and the magic number behind it."""
_HEADER_BYTES = 4
_LEVEL_9 = b"BZh9"
"""The header of the largest blocks. All blocks are unpacked with it: in the middle of a stream, its
level is unknown, and the answer must not depend on where the blocks of a run begin."""

_MIDDLES = {
    (magic << 8 - shift).to_bytes(7)[1:6]: (magic, shift) for magic in (_BLOCK, _END) for shift in range(8)
}
"""The five bytes behind the one in which a magic number begins, at its bit ``shift``. None of them begins as
another one ends, so a search finds all of them."""


@cache
def _middle() -> re.Pattern[bytes]:
    """Compiled when it is needed: 0.2 ms of a cold start."""
    return re.compile(b"|".join(map(re.escape, _MIDDLES)))


FALSE_BEGINNINGS = 3
"""Number of false beginnings of blocks in a row that are tolerated."""


class Bzip2(Archive):
    """A bzip2 object, unpacked block by block. Its first block begins at byte 0, the first block of any other
    stream with the header of that stream. Streams without a block belong to the block before them, if there
    is one.
    """

    def __init__(
        self, source: Readable, position: int = 0, ahead: bytes = b"", magic: int | None = None
    ) -> None:
        """``position`` is 0, or that of the block whose magic number begins at the bit ``magic``."""
        super().__init__(source, "bzip2", position, ahead)
        self._begin = position
        self._magic = magic  # None where a stream begins
        self.crcs: Crcs = Crcs(None, 0, 0)
        self._all_crcs = magic is None  # whether they are those of the stream from its beginning on

    def unit(self) -> Iterator[bytes]:
        """The text of the block that begins here; then ``position`` is where the next one does."""
        self._begin = self.position
        while self._magic is None and not self.at_end():
            self._begin_stream()
        if self._magic is None:
            return
        yield from self._block(self._magic)
        while self._magic is None and not self.at_end() and self._is_empty_stream():
            self._begin_stream()

    def forget_crcs(self) -> None:
        """Begin the CRCs here."""
        self.crcs, self._all_crcs = Crcs(None, 0, 0), self._magic is None

    def _is_empty_stream(self) -> bool:
        """Whether a stream without a block begins here. Raises ArchiveDamaged if none begins here."""
        beginning = self._peek(_HEADER_BYTES + _MAGIC_BYTES)
        if not _HEADER.match(beginning):
            raise self._no_stream()
        return int.from_bytes(beginning[_HEADER_BYTES:]) == _END

    def _begin_stream(self) -> None:
        """Go to the first magic number of the stream that begins here, or behind a stream without a block."""
        is_empty = self._is_empty_stream()
        self._skip(_HEADER_BYTES)
        if is_empty:
            self._end_stream(8 * self.position)
        else:
            self._magic = 8 * self.position

    def _block(self, begin: int) -> Iterator[bytes]:
        """The text of the block whose magic number begins at the bit ``begin``. Then the next one is known,
        or the stream has ended."""
        decoder = bz2.BZ2Decompressor()
        decoder.decompress(_LEVEL_9)
        fed = 0
        for end, magic in self._ends(begin):
            to = max(-(-(end - begin) // 8), fed)
            text = self._decompress(decoder, self._aligned(begin, fed, to), to)
            fed = to
            if not text:
                continue
            if magic is None:
                break
            yield text
            # Now it wants the next magic number, and takes it when it has given all text.
            data = self._aligned(begin, fed, fed + _MAGIC_BYTES)
            while data or not decoder.needs_input:
                if text := self._decompress(decoder, data, to):
                    yield text
                data = b""
            crc = int.from_bytes(self._aligned(begin, _MAGIC_BYTES, _MAGIC_BYTES + 4))
            before, turns, after = self.crcs
            self.crcs = Crcs(before, (turns + 1) % 32, turned(after, 1) ^ crc)
            self._skip(end // 8 - self.position)
            self._magic = end
            if magic == _END:
                self._end_stream(end)
            return
        if end < 8 * self._source.bytes:
            raise self._damaged("what follows it is neither a block nor an end")
        raise self._cut()

    def _decompress(self, decoder: bz2.BZ2Decompressor, data: bytes, read_bytes: int) -> bytes:
        try:
            text = decoder.decompress(data, compression.CHUNK_BYTES)
        except OSError as error:
            raise self._damaged(str(error)) from error
        self._check_bounds(len(text), read_bytes)
        return text

    def _ends(self, begin: int) -> Iterator[tuple[int, int | None]]:
        """Where the block that begins at the bit ``begin`` may end: the bits at which there are magic
        numbers, in order. A bit without one tells that there is no other before it."""
        searched = begin // 8 + 1
        while True:
            data, base = self._ahead, self.position - self._used
            is_all = base + len(data) == self._source.bytes
            to = base + len(data) - (0 if is_all else _MAGIC_BYTES)
            for bit, magic in magics(data, searched - base, to - base):
                yield 8 * base + bit, magic
            if is_all:
                yield 8 * self._source.bytes, None
                return
            if to > searched:
                searched = to
                yield 8 * (to - 1), None
            self._fill(len(self._ahead) - self._used + 1)

    def _aligned(self, begin: int, start: int, end: int) -> bytes:
        """Bytes ``[start, end)`` of the object's bits from ``begin`` on. Behind the object, there are
        zeros."""
        shift, size = begin % 8, end - start
        at = self._used + begin // 8 - self.position + start
        data = self._ahead[at : at + size + 1].ljust(size + 1, b"\0")
        if not shift:
            return data[:size]
        return (int.from_bytes(data) >> 8 - shift & (1 << 8 * size) - 1).to_bytes(size)

    def _end_stream(self, end: int) -> None:
        """Check the CRC of the stream whose end is at the bit ``end``, and go behind it and its padding."""
        self._skip(_MAGIC_BYTES)
        size = 4 if end % 8 == 0 else 5
        if len(self._peek(size)) < size:
            raise self._cut()
        crc = int.from_bytes(self._aligned(8 * self.position + end % 8, 0, 4))
        self._skip(size)
        before, turns, after = self.crcs
        if not self._all_crcs:
            before = turned(crc ^ after, -turns)
        elif crc != after:
            raise self._damaged("the checksum of its stream is not that of the blocks in it")
        self.crcs, self._all_crcs, self._magic = Crcs(before, 0, 0), True, None
        self._skip_padding()

    def _damaged(self, why: str) -> ArchiveDamaged:
        return ArchiveDamaged(
            f"Damaged: the bzip2 block of {self._source.name} from byte {self._begin} does not unpack "
            f"({why}). Upload it again."
        )

    def _cut(self) -> ArchiveDamaged:
        return ArchiveDamaged(
            f"{self._source.name} is cut: its bzip2 block from byte {self._begin} has not ended at byte "
            f"{self._source.bytes}, where the object ends. Upload it again."
        )


def magics(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The magic numbers that begin in bytes ``[start, end)`` of ``data``, each with the bit at which it does.
    One that ``data`` cut is not found."""
    for found in _middle().finditer(data, start + 1, end + 5):
        magic, shift = _MIDDLES[found[0]]
        first = found.start() - 1
        if int.from_bytes(data[first : first + 7].ljust(7, b"\0")) >> 8 - shift & _MAGIC_MASK == magic:
            yield 8 * first + shift, magic


def beginnings(data: bytes, start: int, end: int) -> Iterator[int]:
    """The bits at which blocks seem to begin, in bytes ``[start, end)`` of ``data``."""
    return (bit for bit, magic in magics(data, start, end) if magic == _BLOCK)


def enter(source: Readable, piece: Span, behind_bytes: int) -> tuple[Bzip2, bytes] | None:
    """A bzip2 object from the first block on that begins in ``piece``, and the last bytes of the text before
    it; None if no block begins there.

    To find the first one, unpack from the last beginning before the piece, whose end is needed anyway. A
    beginning that does not unpack may be a false one: then try the one before it.
    """
    at = max(piece.start - compression.STEP_BYTES, 0)
    head = source.read(
        at, min(piece.start + compression.WINDOW_BYTES, piece.end + compression.STEP_BYTES, source.bytes)
    )
    if not _any_beginning(source, piece, at, head):
        return None
    damaged = 0
    for magic in _beginnings_before(source, piece.start, at, head):
        position = (magic or 0) // 8
        archive = Bzip2(source, position, head[position - at :] if position >= at else b"", magic)
        behind = b""
        try:
            while archive.position < piece.start:
                for text in archive.unit():
                    behind = (behind + text[-behind_bytes:])[-behind_bytes:]
        except ArchiveDamaged:
            damaged += 1
            if magic is None or damaged > FALSE_BEGINNINGS:
                raise
            continue
        if len(behind) == behind_bytes or magic is None:
            archive.forget_crcs()
            return archive, behind  # after the piece, if the beginning in it was false
    raise AssertionError("an object begins")


def _any_beginning(source: Readable, piece: Span, at: int, data: bytes) -> bool:
    """Whether a bzip2 block seems to begin in ``piece``; ``data``, from ``at`` on, were read already."""
    last = piece.end + _HEADER_BYTES  # a stream may begin in the piece, and its first magic number behind it
    needed = min(last + _MAGIC_BYTES, source.bytes)
    while True:
        for _ in beginnings(data, max(piece.start - at, 0), last - at):
            return True
        read_to = at + len(data)
        if read_to >= needed:
            return False
        at = max(read_to - _MAGIC_BYTES, at)
        data = source.read(at, min(read_to + compression.WINDOW_BYTES, needed))


def _beginnings_before(source: Readable, position: int, at: int, data: bytes) -> Iterator[int | None]:
    """The bits at which bzip2 blocks seem to begin before the byte ``position``, from the last one back to
    the beginning of the object, which is None; ``data``, from ``at`` on, were read already."""
    step = compression.STEP_BYTES
    while True:
        yield from reversed([8 * at + bit for bit in beginnings(data, 0, position - at)])
        if not at:
            break
        step = min(2 * step, compression.WINDOW_BYTES)
        position, at = at, max(at - step, 0)
        data = source.read(at, min(position + _MAGIC_BYTES, source.bytes))
    yield None


def turned(crc: int, bits: int) -> int:
    """``crc`` rotated to the left, as bzip2 does before it adds the CRC of another block."""
    bits %= 32
    return (crc << bits | crc >> 32 - bits) & 0xFFFFFFFF


def crc_after(crc: int, crcs: Crcs) -> int:
    """The CRC of a stream behind some of its blocks, where it is ``crc`` before them."""
    return crcs.after if crcs.before is not None else turned(crc, crcs.turns) ^ crcs.after
