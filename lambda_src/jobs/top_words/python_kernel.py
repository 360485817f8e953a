"""The kernel in Python: what the one in C is held equal to, and what works where that is not built."""

from collections import Counter
from typing import Annotated

import msgspec

from lambda_src.errors import BlobDamaged, TooManyDistinct
from lambda_src.jobs.top_words import top
from lambda_src.jobs.top_words.kernel import CountedLines, Kernel, Summed
from lambda_src.jobs.top_words.words import count_stretches, count_words

_LINE = msgspec.json.Decoder(dict[str, Annotated[int, msgspec.Meta(ge=1)]])


class Counting:
    """``kernel.Counting``."""

    def __init__(self) -> None:
        self._stretches: Counter[bytes] = Counter()

    def add(self, chunk: bytes) -> None:
        count_stretches(chunk, self._stretches)

    def lines(self) -> CountedLines:
        counts = count_words(self._stretches)
        return CountedLines(
            [msgspec.json.encode(words) for words in counts.by_length],
            [sum(words.values()) for words in counts.by_length],
            counts.longer_words,
        )


class Sums:
    """``kernel.Sums``."""

    def __init__(self, most: int, part: int, parts: int) -> None:
        self._most, self._part, self._parts = most, part, parts
        self._counts: dict[str, int] = {}

    def add(self, line: bytes) -> None:
        try:
            counts = _LINE.decode(line)
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
