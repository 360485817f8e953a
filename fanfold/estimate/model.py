"""What a run takes on AWS, modelled: seconds and dollars, by stage and by kind of request.

It was never run there. Each figure says whether it was measured here, published, assumed, or is what this
project's code does. ``python -m benchmarks.model`` prints the tables of docs/performance.md. Units are
those of the job: bytes, or what it says.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fanfold.estimate.workload import Figure, Figures, Stored
from fanfold.format import MIB, block_text, time_text
from fanfold.jobs.top_words import FIGURES as TOP_WORDS
from lambda_src.fields import DEFAULT_MAX_CONCURRENCY, MAX_CONCURRENCY
from lambda_src.input.blocks import MAX_BLOCKS, bounded_block_units, fitting_block_bytes
from lambda_src.job import BYTES
from lambda_src.map_reduce import FIRST_WINDOW, TICK_S
from lambda_src.run.prices import ITEMS, PRICES, REFERENCE, Prices
from lambda_src.run.prices import dollars as dollars_of
from lambda_src.settings import GET_OCCURRENCES_TIMEOUT_S, ONE_VCPU_MB, PARSE_BLOCK_TIMEOUT_S

LEAST_UNITS, MOST_DOUBLINGS = MIB >> 2, 11
"""Block sizes in a curve: from 1/4 MiB to 512 MiB."""

ABOUT = 1.05
"""``suggest`` considers runs equally fast that differ by less."""

ORCHESTRATORS = 2
"""``parse_file`` and ``get_all_occurrences`` run beside their workers, and count in the quota."""


LISTED_AT_ONCE = 1000
"""Objects in one answer to LIST."""

INLINE_OBJECTS = 64
"""A block's request names up to about this many; a block with more looks them up in the stored listing."""


ENGINE: Figures = {
    "arm": Figure(1.0, "", "assumed", "speed of one arm64 vCPU against the core here"),
    # Lambda.
    "environment": Figure(0.35, "s", "published", "to create an environment: the middle of 0.2 to 0.5 s"),
    "init": Figure(0.082, "s", "published", "INIT of Python 3.13 on arm64 without imports, median"),
    "init_p99": Figure(0.123, "s", "published", "the slowest of a hundred"),
    "imports_map": Figure(0.06, "s", "measured", "imports and client of parse_block, with its bytecode"),
    "imports_other": Figure(
        0.093, "s", "measured", "imports and clients of the other functions, with bytecode: the mean"
    ),
    "warmed": Figure(1, "", "code", "1: the second stage's functions are warmed while the first runs"),
    "connect": Figure(0.02, "s", "assumed", "an environment's first connection to S3: DNS, TCP and TLS"),
    "overhead": Figure(0.015, "s", "assumed", "of an invocation, to its handler and back"),
    "burst": Figure(1000, "", "published", "environments that a function may have at once"),
    "scaling": Figure(100, "1/s", "published", "more of them: 1,000 each 10 s"),
    "requests_burst": Figure(10_000, "", "published", "requests that a function takes at once"),
    "requests": Figure(1000, "1/s", "published", "more of them: 10,000 each 10 s"),
    "network": Figure(80, "MB/s", "published", "between a Lambda and S3: 75 to 90"),
    "memory": Figure(
        ONE_VCPU_MB, "MB", "code", "of parse_file, parse_block, get_occurrences; half for the others"
    ),
    "report": Figure(400, "bytes", "measured", "of the manifest, for each block"),
    "log": Figure(1000, "bytes", "assumed", "what Lambda itself logs of an invocation"),
    # The fan-out.
    "invoke": Figure(
        0.0005, "s", "measured", "processor time of one invoke among 500 threads: 0.35 to 0.65 ms"
    ),
    "first_window": Figure(
        FIRST_WINDOW, "", "code", "calls at once at the beginning; one more with each answer"
    ),
    "reads_at_once": Figure(32, "", "code", "GETs at once by a reducer"),
    "read": Figure(0.0003, "s", "measured", "processor time of one GET in a reducer"),
    "window": Figure(
        8 * MIB, "bytes", "code", "of a block, read by one GET; the next one follows when it is counted"
    ),
    # Archives. The first bytes of the input say what one Lambda must unpack.
    "unpack_gzip": Figure(100, "MB/s", "measured", "unpacking, of the archive's bytes, per core: 93 to 125"),
    "unpack_bzip2": Figure(3.6, "MB/s", "measured", "the same: 3.6 to 10.8"),
    "unpack_xz": Figure(20, "MB/s", "measured", "the same: 20 to 24"),
    "unpack_zstd": Figure(200, "MB/s", "assumed", "the same; Lambda's Python reads no zstd before 3.14"),
    "archive_step": Figure(
        256 << 10,
        "bytes",
        "code",
        "first GET of an archive behind its block; each next one is twice as large",
    ),
    "reserve": Figure(10, "s", "code", "of a Lambda's time that unpacking must leave"),
    # S3 and DynamoDB.
    "list": Figure(0.15, "s", "assumed", "a LIST of 1,000 objects"),
    "ahead": Figure(32, "", "code", "objects of a block that are read at once"),
    "kms_input": Figure(0, "", "code", "requests to KMS for each GET of the input, if that has a key"),
    "kms_blobs": Figure(0, "", "code", "the same for each PUT and GET of intermediates"),
    "get": Figure(0.027, "s", "published", "first byte of a GET from S3, median"),
    "get_p99": Figure(0.103, "s", "published", "the slowest of a hundred"),
    "put": Figure(0.041, "s", "published", "a PUT to S3, median"),
    "put_p99": Figure(0.125, "s", "published", "the slowest of a hundred"),
    "gets": Figure(5500, "1/s", "published", "GETs that S3 serves per partition of keys"),
    "puts": Figure(3500, "1/s", "published", "PUTs that it does"),
    "partitions": Figure(
        1, "", "assumed", "partitions of blobs/, by the hash behind it: S3 splits it when it is used"
    ),
    "table_get": Figure(0.004, "s", "published", "a read from DynamoDB, median"),
    "table_put": Figure(0.006, "s", "published", "a write to it, median"),
    "record": Figure(2, "units", "assumed", "that a write of the run's record takes"),
    "index": Figure(1, "units", "published", "more for its first write, to the index of runs"),
}

