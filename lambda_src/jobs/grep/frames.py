"""What a block keeps of its lines: frames in the order of the text. ``fanfold grep`` reads them.

A block has a frame for the beginning and the end of each object that it read, and between them frames of
whole lines: those that were selected, and those around them that may be their context. Context can reach
across the borders of blocks, so a block keeps its first and last lines, too. Who reads all blocks in order
knows which of them are wanted.

Selected lines with others between them are one frame, with the gap before each: where every third line is
selected, a frame for each run of them would take longer to write and to read than the lines themselves.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from lambda_src.errors import BlobDamaged
from lambda_src.jobs.grep.pattern import lines_in

PIECE_BYTES = 16 << 20
"""About as much is stored at once."""

FRAME_BYTES = 1 << 20
"""A frame of lines ends with the line that reaches this."""

MOST_GAP = (1 << 32) - 1
"""Most bytes between two lines of a frame."""

HELD_BYTES = 64 << 20
"""Most bytes of lines that are held back because they may become context."""

DAMAGED = "The lines that a block kept are damaged: start a new run."

_HEAD = struct.Struct("<cQQ")
_COUNT = struct.Struct("<I")
BEGIN, SELECTED, APART, CONTEXT, END = b"B", b"S", b"A", b"C", b"E"


class Begin(NamedTuple):
    """The block's lines of the object ``key`` begin, at byte ``offset``, which may count from the block's own
    first text of bzip2."""

    key: str
    offset: int


class Lines(NamedTuple):
    """Whole lines from ``offset`` on, ``selected`` or not. Only an object's last one may lack its newline.
    ``gaps`` are the bytes left out before each of them; without any, they follow each other."""

    offset: int
    text: bytes
    selected: bool
    gaps: Sequence[int] = ()


class End(NamedTuple):
    """The block's lines of an object end before ``offset``; ``selected`` of them were selected, even if not
    all of these are kept."""

    offset: int
    selected: int


Frame = Begin | Lines | End


class Writer:
    """Writes frames, and hands them to ``store`` in pieces. Selected lines, and others that follow each
    other, become one frame of about ``FRAME_BYTES``, in whatever portions they come: a block that is mapped
    again stores the same."""

    def __init__(self, store: Callable[[bytes], None]) -> None:
        self._store = store
        self._piece: list[bytes] = []
        self._piece_bytes = 0
        self._kind = b""
        self._lines: list[bytes] = []  # of the frame that is not complete yet, with their gaps if selected
        self._gaps: list[int] = []
        self._from = self._to = self._size = 0

    def begin(self, key: str, offset: int) -> None:
        """An object begins."""
        name = key.encode()
        self._add(_HEAD.pack(BEGIN, offset, len(name)), name)

    def lines(self, offset: int, text: bytes, *, selected: bool) -> None:
        """Lines, if there are any."""
        if not text:  # which must not end a frame: where chunks end there may be none
            return
        if selected:
            self.selected(offset, text, [(0, len(text), lines_in(text, 0, len(text)))])
            return
        if (CONTEXT, offset) != (self._kind, self._to):
            self._begin_frame(CONTEXT, offset)
        self._take([text], offset + len(text))

    def selected(self, offset: int, text: bytes, runs: Iterable[tuple[int, int, int]]) -> int:
        """The selected lines of a text, at ``runs``: where each begins and ends, and how many lines it has.
        Return how many these are."""
        taken: list[bytes] = []
        gaps = self._gaps
        count, first, last = 0, 0, -1
        for start, end, lines in runs:
            if last < 0:
                gap, first = offset + start - self._to, start
                if self._kind != SELECTED or gap > MOST_GAP:
                    self._begin_frame(SELECTED, offset + start)
                    gap = 0
            elif gap := start - last:
                taken.append(text[first:last])
                first = start
            gaps.append(gap)
            if lines > 1:
                gaps += [0] * (lines - 1)
            count += lines
            last = end
        if count:
            self._take([*taken, text[first:last]], offset + last)
        return count

    def end(self, offset: int, count: int) -> None:
        """An object ends."""
        self._begin_frame(b"", offset)
        self._add(_HEAD.pack(END, offset, count))

    def flush(self) -> None:
        """Hand over what is left."""
        if self._piece:
            self._store(b"".join(self._piece))
            self._piece.clear()
            self._piece_bytes = 0

    def _begin_frame(self, kind: bytes, offset: int) -> None:
        """End the frame so far, and begin another one."""
        if self._size:
            self._add_frame(b"".join(self._lines), len(self._gaps))
        self._kind, self._from, self._to = kind, offset, offset
        self._lines.clear()
        self._size = 0

    def _take(self, lines: list[bytes], to: int) -> None:
        """Add lines to the frame; they reach ``to``."""
        self._lines += lines
        self._size += sum(map(len, lines))
        self._to = to
        if self._size < FRAME_BYTES:
            return
        text = b"".join(self._lines)
        while len(text) >= FRAME_BYTES:
            end = text.find(b"\n", FRAME_BYTES - 1) + 1 or len(text)
            self._add_frame(text[:end], lines_in(text, 0, end) if self._gaps else 0)
            text = text[end:]
        self._lines, self._size = [text], len(text)

    def _add_frame(self, text: bytes, lines: int) -> None:
        """Write a frame of ``text``, the first lines of those that are not written yet; ``lines`` of them
        have gaps."""
        gaps, offset = self._gaps[:lines], self._from + self._gaps[0] if lines else self._from
        del self._gaps[:lines]
        self._from += len(text) + sum(gaps)
        if not any(gaps[1:]):
            self._add(_HEAD.pack(self._kind, offset, len(text)), text)
            return
        told = struct.pack(f"<{lines}I", 0, *gaps[1:])
        self._add(
            _HEAD.pack(APART, offset, _COUNT.size + len(told) + len(text)), _COUNT.pack(lines), told, text
        )

    def _add(self, *parts: bytes) -> None:
        self._piece += parts
        self._piece_bytes += sum(map(len, parts))
        if self._piece_bytes >= PIECE_BYTES:
            self.flush()


def frames(pieces: Iterable[bytes]) -> Iterator[Frame]:
    """The frames of a block, from its pieces. Raises BlobDamaged.

    >>> pieces = []
    >>> writer = Writer(pieces.append)
    >>> writer.begin("a.log", 5); writer.lines(7, b"one\\n", selected=True); writer.end(20, 1)
    >>> writer.flush()
    >>> begin, lines, end = frames(pieces)
    >>> begin, end
    (Begin(key='a.log', offset=5), End(offset=20, selected=1))
    >>> lines
    Lines(offset=7, text=b'one\\n', selected=True, gaps=())
    """
    rest = b""
    for piece in pieces:
        data, at = rest + piece if rest else piece, 0
        while at + _HEAD.size <= len(data):
            kind, offset, number = _HEAD.unpack_from(data, at)
            body = at + _HEAD.size
            if kind == END:
                yield End(offset, number)
                at = body
                continue
            if body + number > len(data):
                break
            at = body + number
            if kind == BEGIN:
                yield Begin(data[body:at].decode(), offset)
            elif kind in (SELECTED, CONTEXT):
                yield Lines(offset, data[body:at], kind == SELECTED)
            elif kind == APART:
                yield _apart(offset, data, body, at)
            else:
                raise BlobDamaged(DAMAGED)
        rest = data[at:]
    if rest:
        raise BlobDamaged("The lines that a block kept end too early: start a new run.")


def _apart(offset: int, data: bytes, start: int, end: int) -> Lines:
    if end - start >= _COUNT.size:
        (lines,) = _COUNT.unpack_from(data, start)
        begin = start + _COUNT.size * (1 + lines)
        if lines and begin < end and lines_in(data, begin, end) == lines:
            gaps = struct.unpack_from(f"<{lines}I", data, start + _COUNT.size)
            return Lines(offset, data[begin:end], True, gaps)
    raise BlobDamaged(DAMAGED)


def runs_of(offset: int, text: bytes, gaps: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """The lines of ``text`` that follow each other, each run with its offset, as ``Lines`` has them.

    >>> list(runs_of(5, b"a\\nb\\nc", [0, 0, 7]))
    [(5, b'a\\nb\\n'), (16, b'c')]
    """
    start = end = 0
    for gap in gaps:
        if gap and start < end:
            yield offset, text[start:end]
            offset += end - start
            start = end
        offset += gap
        end = text.find(b"\n", end) + 1 or len(text)
    yield offset, text[start:]
