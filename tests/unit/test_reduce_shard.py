"""How a reducer reads its lines: at the pace that the store allows, and never too much at once."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from lambda_src.counts import python_counts
from lambda_src.errors import CapacityExhausted, FanOutFailed, Throttled, Transient
from lambda_src.fan_out import map_reduce
from lambda_src.job import Owned
from lambda_src.jobs.top_words import JOB
from lambda_src.run import reduce_shard as module
from lambda_src.wire.reports import BlockReport, Manifest, PartReport, Range
from lambda_src.wire.requests import GetOccurrencesRequest
from lambda_src.wire.source import Source
from tests.contexts import sent_context

LENGTH = "2"


class Blobs:
    """The store of a run whose block ``n`` has a line of ``line_bytes[n]`` bytes, as its report says, with
    one word of its own and one of all."""

    def __init__(self, line_bytes: Sequence[int]) -> None:
        self._line_bytes = line_bytes
        self._lock = threading.Lock()
        self.reads: Counter[int] = Counter()
        self.at_once = self.ahead = self.most_ahead = self.bytes_ahead = self.most_bytes_ahead = 0

    def get_manifest(self) -> bytes:
        blocks = [
            BlockReport(
                number,
                Owned(10 * number, 10 * number + 10),
                1024,
                [2, size] + [2] * 18,
                [0, 3] + [0] * 18,
                {},
            )
            for number, size in enumerate(self._line_bytes)
        ]
        source = Source("bucket", "key", "etag", 10 * len(blocks))
        return msgspec.json.encode(Manifest("run", source, source.bytes, blocks))

    def get(self, found: Range) -> bytes:
        block = found.block
        with self._lock:
            self.reads[block] += 1
            self.at_once += 1
            self.ahead += 1
            self.most_ahead = max(self.ahead, self.most_ahead)
            self.bytes_ahead += found.size
            self.most_bytes_ahead = max(self.bytes_ahead, self.most_bytes_ahead)
        try:
            self.serve(block)
        except BaseException:
            self.folded(block)
            raise
        finally:
            with self._lock:
                self.at_once -= 1
        return msgspec.json.encode({"of": 2, f"w{block}": 1})

    def serve(self, block: int) -> None:
        """What a read takes: a moment."""
        time.sleep(0.001)

    def folded(self, block: int) -> None:
        """The line of ``block`` is not in memory any more."""
        with self._lock:
            self.ahead -= 1
            self.bytes_ahead -= self._line_bytes[block]


class SlowDown(Blobs):
    """As S3 before it has split a prefix: with more than ``limit`` at once it throttles."""

    limit = 4

    def serve(self, block: int) -> None:
        if self.at_once > self.limit:
            raise Throttled("S3 throttled it")
        super().serve(block)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "BACKOFF_S", 0.001)


def reduce_part(blobs: Blobs) -> PartReport:
    request = GetOccurrencesRequest("run", "owner", JOB.parts.index(LENGTH), JOB.rules, sent_context(JOB))
    report = module.reduce_shard(JOB, request, blobs)  # type: ignore[arg-type]
    assert isinstance(report, PartReport)
    return report


def check_sum(blobs: Blobs, blocks: int) -> None:
    report = reduce_part(blobs)
    assert (report.blobs_read, report.observations) == (blocks, 3 * blocks)
    assert report.result["top_words"][0] == {"word": "of", "count": 2 * blocks}


def test_a_throttled_reducer_reads_slower_and_keeps_what_it_has_summed() -> None:
    throttled = 0

    class Counting(SlowDown):
        def serve(self, block: int) -> None:
            nonlocal throttled
            try:
                super().serve(block)
            except Throttled:
                throttled += 1
                raise

    blobs = Counting([20] * 500)
    check_sum(blobs, 500)
    assert throttled
    assert sum(blobs.reads.values()) == 500 + throttled  # no line that was read is read again
    # It has found the pace: one try in ten or so is for more.
    assert throttled < 150


def test_passing_faults_of_the_store_cost_no_more_than_their_read() -> None:
    class Flaky(Blobs):
        def serve(self, block: int) -> None:
            if block % 7 == 0 and self.reads[block] == 1:
                raise Transient("S3 did not serve it")

    blobs = Flaky([20] * 100)
    check_sum(blobs, 100)
    assert sum(blobs.reads.values()) == 100 + len(range(0, 100, 7))


def test_a_store_that_does_not_serve_a_line_is_named() -> None:
    class Broken(Blobs):
        def serve(self, block: int) -> None:
            if block == 3:
                raise Transient("S3 did not serve it")

    with pytest.raises(FanOutFailed, match="block 3: Transient: S3 did not serve it"):
        reduce_part(Broken([20] * 10))


def test_a_store_that_only_throttles_ends_the_reducer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "STALLED_S", 0.05)
    monkeypatch.setattr(SlowDown, "limit", 0)
    with pytest.raises(CapacityExhausted):
        reduce_part(SlowDown([20] * 10))


@pytest.mark.parametrize(
    ("line_bytes", "ahead"),
    [
        ([20] * 300, 32),
        ([100] * 300, 9),
        ([20] * 200 + [700], 32),  # one long line slows down no other
        ([20, 1000, 400, 31, 32] * 50, 32),
        ([5000] * 3, 1),
    ],
)
def test_what_is_read_ahead_is_bounded(
    monkeypatch: pytest.MonkeyPatch, line_bytes: list[int], ahead: int
) -> None:
    monkeypatch.setattr(module, "READ_AHEAD_BYTES", 992)
    blobs = Blobs(line_bytes)

    class SlowTable(python_counts.Table):
        def add(self, data: bytes, first: int, parts: int) -> None:
            time.sleep(0.0002)  # slower than the reads
            (block,) = (int(word[1:]) for word in msgspec.json.decode(data) if word != "of")
            blobs.folded(block)
            super().add(data, first, parts)

    monkeypatch.setattr("lambda_src.counts.table_type", lambda: SlowTable)
    check_sum(blobs, len(line_bytes))
    assert blobs.most_bytes_ahead <= max(992, *line_bytes)
    assert ahead / 2 < blobs.most_ahead <= ahead
    assert blobs.bytes_ahead == 0