FIGURES: Figures = {**ENGINE, **TOP_WORDS}
"""Those of ``top_words``; other jobs bring their own (``workload``)."""


_Used = tuple[float, dict[str, float]]


class Stage(NamedTuple):
    """``used`` and ``dollars`` are by the names of ``prices.ITEMS``."""

    name: str
    seconds: float
    used: dict[str, float]
    dollars: dict[str, float]


class Modelled(NamedTuple):
    """One run. Its stages are those of ``RunRecord.seconds``, after the start of ``parse_file``. ``passes``
    are what the largest reducer makes over its lines. With an ``obstacle``, a sentence, it cannot succeed.
    One Lambda takes ``archive_s`` to unpack and map ``archive``, the slowest object that cannot be split."""

    units: int
    block_units: int
    blocks: int
    concurrency: int
    cold: bool
    passes: int
    obstacle: str
    stages: tuple[Stage, ...]
    blob_bytes: float
    archive: Stored | None = None
    archive_s: float = 0.0

    @property
    def seconds(self) -> float:
        """From invoking to the answer."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def dollars(self) -> float:
        """The sum of all stages and items."""
        return sum(sum(stage.dollars.values()) for stage in self.stages)

    @property
    def dollars_by_item(self) -> dict[str, float]:
        """The sum of all stages, by item."""
        items = dict.fromkeys(item for stage in self.stages for item in stage.dollars)
        return {item: sum(stage.dollars.get(item, 0.0) for stage in self.stages) for item in items}


class Suggestion(NamedTuple):
    """What to ask for, and why; what that takes, and what a request takes that asks for nothing; the curve
    over block sizes. Where no size of a block succeeds, ``modelled`` has an obstacle: then there is nothing
    to ask for."""

    block_units: int
    max_concurrency: int
    reason: str
    modelled: Modelled
    default: Modelled
    curve: tuple[Modelled, ...]


def model(
    units: int,
    concurrency: int,
    *,
    cold: bool,
    block_units: int | None = None,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
    objects: Sequence[Stored] = (),
) -> Modelled:
    """One run, in blocks of ``block_units``, or of what the engine chooses. ``cold`` means that nothing ran
    before; else every function is warm, as often as it is needed. ``objects`` are those of the input, whose
    bytes are then the units; without them it is one plain object."""
    block_units = bounded_block_units(units, block_units or fitting_block_bytes(units, concurrency))
    run = RunModel(units, block_units, concurrency, cold=cold, figures=figures, objects=objects)
    used = {"start": run.start(), "parse": run.parse(), "reduce": run.reduce(), "log": run.log()}
    stages = tuple(
        Stage(name, seconds, items, dollars_of(items, prices)) for name, (seconds, items) in used.items()
    )
    return Modelled(
        units,
        block_units,
        run.blocks,
        concurrency,
        cold,
        run.passes,
        run.obstacle(),
        stages,
        run.blob_bytes,
        run.archive,
        run.archive_s,
    )


class _Task(NamedTuple):
    """What a block has to do: GETs, ``waits`` of them one after the other, bytes to read, text to map,
    and seconds of a core to unpack it."""

    gets: float
    waits: float
    read_bytes: float
    text_bytes: float
    unpack_s: float = 0.0


class RunModel:
    """The stages of one run, each as its seconds and what it uses."""

    def __init__(
        self,
        units: int,
        block_units: int,
        concurrency: int,
        *,
        cold: bool,
        figures: Figures,
        objects: Sequence[Stored] = (),
    ) -> None:
        of = self._of = {name: figure.value for name, figure in figures.items()}
        self._distinct_ones = figures["block_distinct"].unit
        units = max(sum(one.bytes for one in objects) or units, 1)
        block_units = min(block_units, units)
        self.blocks = math.ceil(units / block_units)
        self._concurrency, self._cold, self._objects = concurrency, cold, max(len(objects), 1)
        if all(one.format == "plain" for one in objects) and len(objects) < 2:
            read_bytes = block_units * of["reads"] + of["whole"]
            gets = math.ceil(read_bytes / of["window"])
            tasks = [_Task(gets, gets, read_bytes, block_units)]
            self._gets: float = self.blocks * gets
            text_units: float = units
            largest_blob = block_units * _blob_share(block_units, of)
            self.blob_bytes = largest_blob * units / block_units
            self._maps_s = [self._map_s(tasks[0], largest_blob)] * self.blocks
        else:
            tasks = _tasks(objects, block_units, of)
            self._gets = math.fsum(task.gets for task in tasks)
            text_units = math.fsum(task.text_bytes for task in tasks)
            blobs = [task.text_bytes * _blob_share(task.text_bytes, of) for task in tasks]
            largest_blob, self.blob_bytes = max(blobs), math.fsum(blobs)
            self._maps_s = [self._map_s(task, blob) for task, blob in zip(tasks, blobs, strict=True)]
        self.archive, self.archive_s = None, 0.0
        for one in objects:
            if one.is_one_piece and one.bytes > (self.archive.bytes if self.archive else 0):
                archive_s = self._map_s(_tasks([one], one.bytes, of)[0], 0.0)
                if archive_s > self.archive_s:
                    self.archive, self.archive_s = one, archive_s
        self._mean_mb = self.blob_bytes / 1e6 / of["parts"]  # the lines of a part
        self._block_distinct = largest_blob / of["entry"]
        distinct = text_units * _blob_share(text_units, of) / of["entry"]
        self.passes, self._reads = _passes(distinct / of["parts"] * of["largest_part"], of)
        self.map_s = max(self._maps_s)
        self._largest_s = self._part_s(self._mean_mb * of["largest_part"], self._reads)
        self._since_parse_s = 0.0  # since the first stage began

    def _map_s(self, task: _Task, blob_bytes: float) -> float:
        """The time of a block's handler."""
        of = self._of
        seconds = task.waits * of["get"] + task.read_bytes / 1e6 / of["network"]
        seconds += (of["prepare"] + task.unpack_s + task.text_bytes / 1e6 / of["count"]) / of["arm"]
        return seconds + of["put"] + blob_bytes / 1e6 / of["network"]

    def start(self) -> _Used:
        """From invoking ``parse_file`` until the run is its own: its record is read and written, and old
        results are looked for."""
        of = self._of
        handler_s = 2 * of["table_get"] + of["table_put"]
        seconds = of["overhead"] + self._start_s("imports_other") + handler_s
        used = self._used(billed_s=handler_s + self._init_s("imports_other"), invocations=1)
        return seconds, used | {"table_read_units": 3, "table_write_units": of["record"] + of["index"]}

    def parse(self) -> _Used:
        """The look at the input, the fan-out over the blocks, and the manifest."""
        of = self._of
        start_s = self._start_s("imports_map") + (of["imports_job"] + of["connect"]) * self._cold
        measure_gets = math.ceil(of["whole"] / of["window"])
        measure_s = measure_gets * of["get"] + of["whole"] / 1e6 / of["network"] + of["measure"] / of["arm"]
        measure_s += of["imports_job"] * self._cold
        fanned_s, environments = _fan_out(self._maps_s, self._concurrency, start_s, of)
        fanned_s += self._late_s(self.blocks)
        gets, lists, puts = self._gets, 0, 1
        pin_s = 2 * of["get"]
        if self._objects > 1:
            lists, puts = math.ceil(self._objects / LISTED_AT_ONCE), 2
            pin_s = lists * of["list"] + of["put"]
            if self._objects > INLINE_OBJECTS * self.blocks:
                gets += self.blocks
        else:
            gets += 2
        served_s = max(self._gets / of["gets"], self.blocks / of["puts"])
        seconds = pin_s + measure_s + max(fanned_s, served_s) + of["put"] + 2 * of["table_put"]
        init_s = self._init_s("imports_map") + of["imports_job"] * self._cold
        billed_s = math.fsum(self._maps_s) + environments * init_s + seconds
        self._since_parse_s = seconds
        gets += measure_gets
        kms = self._kms(input_gets=gets, blob_requests=self.blocks + puts)
        return seconds, self._used(billed_s=billed_s, invocations=self.blocks) | kms | {
            "s3_gets": gets,
            "s3_puts": self.blocks + puts + lists,
            "table_write_units": of["record"] * (2 + seconds / TICK_S),
        }

    def reduce(self) -> _Used:
        """``get_all_occurrences`` and its reducers."""
        of = self._of
        parts = int(of["parts"])
        mean_reads = max(self._reads / of["largest_part"], 1.0)
        mean_s = self._part_s(self._mean_mb, mean_reads)
        first = min(of["first_window"], self._concurrency, parts)
        waves = 1 if first == parts else 1 + math.ceil((parts - first) / min(parts, self._concurrency))
        fanned_s = self._largest_s + (waves - 1) * mean_s
        gets = self.blocks * parts * mean_reads
        served_s = gets / (of["gets"] * of["partitions"])
        work_s = max(fanned_s, served_s)
        seconds = of["table_put"] + 2 * of["overhead"] + self._later_starts_s(2) + work_s
        self._since_parse_s += seconds
        billed_s = parts * max(mean_s, served_s) + work_s / 2  # also while they wait for S3
        billed_s += (parts + 0.5) * self._init_s("imports_other")
        warming = (parts + 2) * of["warmed"] * self._cold
        gets += parts
        kms = self._kms(blob_requests=gets)
        return seconds, self._used(billed_s=billed_s + seconds, invocations=parts + 1 + warming) | kms | {
            "s3_gets": gets,
            "table_write_units": of["record"] * (1 + seconds / TICK_S) + parts * 2 * (of["record"] + 1),
            "table_read_units": 5 * seconds / TICK_S,
        }

    def log(self) -> _Used:
        """``log_results``, then the record and the trace."""
        of = self._of
        handler_s = of["table_get"]
        seconds = of["overhead"] + self._later_starts_s(1) + handler_s + of["table_put"] + of["put"]
        billed_s = handler_s / 2 + self._init_s("imports_other") / 2 + seconds
        return seconds, self._used(billed_s=billed_s, invocations=1) | {
            "s3_puts": 1,
            "table_write_units": of["record"],
            "table_read_units": 5,
        }

    def obstacle(self) -> str:
        """Why the run cannot succeed, or nothing."""
        allowed_s = PARSE_BLOCK_TIMEOUT_S - self._of["reserve"]
        if self.archive and self.archive_s > allowed_s:
            return (
                f"A Lambda would take {time_text(self.archive_s)} to unpack and map {self.archive.name}, and "
                f"has {time_text(allowed_s)}."
            )
        if self._largest_s > GET_OCCURRENCES_TIMEOUT_S:
            return (
                f"The reducer of the largest part would take {time_text(self._largest_s)}; its time-out is "
                f"{time_text(GET_OCCURRENCES_TIMEOUT_S)}."
            )
        if self.map_s > PARSE_BLOCK_TIMEOUT_S:
            return (
                f"A block would take {time_text(self.map_s)}; the time-out of its Lambda is "
                f"{time_text(PARSE_BLOCK_TIMEOUT_S)}."
            )
        if self._block_distinct > self._of["block_distinct"]:
            return (
                f"A block would have {self._block_distinct:,.0f} distinct {self._distinct_ones}; the limit "
                f"is {self._of['block_distinct']:,.0f}."
            )
        return ""

    def _part_s(self, lines_mb: float, reads: float) -> float:
        """One reducer that reads ``lines_mb`` of lines ``reads`` times."""
        of = self._of
        each_s = max(
            self.blocks * of["get"] / of["reads_at_once"],
            lines_mb / of["network"],
            self.blocks * of["read"] + lines_mb / (of["reduce"] * of["arm"]),
        )
        manifest_s = of["get"] + self.blocks * of["report"] / 1e6 / of["network"]
        late_s = (of["get_p99"] - of["get"]) * _chance_of_late(self.blocks)
        return manifest_s + of["get"] + each_s * reads + late_s + 2 * of["table_put"]

    def _late_s(self, tasks: int) -> float:
        """What the last of ``tasks`` takes longer than the median."""
        of = self._of
        late_s = max(of["get_p99"] - of["get"], of["put_p99"] - of["put"])
        late_s += (of["init_p99"] - of["init"]) * self._cold
        return late_s * _chance_of_late(tasks)

    def _init_s(self, imports: str) -> float:
        return (self._of["init"] + self._of[imports]) * self._cold

    def _start_s(self, imports: str) -> float:
        return self._of["environment"] * self._cold + self._init_s(imports)

    def _later_starts_s(self, starts: int) -> float:
        """What there is to wait for ``starts`` starts, one after the other; of functions that are warmed,
        from the first tick of the first stage on, what that has left of one."""
        start_s = self._start_s("imports_other")
        warmed_s = max(TICK_S + start_s - self._since_parse_s, 0.0) if self._cold else 0.0
        return min(warmed_s, starts * start_s) if self._of["warmed"] else starts * start_s

    def _kms(self, *, input_gets: float = 0, blob_requests: float = 0) -> dict[str, float]:
        """Requests to KMS, where there are any."""
        requests = input_gets * self._of["kms_input"] + blob_requests * self._of["kms_blobs"]
        return {"kms_requests": requests} if requests else {}

    def _used(self, *, billed_s: float, invocations: float) -> dict[str, float]:
        """Every item of ``prices.ITEMS``; ``billed_s`` are those of a function of full memory."""
        billed = {"gb_s": billed_s * self._of["memory"] / 1024, "invocations": invocations}
        return dict.fromkeys(ITEMS, 0.0) | billed | {"log_gb": invocations * self._of["log"] / 1e9}


