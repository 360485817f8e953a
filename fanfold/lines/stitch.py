"""Puts together what the blocks of a run kept: the selected lines of each object in order, with their context
across the borders of blocks."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fanfold.errors import RunError
from lambda_src.errors import BlobDamaged
from lambda_src.jobs.grep.context import Latest, forward
from lambda_src.jobs.grep.frames import Begin, End, Frame, Lines, runs_of
from lambda_src.jobs.grep.pattern import lines_in

HELD_BYTES = 256 << 20
"""Most bytes of lines before a selected one."""


class Found(NamedTuple):
    """Whole lines of the object ``key``, from byte ``offset`` of its text on: ``lines`` of them, which were
    selected or are context. ``follows`` means that they follow the lines before without a gap; ``gaps`` are
    the bytes left out before each of them, if they do not follow each other."""

    key: str
    offset: int
    text: bytes
    lines: int
    selected: bool
    follows: bool
    gaps: Sequence[int] = ()


class Total(NamedTuple):
    """The object ``key`` ends; ``lines`` of it were selected, also where fewer are shown."""

    key: str
    lines: int


def with_all(found: Iterable[Found | Total], keys: Iterable[str]) -> Iterator[Found | Total]:
    """``found``, with a total for each of ``keys``, which are all objects in order: blocks keep nothing of
    those without text. Raises BlobDamaged.

    >>> list(with_all([Total("b", 2)], ["a", "b", "c"]))
    [Total(key='a', lines=0), Total(key='b', lines=2), Total(key='c', lines=0)]
    """
    coming = iter(keys)
    for one in found:
        if isinstance(one, Total):
            for key in coming:
                if key == one.key:
                    break
                yield Total(key, 0)
            else:
                raise BlobDamaged(f"A block kept lines of {one.key}, which is not listed: start a new run.")
        yield one
    for key in coming:
        yield Total(key, 0)


class Wanted(NamedTuple):
    """The lines before and after each selected one, and the most selected ones of an object."""

    before: int = 0
    after: int = 0
    most: int | None = None


def stitched(blocks: Iterable[Iterable[Frame]], wanted: Wanted) -> Iterator[Found | Total]:
    """What ``blocks``, in order, kept of all objects. Raises BlobDamaged, and RunError for lines before a
    selected one that take too much memory."""
    one: _Object | None = None
    for frames in blocks:
        for frame in frames:
            if isinstance(frame, Lines) and one:
                yield from one.lines(frame)
            elif isinstance(frame, Begin):
                if one is None or one.key != frame.key:
                    if one:
                        yield one.total()
                    one = _Object(frame.key, wanted)
                one.begin(frame.offset)
            elif one is None:
                raise BlobDamaged("The lines that a block kept begin in the middle: start a new run.")
            elif isinstance(frame, End):
                one.end(frame)
    if one:
        yield one.total()


class _Object:
    """One object. Offsets are those of its whole text: a block may know only those in its own part of it, but
    that begins where the part of the block before ended."""

    def __init__(self, key: str, wanted: Wanted) -> None:
        self.key = key
        self._before, self._after, self._most = wanted
        self._shows_all_and_no_more = wanted == Wanted()
        self._base = self._end = 0
        self._count = self._shown = 0
        self._owed = 0
        # The lines up to ``_reached`` that may be context of the next.
        self._latest = Latest(self._before, HELD_BYTES)
        self._reached = self._shown_to = 0

    def begin(self, offset: int) -> None:
        self._base = self._end - offset

    def end(self, frame: End) -> None:
        self._end = self._base + frame.offset
        self._count += frame.selected

    def total(self) -> Total:
        return Total(self.key, self._count)

    def lines(self, frame: Lines) -> Iterator[Found]:
        offset, text, selected, gaps = self._base + frame.offset, *frame[1:]
        if gaps and self._shows_all_and_no_more:
            yield Found(self.key, offset, text, len(gaps), selected, follows=False, gaps=gaps)
            return
        for start, lines in runs_of(offset, text, gaps):
            yield from self._run(start, lines, selected=selected)

    def _run(self, offset: int, text: bytes, *, selected: bool) -> Iterator[Found]:
        if offset != self._reached:
            self._latest.take()
            self._owed = 0
        self._reached = offset + len(text)
        if selected:
            yield from self._selected(offset, text)
        else:
            yield from self._others(offset, text)

    def _selected(self, offset: int, text: bytes) -> Iterator[Found]:
        left = None if self._most is None else self._most - self._shown
        end = len(text) if left is None else forward(text, 0, len(text), left)
        if end:
            if self._latest.lacks:
                raise RunError(
                    f"The {self._before:,} lines before byte {offset} of {self.key} have more than "
                    f"{HELD_BYTES:,} bytes: choose fewer (-B)."
                )
            if self._latest.size:
                held = self._latest.take()
                yield self._found(offset - len(held), held, selected=False)
            found = self._found(offset, text[:end], selected=True)
            self._shown += found.lines
            self._owed = self._after
            yield found
        if end < len(text):
            yield from self._others(offset + end, text[end:])

    def _others(self, offset: int, text: bytes) -> Iterator[Found]:
        owed_to = forward(text, 0, len(text), self._owed)
        if owed_to:
            found = self._found(offset, text[:owed_to], selected=False)
            self._owed -= found.lines
            yield found
        self._latest.add(text[owed_to:])

    def _found(self, offset: int, text: bytes, *, selected: bool) -> Found:
        follows = bool(self._shown_to) and self._shown_to == offset
        self._shown_to = offset + len(text)
        return Found(self.key, offset, text, lines_in(text, 0, len(text)), selected, follows)
