"""Lines around those that were selected, as far as one block can tell."""

import math
from collections import deque

from lambda_src.jobs.grep.frames import HELD_BYTES, Writer
from lambda_src.jobs.grep.pattern import Runs, lines_in, merged


class Latest:
    """The latest lines of a text, at most ``most``; portions of whole lines come in its order. If they take
    more than ``most_bytes``, the first ones are dropped, and ``lacks`` some."""

    def __init__(self, most: int, most_bytes: float = math.inf) -> None:
        self.size = 0
        self._most, self._most_bytes = most, most_bytes
        self._portions: deque[bytes] = deque()
        self._start = self._lines = 0  # where the lines begin in the first portion, and how many they are
        self._was_cut = False

    @property
    def lacks(self) -> bool:
        """Whether there would be more lines, had they fitted."""
        return self._was_cut and self._lines < self._most

    def add(self, text: bytes) -> None:
        """Take over lines. The work is linear in the text."""
        if not text:
            return
        self._portions.append(text)
        self._lines += lines_in(text, 0, len(text))
        self.size += len(text)
        while self._lines > self._most:
            self._drop_line()
        while self.size > self._most_bytes:
            self._drop_line()
            self._was_cut = True

    def take(self) -> bytes:
        """Hand over all lines, and keep none."""
        lines = b"".join(self._portions)[self._start :]
        self._portions.clear()
        self._start = self._lines = self.size = 0
        self._was_cut = False
        return lines

    def _drop_line(self) -> None:
        first = self._portions[0]
        end = first.find(b"\n", self._start) + 1 or len(first)
        self.size -= end - self._start
        self._lines -= 1
        self._start = end
        if end == len(first):
            self._portions.popleft()
            self._start = 0


class Around:
    """Keeps the selected lines of one object in a block; the ``before`` lines before each of them and the
    ``after`` lines behind it; and the block's first and last lines, which those of its neighbours may need.

    All lines come in order, in chunks. Once ``most`` lines are selected, only ``after`` more are kept. What
    is written does not depend on the chunks.
    """

    def __init__(self, writer: Writer, before: int, after: int, most: int | None) -> None:
        self._writer, self._before, self._after = writer, before, after
        self._left = most
        self._keeps_all_and_no_more = not before and not after and most is None
        self._owed = after  # to the block before: its last line may be selected
        self._latest = Latest(before)  # which a selected line may need; nothing is owed then

    def add(self, text: bytes, offset: int, runs: Runs) -> int:
        """Keep the selected lines of ``text``, at ``runs``, with their context. Return how many these are."""
        if self._keeps_all_and_no_more:
            return self._writer.selected(offset, text, runs)
        count = done = 0
        for start, end, lines in merged(runs):
            count += lines
            if self._left is not None and self._left <= 0:
                continue  # it may still be owed, as in grep
            finish = end
            if self._left is not None:
                finish = forward(text, start, end, self._left)
                self._left -= min(lines, self._left)
            self._hold(text, offset, self._keep_owed(text, offset, done, start), start)
            self.end(offset + start)
            self._writer.lines(offset + start, text[start:finish], selected=True)
            done, self._owed = finish, self._after
        owed_to = self._keep_owed(text, offset, done, len(text))
        if self._left is None or self._left > 0:
            self._hold(text, offset, owed_to, len(text))
        return count

    def end(self, offset: int) -> None:
        """The lines so far end at ``offset``: keep what is held."""
        held = self._latest.take()
        self._writer.lines(offset - len(held), held, selected=False)

    def _hold(self, text: bytes, offset: int, start: int, end: int) -> None:
        """Hold the last of the lines ``text[start:end]``. If they would take too much memory, all that are
        held at a line are kept."""
        if not self._before or self._latest.size + end - start <= HELD_BYTES:
            self._latest.add(text[backward(text, start, end, self._before) : end])
            return
        while start < end:
            line_end = text.find(b"\n", start, end) + 1 or end
            self._latest.add(text[start:line_end])
            start = line_end
            if self._latest.size > HELD_BYTES:
                self.end(offset + start)

    def _keep_owed(self, text: bytes, offset: int, start: int, end: int) -> int:
        """Keep those of the lines ``text[start:end]`` that follow a selected line; where the others begin."""
        at = forward(text, start, end, self._owed)
        if at > start:
            self._owed -= lines_in(text, start, at)
        self._writer.lines(offset + start, text[start:at], selected=False)
        return at


def forward(text: bytes, start: int, end: int, lines: int) -> int:
    """Where the first ``lines`` of ``text[start:end]`` end.

    >>> [forward(b"a\\nb\\nc", 0, 5, lines) for lines in range(5)]
    [0, 2, 4, 5, 5]
    """
    while start < end and lines:
        start = text.find(b"\n", start, end) + 1 or end
        lines -= 1
    return start


def backward(text: bytes, start: int, end: int, lines: int) -> int:
    """Where the last ``lines`` of ``text[start:end]`` begin.

    >>> [backward(b"a\\nb\\nc\\n", 0, 6, lines) for lines in range(5)]
    [6, 4, 2, 0, 0]
    """
    while start < end and lines:
        end = text.rfind(b"\n", start, end - 1) + 1 or start
        lines -= 1
    return end
