"""What a block keeps of its lines: frames in the order of the text. ``fanfold grep`` reads them.

A block has a frame for the beginning and the end of each object that it read, and between them frames of
whole lines: those that were selected, and those around them that may be their context. Context can reach
across the borders of blocks, so a block keeps its first and last lines, too. Who reads all blocks in order
knows which of them are wanted.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from lambda_src.errors import BlobDamaged

PIECE_BYTES = 16 << 20
"""About as much is stored at once."""

FRAME_BYTES = 1 << 20
"""A frame of lines ends with the line that reaches this."""

HELD_BYTES = 64 << 20
"""Most bytes of lines that are held back because they may become context."""

_HEAD = struct.Struct("<cQQ")
BEGIN, SELECTED, CONTEXT, END = b"B", b"S", b"C", b"E"


class Begin(NamedTuple):
    """The block's lines of the object ``key`` begin, at byte ``offset``, which may count from the block's own
    first text of bzip2."""

    key: str
    offset: int


class Lines(NamedTuple):
    """Whole lines from ``offset`` on, ``selected`` or not. Only an object's last one may lack its newline."""

    offset: int
    text: bytes
    selected: bool


class End(NamedTuple):
    """The block's lines of an object end before ``offset``; ``selected`` of them were selected, even if not
    all of these are kept."""

    offset: int
    selected: int


Frame = Begin | Lines | End


class Writer:
    """Writes frames, and hands them to ``store`` in pieces. Lines that follow each other become one frame of
    about ``FRAME_BYTES``, in whatever portions they come: a block that is mapped again stores the same."""

    def __init__(self, store: Callable[[bytes], None]) -> None:
        self._store = store
        self._piece: list[bytes] = []
        self._piece_bytes = 0
        self._kind = b""
        self._lines: list[bytes] = []
        self._from = self._to = 0

    def begin(self, key: str, offset: int) -> None:
        """An object begins."""
        name = key.encode()
        self._add(_HEAD.pack(BEGIN, offset, len(name)), name)

    def lines(self, offset: int, text: bytes, *, selected: bool) -> None:
        """Lines, if there are any."""
        if not text:  # which must not end a frame: where chunks end there may be none
            return
        kind = SELECTED if selected else CONTEXT
        if (kind, offset) != (self._kind, self._to):
            self._end_frame()
            self._kind, self._from, self._to = kind, offset, offset
        at = 0
        while self._to - self._from + len(text) - at >= FRAME_BYTES:
            least = at + FRAME_BYTES - (self._to - self._from)
            end = text.find(b"\n", least - 1) + 1 or len(text)
            self._lines.append(text[at:end])
            self._to += end - at
            self._end_frame()
            at = end
        if at < len(text):
            self._lines.append(text[at:])
            self._to += len(text) - at

    def end(self, offset: int, count: int) -> None:
        """An object ends."""
        self._end_frame()
        self._kind = b""
        self._add(_HEAD.pack(END, offset, count))

    def flush(self) -> None:
        """Hand over what is left."""
        if self._piece:
            self._store(b"".join(self._piece))
            self._piece.clear()
            self._piece_bytes = 0

    def _end_frame(self) -> None:
        if self._lines:
            self._add(_HEAD.pack(self._kind, self._from, self._to - self._from), *self._lines)
            self._lines = []
        self._from = self._to

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
    >>> list(frames(pieces))
    [Begin(key='a.log', offset=5), Lines(offset=7, text=b'one\\n', selected=True), End(offset=20, selected=1)]
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
            else:
                raise BlobDamaged("The lines that a block kept are damaged: start a new run.")
        rest = data[at:]
    if rest:
        raise BlobDamaged("The lines that a block kept end too early: start a new run.")
