"""How a run divides its work, chosen before anything is mapped: by the model, so nothing is tried out."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lambda_src.errors import InvalidRequest
from lambda_src.fields import MAX_SHARDS
from lambda_src.input.blocks import LARGEST_BYTES, LEAST_BLOCKS, MAX_BLOCKS, SMALLEST_BYTES
from lambda_src.input.formats import CANNOT_BE_SPLIT, Format
from lambda_src.job import ShardBy
from lambda_src.run.model import RunModel, Used, Values, even_blocks, shards_for_one_pass
from lambda_src.run.prices import PRICES, REFERENCE, Prices, dollars
from lambda_src.settings import GET_OCCURRENCES_TIMEOUT_S, PARSE_BLOCK_TIMEOUT_S

ABOUT = 1.03
"""A plan is about as fast as the fastest if it takes at most this many times as long."""

BY_PART_ABOUT, BY_PART_DOLLARS = 1.05, 0.0005
"""Reducers by part are preferred if the run takes at most this many times as long as the fastest, and costs
at most this many dollars more than by key: each part then has its own reducer, as published, and nothing is
merged."""

MOST_TIMES, OF_ATHENA = 2.0, 0.5
"""A faster plan may cost this many times as much as the cheapest one, or this share of Athena's price."""

SHARDS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Reducers by key that are considered."""

NO_LARGER = "no larger, so that these options take no Lambda too long"
"""Why blocks are smaller than planned: ``Job.largest_block``."""

FINER = 2**0.5
"""A block is this many times as large as the next smaller one that is considered."""


BY_REQUEST, BY_JOB = "requested", "chosen by the job"


class Wanted(NamedTuple):
    """What is decided before, and why: by the request or by the job."""

    block_units: int | None = None
    shard_by: ShardBy | None = None
    shards: int | None = None
    block_because: str = BY_REQUEST
    shards_because: str = BY_REQUEST


NOTHING = Wanted()


def check(wanted: Wanted, sharded_by: Sequence[ShardBy], parts: int) -> None:
    """Raise InvalidRequest if the job cannot have such reducers."""
    if wanted.shard_by and wanted.shard_by not in sharded_by:
        instead = f"its reducers are by {sharded_by[0]}" if sharded_by else "it has one reducer"
        raise InvalidRequest(f"shard_by: this job has no reducers by {wanted.shard_by}, {instead}.")
    any_number = wanted.shard_by != "part" and not {"key", "share"}.isdisjoint(sharded_by)
    always = parts if sharded_by else 1
    if wanted.shards not in (None, always) and not any_number:
        raise InvalidRequest(f"shards: there are always {always:,} here; leave it out.")


class Plan(NamedTuple):
    """Units of a block; reducers, by part or by key; and why. ``seconds`` and ``dollars`` are what the model
    says of the run when nothing is warm. It ``fits`` if no block and no reducer is too large."""

    block_units: int
    shard_by: ShardBy
    shards: int
    seconds: float
    dollars: float
    fits: bool
    block_because: str = ""
    shards_because: str = ""


def choose(
    units: int,
    concurrency: int,
    of: Values,
    sharded_by: Sequence[ShardBy],
    wanted: Wanted = NOTHING,
    *,
    objects: int = 1,
    stored_as: Format = "plain",
    keeps: bool = False,
    prices: Prices = PRICES[REFERENCE, "arm64"],
) -> Plan:
    """The cheapest plan that is about as fast as the fastest, for a run of ``units`` on ``concurrency``
    Lambdas at once; reducers by part if they cost next to nothing more. ``of`` are the figures of the job,
    ``stored_as`` is the format of most objects, ``keeps`` whether all sums are stored.

    No plan has blocks or reducers that the model says fail, if there is another one.
    """
    text_units = units * (1.0 if stored_as == "plain" else of["ratio"])
    ways = list(_ways(text_units, concurrency, of, sharded_by, wanted))
    found: list[Plan] = []
    fastest_s = math.inf
    one_piece = objects == 1 and stored_as in CANNOT_BE_SPLIT
    for block_units in _block_sizes(units, concurrency, wanted, one_piece=one_piece):
        blocks = even_blocks(units, block_units, concurrency, of, stored_as)
        run = RunModel(blocks, concurrency, of, cold=True, objects=objects, keeps=keeps)
        for plan in _plans(run, block_units, ways, prices, BY_PART_ABOUT * fastest_s):
            found.append(plan)
            if plan.fits:
                fastest_s = min(fastest_s, plan.seconds)
    best = _best(found, OF_ATHENA * units / 1e12 * prices.athena_tb)
    return best._replace(
        block_because=wanted.block_because
        if wanted.block_units
        else f"planned for {concurrency:,} Lambdas at once",
        shards_because=_why(best, sharded_by, wanted),
    )


def _plans(
    run: RunModel, block_units: int, ways: Sequence[tuple[ShardBy, int]], prices: Prices, most_s: float
) -> Iterator[Plan]:
    """The plans with such blocks, unless they take longer than ``most_s`` before they reduce."""
    start, parse = run.start(), run.parse()
    mapped_s = start[0] + parse[0]
    if mapped_s > most_s:
        return
    mapped_dollars = _dollars(start[1], prices) + _dollars(parse[1], prices)
    fits = run.blocks.slowest_s <= PARSE_BLOCK_TIMEOUT_S and run.counts_at_once
    for shard_by, shards in ways:
        reduce, log = run.reduce(shard_by, shards), run.log()
        yield Plan(
            block_units,
            shard_by,
            shards,
            mapped_s + reduce[0] + log[0],
            mapped_dollars + _dollars(reduce[1], prices) + _dollars(log[1], prices),
            fits and run.largest_s <= GET_OCCURRENCES_TIMEOUT_S,
        )


def _dollars(used: Used, prices: Prices) -> float:
    return math.fsum(dollars(used, prices).values())


def _best(found: Sequence[Plan], dollars: float) -> Plan:
    """The best plan; of those that cost more than ``dollars``, not the dearest."""
    fitting = [plan for plan in found if plan.fits] or found
    most_dollars = max(MOST_TIMES * min(plan.dollars for plan in fitting), dollars)
    possible = [plan for plan in fitting if plan.dollars <= most_dollars]
    fastest_s = min(plan.seconds for plan in possible)
    best = min(
        (plan for plan in possible if plan.seconds <= ABOUT * fastest_s), key=lambda plan: plan.dollars
    )
    by_part = [
        plan
        for plan in possible
        if plan.shard_by == "part"
        and plan.seconds <= BY_PART_ABOUT * fastest_s
        and plan.dollars <= best.dollars + BY_PART_DOLLARS
    ]
    return min(by_part, key=lambda plan: plan.dollars, default=best)


def _block_sizes(units: int, concurrency: int, wanted: Wanted, *, one_piece: bool) -> Iterator[int]:
    """Sizes of blocks that are worth a look, all of one input alike."""
    least = -(-units // MAX_BLOCKS)
    if wanted.block_units:
        yield max(wanted.block_units, least)
        return
    if one_piece or units <= SMALLEST_BYTES:
        yield max(units, SMALLEST_BYTES)
        return
    most = max(SMALLEST_BYTES, min(LARGEST_BYTES, -(-units // LEAST_BLOCKS)), least)
    numbers = set()
    size = float(most)
    while size >= max(SMALLEST_BYTES, least):
        numbers.add(math.ceil(units / size))
        size /= FINER
    rounds = -(-math.ceil(units / most) // concurrency)
    numbers |= {
        more * concurrency
        for more in range(rounds, rounds + 4)
        if units >= more * concurrency * SMALLEST_BYTES
    }
    for number in sorted(numbers):
        yield -(-units // number)


def _ways(
    text_units: float, concurrency: int, of: Values, sharded_by: Sequence[ShardBy], wanted: Wanted
) -> Iterator[tuple[ShardBy, int]]:
    """How the reducers may divide their work; by part only where all can run at once, unless they must."""
    if not sharded_by:
        yield "key", 1
        return
    by = wanted.shard_by or ("key" if wanted.shards and "key" in sharded_by else None)
    allowed = [by] if by else sharded_by
    parts = int(of["parts"])
    if "part" in allowed and (parts <= concurrency or "key" not in allowed):
        yield "part", parts
    if "key" in allowed:
        enough = min(shards_for_one_pass(text_units, of), MAX_SHARDS)
        counts = {wanted.shards} if wanted.shards else {*SHARDS, enough}
        yield from (("key", count) for count in sorted(counts))
    if "share" in allowed:
        yield "share", wanted.shards or int(of["shares"])


def _why(plan: Plan, sharded_by: Sequence[ShardBy], wanted: Wanted) -> str:
    if plan.shard_by == "share" and not wanted.shards:
        return BY_JOB
    if wanted.shards or wanted.shard_by:
        return wanted.shards_because
    if len(sharded_by) < 2:
        return "as the job always does"
    if plan.shard_by == "part":
        return "planned: about as fast as by key"
    return "planned: faster or cheaper than by part"
