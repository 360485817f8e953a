"""Records of a text, and which of them a block owns.

A *cut* is a place between two bytes where a text may be cut without cutting a record; its beginning and its
end are cuts. A block whose text is ``[start, end)`` owns what lies between the first cut at or after
``start`` and the first cut at or after ``end``: the records whose first byte lies in it. Neighbours agree,
because both look at the same bytes around the same place.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lambda_src.errors import SourceNotText


class Rule(NamedTuple):
    """Where a text may be cut, decided by at most ``around_bytes`` on either side of a place.

    ``first_cut(data, at, is_all)`` returns the first cut at or after ``at`` > 0, or None if that depends on
    more data; with ``is_all``, the text ends with ``data``. ``last_cut(data)`` returns the last cut, or 0 if
    there is none or it depends on more data. ``data`` begin at a cut, or at least ``around_bytes`` before
    ``at``. ``what`` names a record in errors. A record of more than ``longest_bytes`` is refused, to bound
    memory.
    """

    what: str
    longest_bytes: int
    around_bytes: int
    first_cut: Callable[[bytes, int, bool], int | None]
    last_cut: Callable[[bytes], int]


def delimited(what: str, separators: bytes, longest_bytes: int) -> Rule:
    """Records that end with one of the bytes ``separators``, or with the text.

    >>> line = delimited("line", b"\\n", 1 << 20)
    >>> line.first_cut(b"one\\ntwo", 4, False), line.last_cut(b"one\\ntwo")
    (4, 4)
    >>> line.first_cut(b"two", 1, False), line.first_cut(b"two", 1, True)
    (None, 3)
    """
    separator = re.compile(b"[" + re.escape(separators) + b"]")
    others = bytes(byte for byte in range(256) if byte not in separators)

    def first_cut(data: bytes, at: int, is_all: bool) -> int | None:
        found = separator.search(data, at - 1)
        return found.end() if found else len(data) if is_all else None

    def last_cut(data: bytes) -> int:
        return len(data.rstrip(others))

    return Rule(what, longest_bytes, 1, first_cut, last_cut)


LINES = delimited("line", b"\n", longest_bytes=1 << 20)
"""Lines of text, whose last one may lack its newline."""


def lines_of(text: bytes) -> list[str]:
    """The lines of ``text`` without their ends. Bytes that are not UTF-8 are replacement characters.

    >>> lines_of(b"one\\r\\n\\ntwo"), lines_of(b"one\\n"), lines_of(b"")
    (['one', '', 'two'], ['one'], [])
    """
    lines = text.decode(errors="replace").replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def offset_of_line(text: bytes, number: int) -> int:
    """Where line ``number`` of ``text`` begins, counted from 0.

    >>> [offset_of_line(b"one\\n\\ntwo", number) for number in range(3)]
    [0, 4, 5]
    """
    return sum(len(line) + 1 for line in text.split(b"\n", number)[:number])


class Text(NamedTuple):
    """A block's ``own`` text, in chunks. ``behind`` are the ``around_bytes`` before it, or fewer at the
    beginning of the text; ``beyond`` is what follows it, read only as far as needed. ``place(offset)`` says
    in errors where a byte of it lies."""

    behind: bytes
    own: Iterator[bytes]
    beyond: Iterator[bytes]
    place: Callable[[int], str]


class Fed(NamedTuple):
    """The difference between what was fed and the block's own text: its first ``skipped`` bytes belong to a
    record of an earlier block, and the ``overrun`` bytes after it to its own last record."""

    skipped: int
    overrun: int


def feed_records(rule: Rule, text: Text, feed: Callable[[bytes, int], None]) -> Fed:
    """Feed the records whose first byte lies in the block's own text, in order, in chunks that cut none, each
    with its offset from where that text begins.

    Raises SourceNotText for a record that is too long.
    """
    reader = _Reader(rule, text)
    owned_from = reader.cut_from(0)
    reader.drop_to(owned_from)
    while reader.end is None:
        reader.feed_to(reader.base + rule.last_cut(reader.pending), feed)
        reader.read_on()
    owned_to = reader.cut_from(max(reader.end, owned_from))
    reader.feed_to(owned_to, feed)
    return Fed(owned_from, owned_to - reader.end)


class _Reader:
    """Reads a text on demand. Its offset 0 is where the block's own text begins, ``end`` where that ends
    (None until it is known). ``pending`` is what was read and not dropped yet, from offset ``base`` on."""

    def __init__(self, rule: Rule, text: Text) -> None:
        self.pending = text.behind
        self.base = -len(text.behind)
        self.end: int | None = None
        self._rule = rule
        self._text = text
        self._is_all = False
        self._at_cut = False  # whether ``pending`` is known to begin with a record

    def read_on(self) -> None:
        """Read one more chunk, or note where the block's own text or all text ends.

        Within the own text, read chunks that are together as long as what is pending, so that a long record
        is not copied and searched once per chunk.
        """
        if len(self.pending) > self._rule.longest_bytes + 2 * self._rule.around_bytes:
            raise self._too_long(self.base)  # a caller that has found a cut does not read on
        wanted = 1 if self.end is not None else len(self.pending)
        chunks = [self.pending]
        for chunk in self._text.own if self.end is None else self._text.beyond:
            chunks.append(chunk)
            wanted -= len(chunk)
            if wanted <= 0:
                break
        if len(chunks) > 1:
            self.pending = b"".join(chunks)
        elif self.end is None:
            self.end = self.base + len(self.pending)
        else:
            self._is_all = True

    def cut_from(self, offset: int) -> int:
        """The first cut at or after ``offset``."""
        if offset == self.base:  # the beginning of the text, or a known cut
            return offset
        while (cut := self._rule.first_cut(self.pending, offset - self.base, self._is_all)) is None:
            self.read_on()
        return self.base + cut

    def drop_to(self, offset: int) -> None:
        """Forget what is before ``offset``, a cut."""
        self.pending = self.pending[offset - self.base :]
        self.base = offset
        self._at_cut = True

    def feed_to(self, offset: int, feed: Callable[[bytes, int], None]) -> None:
        """Feed what is before ``offset``, a cut, after checking that no record in it is too long."""
        data = self.pending[: offset - self.base]
        if not data:
            return
        longest_bytes, position = self._rule.longest_bytes, 0
        while len(data) - position > longest_bytes:  # hop as far as a record of the allowed length can reach
            hop_bytes = self._rule.last_cut(data[position : position + longest_bytes])
            if hop_bytes == 0:
                cut = self._rule.first_cut(self.pending, position + 1, self._is_all) or len(data)
                hop_bytes = cut - position
                if hop_bytes > longest_bytes:
                    raise self._too_long(self.base + position)
            position += hop_bytes
        feed(data, self.base)
        self.drop_to(offset)

    def _too_long(self, offset: int) -> SourceNotText:
        where = "at" if self._at_cut else "that goes on at"
        return SourceNotText(
            f"The {self._rule.what} {where} {self._text.place(offset)} is longer than "
            f"{self._rule.longest_bytes:,} bytes: this is not text that can be read record by record."
        )
