"""A run as a person reads it before anything is paid for: the seconds and dollars of each stage, by
``lambda_src.run.model``, for the plan that the run itself would choose, and for others."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fanfold.estimate.workload import Stored
from fanfold.format import time_text
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.figures import Figures, values_of
from lambda_src.input.addresses import LOOKED_AT, likely_format
from lambda_src.input.blocks import MAX_BLOCKS, bounded_block_units
from lambda_src.job import BYTES, ShardBy
from lambda_src.run.model import (
    ORCHESTRATORS,
    Blocks,
    RunModel,
    Task,
    Values,
    blob_share,
    even_blocks,
    map_s,
)
from lambda_src.run.plan import NOTHING, Plan, Wanted, choose
from lambda_src.run.prices import PRICES, REFERENCE, Prices
from lambda_src.run.prices import dollars as dollars_of
from lambda_src.settings import GET_OCCURRENCES_TIMEOUT_S, PARSE_BLOCK_TIMEOUT_S

LEAST_UNITS, MOST_DOUBLINGS = 1 << 18, 12
"""Block sizes in a curve: from 1/4 MiB to 1 GiB."""


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
    shard_by: ShardBy
    shards: int
    concurrency: int
    cold: bool
    passes: int
    obstacle: str
    stages: tuple[Stage, ...]
    blob_bytes: float
    kept_bytes: float
    pieces_bytes: float = 0.0
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


class Given(NamedTuple):
    """What is to be run: ``units`` of a job with these figures. ``objects`` are those of the input, whose
    bytes are then the units; without them it is one plain object. The run may keep all sums."""

    units: int
    figures: Figures
    sharded_by: Sequence[ShardBy] = ()
    objects: Sequence[Stored] = ()
    unit: str = BYTES
    prices: Prices = PRICES[REFERENCE, "arm64"]
    keeps: bool = False


def plan(given: Given, concurrency: int, wanted: Wanted = NOTHING) -> Plan:
    """The plan that the run itself would choose: it knows the format of a single object, but only the names
    of several."""
    objects = given.objects
    stored_as = likely_format(
        (one.name, one.bytes, one.format if len(objects) == 1 else None) for one in objects[:LOOKED_AT]
    )
    return choose(
        given.units,
        concurrency,
        values_of(given.figures),
        given.sharded_by,
        wanted,
        objects=max(len(objects), 1),
        stored_as=stored_as,
        prices=given.prices,
        keeps=given.keeps,
    )


def model(given: Given, plan: Plan, concurrency: int, *, cold: bool) -> Modelled:
    """One run by that plan. ``cold`` means that nothing ran before; else every function is warm, as often as
    it is needed."""
    of = values_of(given.figures)
    block_units = bounded_block_units(given.units, plan.block_units)
    blocks = _blocks(given, block_units, concurrency, of)
    run = RunModel(blocks, concurrency, of, cold=cold, objects=max(len(given.objects), 1), keeps=given.keeps)
    used = {
        "start": run.start(),
        "parse": run.parse(),
        "reduce": run.reduce(plan.shard_by, plan.shards),
        "log": run.log(),
    }
    archive, archive_s = _slowest_archive(given.objects, of)
    return Modelled(
        given.units,
        block_units,
        blocks.number,
        plan.shard_by,
        plan.shards,
        concurrency,
        cold,
        run.passes,
        _obstacle(run, archive, archive_s, given.figures),
        tuple(
            Stage(name, seconds, items, dollars_of(items, given.prices))
            for name, (seconds, items) in used.items()
        ),
        blocks.blob_bytes,
        run.kept_bytes,
        run.pieces_bytes,
        archive,
        archive_s,
    )


def curve(given: Given, concurrency: int, *, cold: bool) -> tuple[Modelled, ...]:
    """Runs by block size, each twice the one before, from the smallest that the engine allows up to one
    block; the reducers are planned for each."""
    sizes = [LEAST_UNITS << doubling for doubling in range(MOST_DOUBLINGS + 1)]
    fine = next((size for size in sizes if given.units <= MAX_BLOCKS * size), sizes[-1])
    coarse = next((size for size in sizes if size >= given.units), sizes[-1])
    return tuple(
        model(given, plan(given, concurrency, Wanted(size)), concurrency, cold=cold)
        for size in sizes
        if fine <= size <= coarse
    )


def at_once(quota: int, most: int = MAX_CONCURRENCY) -> int:
    """The number of Lambdas of a run that work at once in an account with that quota."""
    return max(min(quota - ORCHESTRATORS, most), 1)


def _blocks(given: Given, block_units: int, concurrency: int, of: Values) -> Blocks:
    objects = given.objects
    if len(objects) < 2 and all(one.format == "plain" for one in objects):
        return even_blocks(given.units, block_units, concurrency, of)
    tasks = tasks_of(objects, block_units, of)
    blobs = [task.text_bytes * blob_share(task.text_bytes, of) for task in tasks]
    seconds = [map_s(task, blob, of) for task, blob in zip(tasks, blobs, strict=True)]
    return Blocks(
        len(tasks),
        math.fsum(task.gets for task in tasks),
        max(seconds),
        math.fsum(seconds),
        max(blobs),
        math.fsum(blobs),
        math.fsum(task.text_bytes for task in tasks),
    )


def _slowest_archive(objects: Sequence[Stored], of: Values) -> tuple[Stored | None, float]:
    slowest, slowest_s = None, 0.0
    for one in objects:
        if one.is_one_piece and one.bytes > (slowest.bytes if slowest else 0):
            seconds = map_s(tasks_of([one], one.bytes, of)[0], 0.0, of)
            if seconds > slowest_s:
                slowest, slowest_s = one, seconds
    return slowest, slowest_s


def _obstacle(run: RunModel, archive: Stored | None, archive_s: float, figures: Figures) -> str:
    """Why the run cannot succeed, or nothing."""
    allowed_s = PARSE_BLOCK_TIMEOUT_S - figures["reserve"].value
    if archive and archive_s > allowed_s:
        return (
            f"A Lambda would take {time_text(archive_s)} to unpack and map {archive.name}, and has "
            f"{time_text(allowed_s)}."
        )
    if run.largest_s > GET_OCCURRENCES_TIMEOUT_S:
        return (
            f"The reducer of the largest part would take {time_text(run.largest_s)}; its time-out is "
            f"{time_text(GET_OCCURRENCES_TIMEOUT_S)}."
        )
    if run.blocks.slowest_s > PARSE_BLOCK_TIMEOUT_S:
        return (
            f"A block would take {time_text(run.blocks.slowest_s)}; the time-out of its Lambda is "
            f"{time_text(PARSE_BLOCK_TIMEOUT_S)}."
        )
    limit = figures["block_distinct"]
    if run.block_distinct > limit.value:
        return (
            f"A block would have {run.block_distinct:,.0f} distinct {limit.unit}; the limit is "
            f"{limit.value:,.0f}."
        )
    return ""


def tasks_of(objects: Sequence[Stored], block_bytes: int, of: Mapping[str, float]) -> list[Task]:
    """The task of each block, for what begins in it of ``objects``, which are end to end. Lambdas read the
    objects of a block ahead; a block that begins inside one looks at its first bytes, unless the request
    names its format."""
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
                read, unpacked = packed, packed
            else:
                units = _multiples(first - address, last - address, one.unit_bytes)
                packed = units * one.unit_bytes
                # Where the first one begins is known by unpacking the one before it.
                unpacked = packed + (one.unit_bytes if units and not is_first else 0)
                read = max(unpacked, size)
            window = of["window" if one.format == "plain" else "archive_window"]
            windows = math.ceil(size / window) if read else 0
            behind = _growing_gets(read - size, of) if one.format != "plain" else 0
            gets[block] += windows + behind + (0 if is_first else looks)
            read_bytes[block] += read
            text_bytes[block] += packed * one.ratio
            unpack_s[block] += unpacked / 1e6 / of.get(f"unpack_{one.format}", math.inf)
        address = end
    return [
        Task(get, max(get - piece, 0) + math.ceil(piece / of["ahead"]), read, text, unpack)
        for get, piece, read, text, unpack in zip(gets, pieces, read_bytes, text_bytes, unpack_s, strict=True)
    ]


def _growing_gets(size: float, of: Mapping[str, float]) -> int:
    """How many GETs read ``size`` bytes if each is twice as large as the one before, up to a window."""
    step, window = of["archive_step"], of["archive_window"]
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
