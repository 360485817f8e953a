"""What ``asked`` counts, in Python, for where the layer lacks the library."""

import functools
import zlib
from collections import Counter
from collections.abc import Sequence

import msgspec

from lambda_src.counts import table_type
from lambda_src.counts.table import INNER
from lambda_src.job import Line, Shards
from lambda_src.jobs.access_log.asked import COLUMNS, STEP, UNANSWERED, shown, step_of
from lambda_src.jobs.access_log.options import Options
from lambda_src.jobs.access_log.scan import (
    ENTRY_BYTES,
    HOURS,
    MOST_HELD_BYTES,
    PARTS,
    SENT,
    SENT_BITS,
    SENT_HIGH,
)

_SENT, _SENT_HIGH, _CLASSES, _OTHER, _TIMED, _MICROS, _SLOWEST = 1, 2, 3, 7, 8, 9, 10
_LOW = (1 << SENT_BITS) - 1


class Counts:
    """``asked.Counts``."""

    def __init__(self, options: Options, shards: Shards) -> None:
        self._shards = shards
        self._by_hour = options.by == "hour"
        kinds = ("sum", "sum") if self._by_hour else ("sum",) * (len(COLUMNS) - 1) + ("max",)
        self._columns = len(kinds)
        self._table = table_type()(len(PARTS), kinds, has_inner=not self._by_hour)
        self._keys: list[dict[str, list[int]]] = [{} for _ in PARTS]
        self._inner: list[dict[str, list[int]]] = [{} for _ in PARTS]
        self._held_bytes = 0
        self._statuses: list[Counter[int]] = [Counter() for _ in HOURS]
        self._sent = [0] * len(HOURS)
        self._steps: list[Counter[int]] = [Counter() for _ in HOURS]

    def count(self, hour: int, status: int, key: bytes, sent: int, micros: int | None) -> None:
        text = shown(key, hides_nul=not self._by_hour)
        if self._by_hour:
            counts = self._counts_of(self._keys[hour], text)
            counts[0] += 1
            counts[1] += status // 100 == 5
            self._statuses[hour][status] += 1
            self._sent[hour] += sent
        else:
            self._count_by_key(status, text, sent, micros)
        if micros is not None:
            self._steps[hour if self._by_hour else 0][step_of(micros)] += 1
        if self._held_bytes > MOST_HELD_BYTES:
            self._write_keys()
            self._table.write(self._shards)

    def _count_by_key(self, status: int, text: str, sent: int, micros: int | None) -> None:
        part = _part_of(text)
        counts = self._counts_of(self._keys[part], text)
        sent += counts[_SENT]
        counts[0] += 1
        counts[_SENT] = sent & _LOW
        counts[_SENT_HIGH] += sent >> SENT_BITS
        counts[_CLASSES + status // 100 - 2 if 200 <= status < 600 else _OTHER] += 1
        if micros is not None:
            counts[_TIMED] += 1
            counts[_MICROS] += micros
            counts[_SLOWEST] = max(counts[_SLOWEST], micros)
            self._counts_of(self._inner[part], f"{text}{INNER}{step_of(micros)}")[_TIMED] += 1

    def _counts_of(self, keys: dict[str, list[int]], text: str) -> list[int]:
        counts = keys.get(text)
        if counts is None:
            counts = keys[text] = [0] * self._columns
            self._held_bytes += ENTRY_BYTES + 8 * (self._columns - 1) + len(text.encode())
        return counts

    def _write_keys(self) -> None:
        for part, (keys, inner) in enumerate(zip(self._keys, self._inner, strict=True)):
            if keys:
                self._table.add(msgspec.json.encode(keys | inner), part, 1)
            keys.clear()
            inner.clear()
        self._held_bytes = 0

    def read(self, _chunk: bytes, start: int, end: int) -> tuple[int, int, int]:
        return 0, start, end

    def lines_read(self) -> tuple[dict[str, int], int]:
        return {}, 0

    def lines(self, malformed: int) -> Sequence[Line]:
        if malformed:
            self._counts_of(self._keys[-1], "")[0] = malformed
        self._write_keys()
        for hour in range(len(HOURS)):
            if named := self._named(hour):
                self._table.add(msgspec.json.encode([each for pair in named for each in pair]), hour, 1)
        return self._table.lines(self._shards)

    def _named(self, hour: int) -> list[tuple[str, int]]:
        """The sums of an hour, in the order in which asked.c writes them."""
        sent = ((SENT, self._sent[hour] & _LOW), (SENT_HIGH, self._sent[hour] >> SENT_BITS))
        statuses = sorted(self._statuses[hour].items())
        return [
            *((name, size) for name, size in sent if size),
            *(("-" if code == UNANSWERED else f"{code:03}", requests) for code, requests in statuses),
            *((f"{STEP}{step}", requests) for step, requests in sorted(self._steps[hour].items())),
        ]


@functools.lru_cache(maxsize=10_000)
def _part_of(key: str) -> int:
    return zlib.crc32(key.encode()) % len(HOURS)
