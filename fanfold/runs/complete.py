"""Complete sums of a run that keeps them, merged as a stream: part by part, each in the order of its keys.

Every byte is verified before it is used. Of each object that a reducer stored, a window is in memory, and of
each section a frame: so memory grows with the number of reducers, and not with the number of keys.
"""

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from fanfold.errors import RunError
from lambda_src.errors import InvalidRequest
from lambda_src.fields import Keep
from lambda_src.job import Job
from lambda_src.sorted_rows import BETWEEN, counts_of, key_of
from lambda_src.store.complete import frames_of, header_bytes
from lambda_src.store.digests import digest_of
from lambda_src.wire.reports import PartReport, Section

WINDOWS_BYTES = 64 << 20
"""Of all objects together, unless there are more than 512."""

SMALLEST_WINDOW, LARGEST_WINDOW = 128 << 10, 8 << 20

READS_AT_ONCE = 16
"""When the first window of each object is read."""

Get = Callable[[str, int, int], bytes]
"""``get(name, start, end)``: these bytes of an object, or fewer where it ends. Raises RunError."""

Chunk = list[bytes]
"""Rows of ``lambda_src.sorted_rows``, at least one."""


def check_keep(name: str, job: Job, keep: Keep | None, options: Mapping[str, Any] | None = None) -> None:
    """Raise RunError if a run of the job of that ``name`` cannot ``keep`` that with these ``options``."""
    if keep and not job.complete:
        raise RunError(
            f"{name} has no complete sums to keep, only its result: leave out --all, or keep from Python."
        )
    try:
        job.check_keep(keep, job.read_options(options or {}))
    except InvalidRequest as error:
        raise RunError(str(error)) from None


class Row(NamedTuple):
    """A key of a part, with its counts by column."""

    part: str
    key: str
    counts: Mapping[str, int]


class CompleteSums:
    """All rows of the parts of these ``reports``. ``name`` is how messages call the run. Raises RunError
    unless the stored rows have all that was observed."""

    def __init__(self, name: str, reports: Sequence[PartReport], get: Get) -> None:
        self._name, self._reports = name, reports
        for report in reports:
            stored = sum(section.observed for section in report.complete)
            if stored != report.observations:
                raise RunError(
                    f"The complete sums of {name} are damaged: those of {report.part} have {stored:,} of "
                    f"{report.observations:,} observations."
                )
        names = sorted({section.name for report in reports for section in report.complete})
        window = min(max(WINDOWS_BYTES // max(len(names), 1), SMALLEST_WINDOW), LARGEST_WINDOW)
        self._objects = {one: _Object(one, get, window) for one in names}

    @property
    def keys(self) -> int:
        """How many rows there are."""
        return sum(section.keys for report in self._reports for section in report.complete)

    def parts(self) -> Iterator[tuple[str, Iterator[Chunk]]]:
        """Each part that has keys, with its rows. Raises RunError where something is missing or damaged."""
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            list(pool.map(_Object.begin, self._objects.values()))
        for report in self._reports:
            if report.complete:
                yield report.part, merged(map(self._frames, report.complete))

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """The rows one by one. Raises RunError where something is missing or damaged."""
        for part, chunks in self.parts():
            for chunk in chunks:
                for row in chunk:
                    counts = dict(zip(columns, counts_of(row), strict=True))
                    yield Row(part, key_of(row).decode(), counts)

    def _frames(self, section: Section) -> Iterator[Chunk]:
        stored, at = self._objects[section.name], section.start
        header = stored.read(at, at + header_bytes(section))
        self._verify(section, header, section.digest)
        at, keys = at + len(header), 0
        for size, digest in frames_of(header):
            frame = stored.read(at, at + size)
            self._verify(section, frame, digest)
            rows = zlib.decompress(frame).split(BETWEEN)
            at, keys = at + size, keys + len(rows)
            yield rows
        if keys != section.keys:
            raise self._damaged(section)

    def _verify(self, section: Section, data: bytes, digest: bytes) -> None:
        if digest_of(data) != digest:
            raise self._damaged(section)

    def _damaged(self, section: Section) -> RunError:
        return RunError(
            f"The complete sums of {self._name} are damaged: {section.name} is not as it was written. Run it "
            "again, under another id."
        )


class _Object:
    """A stored object, with one window of it in memory."""

    def __init__(self, name: str, get: Get, window: int) -> None:
        self._name, self._get, self._window = name, get, window
        self._start, self._data = 0, b""

    def begin(self) -> None:
        """Read the first window."""
        self._start, self._data = 0, self._get(self._name, 0, self._window)

    def read(self, start: int, end: int) -> bytes:
        """Bytes ``[start, end)``, or fewer where the object ends."""
        if start < self._start or end > self._start + len(self._data):
            self._data = self._get(self._name, start, max(end, start + self._window))
            self._start = start
        return self._data[start - self._start : end - self._start]


def merged(streams: Iterable[Iterator[Chunk]]) -> Iterator[Chunk]:
    """The rows of all ``streams`` in order. Each stream is sorted.

    No stream can have further rows that belong before the first of their last rows. All rows up to that one
    are sorted at once, which finds runs that are sorted already.

    >>> list(merged([iter([[b"a", b"d"], [b"e"]]), iter([[b"b", b"c"]])]))
    [[b'a', b'b', b'c'], [b'd'], [b'e']]
    """
    heads = [(rows, 0, stream) for stream in streams if (rows := next(stream, []))]
    while heads:
        last = min(rows[-1] for rows, _, _ in heads)
        taken: Chunk = []
        left = []
        for rows, at, stream in heads:
            end = bisect_right(rows, last, at)
            taken += rows[at:end]
            if end < len(rows):
                left.append((rows, end, stream))
            elif more := next(stream, []):
                left.append((more, 0, stream))
        taken.sort()
        heads = left
        yield taken