def _tasks(objects: Sequence[Stored], block_bytes: int, of: Mapping[str, float]) -> list[_Task]:
    """What each block has to do with what begins in it of ``objects``, end to end. Lambdas read the objects
    of a block ahead; a block that begins inside one looks at its first bytes, unless the request names its
    format."""
    blocks = math.ceil(sum(one.bytes for one in objects) / block_bytes)
    gets, pieces = [0] * blocks, [0] * blocks
    read_bytes, text_bytes, unpack_s = [0.0] * blocks, [0.0] * blocks, [0.0] * blocks
    looks = int(len(objects) > 1)
    address = 0
    for one in objects:
        if not one.bytes:
            continue
        end = address + one.bytes
        for block in range(address // block_bytes, math.ceil(end / block_bytes)):
            first, last = max(block * block_bytes, address), min((block + 1) * block_bytes, end)
            is_first, size = first == address, last - first
            pieces[block] += 1
            if one.format == "plain":
                packed, read, unpacked = size, size, 0.0
            elif one.is_one_piece:
                packed = one.bytes if is_first else 0
                # A block inside a bzip2 object looks for streams that begin there.
                read, unpacked = packed or (size if one.format == "bzip2" else 0), packed
            else:
                streams = _multiples(first - address, last - address, one.stream_bytes)
                packed = streams * one.stream_bytes
                # Where the first one begins is known by unpacking the one before it.
                unpacked = packed + (0 if is_first else one.stream_bytes)
                read = max(unpacked, size)
            windows = math.ceil(size / of["window"]) if read else 0
            behind = _growing_gets(read - size, of) if one.format != "plain" else 0
            gets[block] += windows + behind + (0 if is_first else looks)
            read_bytes[block] += read
            text_bytes[block] += packed * one.ratio
            unpack_s[block] += unpacked / 1e6 / of.get(f"unpack_{one.format}", math.inf)
        address = end
    return [
        _Task(get, max(get - piece, 0) + math.ceil(piece / of["ahead"]), read, text, unpack)
        for get, piece, read, text, unpack in zip(gets, pieces, read_bytes, text_bytes, unpack_s, strict=True)
    ]


def _growing_gets(size: float, of: Mapping[str, float]) -> int:
    """How many GETs read ``size`` bytes if each is twice as large as the one before, up to a window."""
    step, window = of["archive_step"], of["window"]
    if size <= 0:
        return 0
    grown = window - step  # what all GETs that are smaller than a window read
    if size <= grown:
        return math.ceil(math.log2(size / step + 1))
    return int(math.log2(window / step)) + math.ceil((size - grown) / window)


def _multiples(start: int, end: int, step: int) -> int:
    """How many multiples of ``step`` are in ``[start, end)``.

    >>> _multiples(0, 10, 5), _multiples(1, 10, 5), _multiples(6, 10, 5)
    (2, 1, 0)
    """
    return -(-end // step) - -(-start // step)


def _blob_share(block_units: float, of: Mapping[str, float]) -> float:
    """Bytes of the blob per byte of its block: the more text, the fewer of its words are new."""
    return block_units and min(of["blob"] * math.pow(block_units / (5 * MIB), of["blob_growth"]), 1.0)


def _passes(distinct: float, of: Mapping[str, float]) -> tuple[int, float]:
    """How many passes the reducer of ``distinct`` words makes over its lines, and how often it reads them:
    it finds out by trying, each time with four times as many."""
    passes, reads = 1, 0.0
    while distinct > passes * of["distinct"]:
        reads += (passes * of["distinct"] / distinct) ** (1 / (1 + of["blob_growth"]))
        passes *= 4
    return passes, reads + passes


def _chance_of_late(tasks: int) -> float:
    """The chance that one of ``tasks`` is among the slowest of a hundred."""
    return float(1 - 0.99**tasks)


def _fan_out(
    tasks_s: Sequence[float], at_once: int, start_s: float, of: Mapping[str, float]
) -> tuple[float, int]:
    """The seconds of a fan-out over tasks that take ``tasks_s``, and how many environments it made:
    ``map_reduce``, played. A call goes to an idle environment, else to a new one, which takes ``start_s``
    more (0: all are there)."""
    window = min(of["first_window"], at_once)
    ends: list[float] = []
    now = caller_free_at = 0.0
    idle, environments, begun = (0 if start_s else at_once), 0, 0
    while begun < len(tasks_s) or ends:
        while begun < len(tasks_s) and len(ends) < int(window):
            caller_free_at = max(caller_free_at, now) + of["invoke"]
            begins_at = max(caller_free_at, (begun - of["requests_burst"]) / of["requests"])
            if idle:
                idle -= 1
            else:
                environments += 1
                begins_at = max(begins_at, (environments - of["burst"]) / of["scaling"]) + start_s
            heapq.heappush(ends, begins_at + of["overhead"] + tasks_s[begun])
            begun += 1
        now = heapq.heappop(ends)
        idle += 1
        window = min(window + 1, at_once)
    return now, environments


def curve(
    units: int,
    concurrency: int,
    *,
    cold: bool,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
    objects: Sequence[Stored] = (),
) -> tuple[Modelled, ...]:
    """Runs by block size, each twice the one before, from the smallest that the engine allows up to
    one block."""
    sizes = [LEAST_UNITS << doubling for doubling in range(MOST_DOUBLINGS + 1)]
    fine = next((size for size in sizes if units <= MAX_BLOCKS * size), sizes[-1])
    coarse = next((size for size in sizes if size >= units), sizes[-1])
    return tuple(
        model(
            units,
            concurrency,
            cold=cold,
            block_units=size,
            prices=prices,
            figures=figures,
            objects=objects,
        )
        for size in sizes
        if fine <= size <= coarse
    )


def suggest(
    units: int,
    concurrency_quota: int,
    *,
    cold: bool = True,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
    unit: str = BYTES,
    block_units: int | None = None,
    objects: Sequence[Stored] = (),
) -> Suggestion:
    """The cheapest of the block sizes that are about as fast as the fastest, in an account of that quota.
    ``block_units`` is what the job takes by default, if it has a choice of its own."""
    concurrency = max(min(concurrency_quota - ORCHESTRATORS, MAX_CONCURRENCY), 1)
    runs = curve(units, concurrency, cold=cold, prices=prices, figures=figures, objects=objects)
    default = model(
        units,
        min(concurrency, DEFAULT_MAX_CONCURRENCY),
        cold=cold,
        block_units=block_units,
        prices=prices,
        figures=figures,
        objects=objects,
    )
    possible = [run for run in runs if not run.obstacle] or runs
    fastest_s = min(run.seconds for run in possible)
    best = min((run for run in possible if run.seconds <= ABOUT * fastest_s), key=lambda run: run.dollars)
    at_once = min(best.blocks, concurrency)
    return Suggestion(
        best.block_units, at_once, _why(best, runs, concurrency_quota, unit), best, default, runs
    )


def _why(best: Modelled, runs: Sequence[Modelled], quota: int, unit: str) -> str:
    size = block_text(best.block_units, unit)
    sentences = []
    finer = [run for run in runs if run.block_units < best.block_units]
    coarser = [run for run in runs if run.block_units > best.block_units]
    if finer:
        sentences.append(_against(finer[-1], best, "smaller", unit))
    if coarser:
        sentences.append(_against(coarser[0], best, "larger", unit))
    if best.blocks == 1:
        at_once = "One Lambda takes it"
    elif best.blocks <= best.concurrency:
        at_once = f"{best.blocks:,} Lambdas take one block each"
    elif best.concurrency == MAX_CONCURRENCY:
        at_once = f"A run uses at most {best.concurrency:,} Lambdas at once"
    elif quota <= ORCHESTRATORS:
        at_once = f"A quota of {quota} leaves room for one block at a time"
    else:
        at_once = f"A quota of {quota:,} leaves room for {best.concurrency:,} beside the two that coordinate"
    return f"Blocks of {size}: {'; '.join(sentences) or 'the input is one block'}. {at_once}."


def _against(other: Modelled, best: Modelled, word: str, unit: str) -> str:
    size = block_text(other.block_units, unit)
    if other.obstacle:
        return f"{word} ones ({size}) cannot succeed"
    return (
        f"{word} ones ({size}) take {other.seconds / best.seconds:.2f} times as long "
        f"and cost {other.dollars / best.dollars:.2f} times as much"
    )
