"""Stand-ins for what reads and stores data: S3's client, and the input of a job."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from obstore.exceptions import GenericError

from lambda_src.errors import BadObjects, SourceChanged, SourceNotText, Transient
from lambda_src.input.addresses import Addresses, Listing, place
from lambda_src.job import Feed, Job, Measured, Owned, Place, Span
from lambda_src.records import Rule
from lambda_src.store.keys import BLOBS_PREFIX
from lambda_src.wire.record import RunRecord
from lambda_src.wire.requests import Pinned
from lambda_src.wire.source import Source
from tests.simulation.s3 import NOTHING
from tests.simulation.timing import BYTES_PER_S
from tests.simulation.work import current_work

if TYPE_CHECKING:
    from tests.simulation.engine import Simulation

Task = TypeVar("Task")

BULKS = 16
"""A reducer whose reads are too many for one event each reads its blobs in so many bulks: all reducers share
S3's rate."""

LINE_UNITS = 10
"""A record of the input."""


class StoredObject(NamedTuple):
    """An object of the input."""

    key: str
    bytes: int
    etag: str
    is_bad: bool


class SimulatedObstore:
    """Stands in for the module ``obstore`` in ``store.blobs``."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation

    def put(self, _objects: Any, key: str, body: bytes | Sequence[bytes], *, use_multipart: bool) -> None:
        """Store an object."""
        assert not use_multipart
        whole = body if isinstance(body, bytes) else b"".join(body)
        s3, world, work = self._simulation.s3, self._simulation.world, current_work()
        asked = s3.put(key, world.time())
        size: float = len(whole)
        if work.execution.function == "parse_block":
            event = work.execution.event
            size = self._simulation.timing.blob_bytes(event["end"] - event["start"], len(whole))
        world.sleep(asked.delay_s + asked.latency_s * work.slowness)
        world.sleep(work.network.delay_s(world.time(), size * work.slowness))
        if asked.fault not in ("throttled", "server error"):
            world.at(world.time(), lambda: None if work.execution.is_over else s3.store(key, whole, work))
            world.sleep(0.0)
        _raise_s3(asked.fault)

    def get(self, _objects: Any, key: str, *, options: Mapping[str, Any]) -> Any:
        """Bytes of an object."""
        s3, world, work = self._simulation.s3, self._simulation.world, current_work()
        if self._simulation.timing.reads_in_bulk and world.is_ahead:
            asked = NOTHING  # read_all asks for all at once
        else:
            asked = s3.get(key, world.time())
        world.sleep(asked.delay_s + asked.latency_s * work.slowness)
        body = s3.objects.get(key)
        start, end = options.get("range", (0, None))
        if body is not None:
            size: float = len(body[start:end])
            if work.execution.function == "get_occurrences" and key.startswith(BLOBS_PREFIX):
                size = work.line_bytes(len(body[start:end]))
            world.sleep(work.network.delay_s(world.time(), size * work.slowness))
        _raise_s3(asked.fault)
        if body is None:
            raise FileNotFoundError("Object at location not found")
        if end is not None and start >= len(body):
            raise GenericError("Error performing GET: status code: 416")
        return SimpleNamespace(
            meta={"size": len(body)}, stream=lambda min_chunk_size: iter([body[start:end]])
        )

    def head(self, _objects: Any, key: str) -> Mapping[str, Any]:
        """The size of an object."""
        return self.get(_objects, key, options={}).meta  # type: ignore[no-any-return]

    def delete(self, _objects: Any, keys: Sequence[str]) -> None:
        """Delete objects."""
        asked = self._simulation.s3.put("", self._simulation.world.now)
        self._simulation.world.sleep(asked.latency_s)
        _raise_s3(asked.fault)
        for key in keys:
            self._simulation.s3.objects.pop(key, None)


FAILS = ("throttled", "server error", "lost answer")


def _raise_s3(fault: str) -> None:
    """What obstore raises once it has given up."""
    if fault == "throttled":
        raise GenericError("Error after 5 retries: status code: 503: <Error><Code>SlowDown</Code></Error>")
    if fault in ("lost answer", "server error"):
        raise GenericError("Error after 5 retries: error sending request")


class SimulatedInput:
    """Stands in for ``input.objects.ObjectsInput``. The text of units [a, b) is "a b"; units are counted over
    all objects, whatever a block reads."""

    def __init__(
        self,
        simulation: "Simulation",
        source: Source,
        addresses: Addresses,
        left_out: Collection[int] = (),
        skip_bad: bool = False,
    ) -> None:
        self.size_bytes, self.objects = source.bytes, source.objects
        self._simulation, self._addresses = simulation, addresses
        self._left_out, self._skip_bad = left_out, skip_bad

    def feed(self, block: Span, _rule: Rule, feed: Feed) -> Owned:
        """As ``job.Input.feed``."""
        simulation, work = self._simulation, current_work()
        gets = simulation.timing.gets(block)
        asked = simulation.s3.get("input/", simulation.world.time(), gets)
        work.count("s3_gets", gets)
        own_s = simulation.timing.map_s(block, [asked.latency_s] * gets)
        simulation.world.sleep(max(own_s, asked.delay_s) * work.slowness)
        if asked.fault in FAILS:
            raise Transient("S3 did not serve the input.")
        now = {one.key: one for one in simulation.objects}
        ends = accumulate((one.bytes for one in simulation.objects), initial=0)
        units = dict(zip(now, ends, strict=False))
        pieces = self._addresses.pieces(block)
        bad = []
        for piece in pieces:
            if piece.object.address in self._left_out:
                continue
            if now[piece.object.key].etag != piece.object.etag:
                raise SourceChanged(f"{piece.object.key} was replaced while the run read it.")
            if now[piece.object.key].is_bad:
                bad.append((piece.object.address, f"{piece.object.key} is not text."))
        if bad and self._skip_bad:
            raise BadObjects(bad)
        if bad:
            raise SourceNotText(bad[0][1])
        owned = Span(self._first_line(block.start), self._first_line(block.end))
        for piece in pieces:
            one = piece.object
            start, end = max(owned.start, one.address), min(owned.end, one.address + one.bytes)
            if start < end and one.address not in self._left_out:
                by = units[one.key] - one.address
                feed(f"{start + by} {end + by}".encode(), Place(one.key, start - one.address))
        return Owned(*owned)

    def _first_line(self, at: int) -> int:
        """Where the first line at or behind ``at`` begins. Nobody knows the lines of what is left out."""
        for one in self._addresses.objects(Span(at, at + 1)):
            if one.address <= at < one.address + one.bytes and one.address in self._left_out:
                return at
        return min(-(-at // LINE_UNITS) * LINE_UNITS, self.size_bytes)

    def first_record(self, rule: Rule) -> bytes:
        """No simulated job wants it."""
        raise NotImplementedError

    def whole(self, most_bytes: int) -> bytes:
        """No simulated job wants it."""
        raise NotImplementedError


class SimulatedInputs:
    """Implements ``ports.Inputs``."""

    def __init__(self, deployed: Job, *_: Any) -> None:
        self._deployed = deployed
        self._simulation = current_work().simulation

    def pin(self, record: RunRecord) -> Pinned:
        """The objects as they are."""
        simulation = self._simulation
        asked = simulation.s3.get("input/", simulation.world.now, 2)
        simulation.world.sleep(asked.delay_s + 2 * asked.latency_s)
        if asked.fault in FAILS:
            raise Transient("S3 did not serve the input.")
        listing = Listing([one._replace(format="plain") for one in place(map(_pinned, simulation.objects))])
        size = listing.addresses.end
        if record.key is not None:
            return Pinned(Source(record.bucket, record.key, simulation.objects[0].etag, size), listing)
        digest = listing.digest()
        return Pinned(
            Source(record.bucket, None, digest, size, record.prefix, len(simulation.objects)), listing
        )

    def measure(self, source: Source, listing: Listing) -> Measured:
        """By the job."""
        return self._deployed.measure(SimulatedInput(self._simulation, source, listing.addresses))


def _pinned(one: StoredObject) -> tuple[str, int, str]:
    return one.key, one.bytes, one.etag


def simulated_input_of(
    _objects: Any,
    source: Source,
    addresses: Addresses,
    _remaining_s: Any,
    *,
    left_out: set[int],
    skip_bad: bool,
) -> SimulatedInput:
    return SimulatedInput(current_work().simulation, source, addresses, left_out, skip_bad)


def read_all(
    read: Callable[[Task], bytes], tasks: Sequence[Task], *, name: Any, max_concurrency: int
) -> Iterator[tuple[Task, bytes]]:
    """As ``map_reduce.fan_out``, many reads in one event: limited by latency, by S3's rate, by bandwidth, or
    by the processor."""
    work = current_work()
    simulation = work.simulation
    line_bytes = work.line_bytes(0)
    at_once = max(-(-len(tasks) // BULKS), max_concurrency)
    for first in range(0, len(tasks), at_once):
        some = tasks[first : first + at_once]
        lines, error, _ = simulation.world.ahead(lambda some=some: list(map(read, some)))  # type: ignore[misc]
        if error:
            raise error
        asked = simulation.s3.get(BLOBS_PREFIX, simulation.world.now, len(some))
        simulation.world.sleep(
            max(
                asked.delay_s + asked.latency_s * (first == 0),
                len(some) * asked.latency_s / max_concurrency,
                len(some) * line_bytes / BYTES_PER_S,
                len(some) * simulation.timing.line_s(line_bytes),
            )
        )
        yield from zip(some, lines or (), strict=True)
