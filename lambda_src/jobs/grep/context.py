"""Lines around those that were selected, as far as one block can tell."""

from lambda_src.jobs.grep.frames import HELD_BYTES, Writer
from lambda_src.jobs.grep.pattern import Runs, lines_in, merged


class Around:
    """Keeps the selected lines of one object in a block; the ``before`` lines before each of them and the
    ``after`` lines behind it; and the block's first and last lines, which those of its neighbours may need.

    All lines come in order, in chunks. Once ``most`` lines are selected, only ``after`` more are kept.
    """

    def __init__(self, writer: Writer, before: int, after: int, most: int | None) -> None:
        self._writer, self._before, self._after = writer, before, after
        self._left = most
        self._owed = after  # to the block before: its last line may be selected
        self._held = b""  # the latest lines, which a selected line may need; nothing is owed then

    def add(self, text: bytes, offset: int, runs: Runs) -> int:
        """Keep the selected lines of ``text``, at ``runs``, with their context. Return how many these are."""
        held_bytes = len(self._held)
        text, offset = self._held + text, offset - held_bytes
        count = done = 0
        for start, end, lines in merged(runs):
            count += lines
            if self._left is not None and self._left <= 0:
                continue  # it may still be owed, as in grep
            begin, finish = start + held_bytes, end + held_bytes
            if self._left is not None:
                finish = forward(text, begin, finish, self._left)
                self._left -= min(lines, self._left)
            owed_to = self._keep_owed(text, offset, done, begin)
            needed_from = backward(text, owed_to, begin, self._before)
            self._writer.lines(offset + needed_from, text[needed_from:begin], selected=False)
            self._writer.lines(offset + begin, text[begin:finish], selected=True)
            done, self._owed = finish, self._after
        owed_to = self._keep_owed(text, offset, done, len(text))
        full = self._left is not None and self._left <= 0
        self._held = b"" if full else text[backward(text, owed_to, len(text), self._before) :]
        if len(self._held) > HELD_BYTES:
            self.end(offset + len(text))
        return count

    def end(self, offset: int) -> None:
        """The lines so far end at ``offset``: keep what is held."""
        self._writer.lines(offset - len(self._held), self._held, selected=False)
        self._held = b""

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
