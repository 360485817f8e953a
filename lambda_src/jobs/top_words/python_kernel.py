"""The kernel in Python: the reference for the one in C, and used where that is not built."""

from collections import Counter

from lambda_src.counts.python_counts import Written
from lambda_src.input.findings import invalid_utf8
from lambda_src.job import Shards
from lambda_src.jobs.top_words import words
from lambda_src.jobs.top_words.kernel import PLAIN, CountedWords, Joined, Kernel, Noted, Spelling
from lambda_src.jobs.top_words.words import count_stretches, count_words, joined_in


class Counting:
    """``kernel.Counting``."""

    def __init__(self, shards: Shards, spelling: Spelling = PLAIN) -> None:
        self._spelling = spelling
        self._stretches: Counter[bytes] = Counter()
        self._settled: list[dict[str, int]] = [{} for _ in range(spelling.longest)]
        self._unsettled_bytes = 0
        self._written = Written(shards, spelling.longest)
        self._longer_words = 0

    def add(self, chunk: bytes) -> Noted:
        count_stretches(chunk, self._stretches, self._spelling)
        self._unsettled_bytes += len(chunk)
        if words.is_full(self._unsettled_bytes, len(self._stretches)):
            self._settle()
            settled_bytes = sum(len(word.encode()) for counts in self._settled for word in counts)
            if words.are_many(sum(map(len, self._settled)), settled_bytes):
                self._write()
        joined = Joined(0, 0) if self._spelling.is_unicode else Joined(*joined_in(chunk))
        return Noted(invalid_utf8(chunk), joined)

    def _settle(self) -> None:
        """Turn the stretches into words, which frees their memory."""
        found = count_words(self._stretches, self._spelling)
        for settled, more in zip(self._settled, found.by_length, strict=True):
            for word, count in more.items():
                settled[word] = settled.get(word, 0) + count
        self._longer_words += found.longer_words
        self._stretches.clear()
        self._unsettled_bytes = 0

    def _write(self) -> None:
        """Write the settled words to the lines, as one more piece of each that has any."""
        for length, counts in enumerate(self._settled):
            self._written.write_keys(length, {word: [count] for word, count in counts.items()})
            counts.clear()
        self._written.check()

    def lines(self) -> CountedWords:
        self._settle()
        self._write()
        return CountedWords(self._written.lines(), self._longer_words)


KERNEL = Kernel(is_native=False, counting=Counting)
