"""The kernel in Python: the reference for the one in C, and used where that is not built."""

from collections import Counter
from typing import Annotated

import msgspec

from lambda_src.errors import BlobDamaged, TooManyDistinct
from lambda_src.input.findings import Invalid, invalid_utf8
from lambda_src.job import check_lines, pieces_of
from lambda_src.jobs.top_words import top, words
from lambda_src.jobs.top_words.kernel import CountedLines, Kernel, Summed
from lambda_src.jobs.top_words.words import LONGEST, count_stretches, count_words

_OBJECT = msgspec.json.Decoder(dict[str, Annotated[int, msgspec.Meta(ge=1)]])


class Counting:
    """``kernel.Counting``."""

    def __init__(self) -> None:
        self._stretches: Counter[bytes] = Counter()
        self._settled: list[dict[str, int]] = [{} for _ in range(LONGEST)]
        self._unsettled_bytes = 0
        self._lines = [bytearray() for _ in range(LONGEST)]
        self._words = [0] * LONGEST
        self._longer_words = 0

    def add(self, chunk: bytes) -> Invalid:
        count_stretches(chunk, self._stretches)
        self._unsettled_bytes += len(chunk)
        if words.is_full(self._unsettled_bytes, len(self._stretches)):
            self._settle()
            settled_bytes = sum(len(word.encode()) for counts in self._settled for word in counts)
            if words.are_many(sum(map(len, self._settled)), settled_bytes):
                self._write()
        return invalid_utf8(chunk)

    def _settle(self) -> None:
        """Turn the stretches into words, which frees their memory."""
        counts = count_words(self._stretches)
        for settled, more in zip(self._settled, counts.by_length, strict=True):
            top.add(settled, more)
        self._longer_words += counts.longer_words
        self._stretches.clear()
        self._unsettled_bytes = 0

    def _write(self) -> None:
        """Write the settled words to the lines, as one more object in each that has any."""
        for length, counts in enumerate(self._settled):
            if counts:
                line = self._lines[length]
                line += b"\t" * bool(line) + msgspec.json.encode(counts)
                self._words[length] += sum(counts.values())
                counts.clear()
        check_lines([len(line) or len(b"{}") for line in self._lines])

    def lines(self) -> CountedLines:
        self._settle()
        self._write()
        return CountedLines([bytes(line or b"{}") for line in self._lines], self._words, self._longer_words)


class Sums:
    """``kernel.Sums``."""

    def __init__(self, most: int, part: int, parts: int) -> None:
        self._most, self._part, self._parts = most, part, parts
        self._counts: dict[str, int] = {}

    def add(self, line: bytes) -> None:
        for counts in pieces_of(line):
            self._add_object(counts)

    def _add_object(self, line: memoryview) -> None:
        try:
            counts = _OBJECT.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BlobDamaged(f"A line of counts cannot be read ({error}): start the run again.") from None
        if self._parts > 1:
            counts = top.part_of(counts, self._part, self._parts)
        top.add(self._counts, counts)
        if len(self._counts) > self._most:
            raise TooManyDistinct(f"More than {self._most:,} distinct words do not fit into one sum.")

    def summed(self) -> Summed:
        return Summed(top.top(self._counts), sum(self._counts.values()))


KERNEL = Kernel(is_native=False, most_words=4_000_000, counting=Counting, sums=Sums)
