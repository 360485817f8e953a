"""What a run of ``top_words`` takes on AWS, modelled: seconds and dollars, by stage and by kind of request.

``python -m benchmarks.model`` prints the tables of docs/performance.md. Nobody ran it there: each figure says
whether it was measured here, published, assumed, or is this project's own code. Change one and see.
"""

import heapq
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lambda_src.blocks import MAX_BLOCKS, bounded_block_units, fitting_block_bytes
from lambda_src.map_reduce import FIRST_WINDOW
from lambda_src.messages import MAX_CONCURRENCY
from lambda_src.prices import PRICES, REFERENCE, Prices
from lambda_src.prices import dollars as dollars_of
from lambda_src.settings import ONE_VCPU_MB

MIB = 1 << 20
ATHENA_LEAST_BYTES = 10_000_000
"""Athena charges for as many at least."""

STEADY_SHARE = 1.05
"""``suggest`` calls two runs equally fast if neither takes longer than the other by more."""

ORCHESTRATORS = 2
"""``parse_file`` and ``get_all_occurrences`` run beside those that they call, and count in the quota."""


class Figure(NamedTuple):
    """``kind`` is measured, published, assumed, or code: what this project's own code does."""

    value: float
    unit: str
    kind: str
    what: str


FIGURES = {
    # The job, on one core of an x86 server; text as in English Wikipedia.
    "count": Figure(300, "MB/s", "measured", "counting in C, per core"),
    "reduce": Figure(190, "MB/s", "measured", "summing lines in C, per core"),
    "arm": Figure(1.0, "", "assumed", "speed of one arm64 vCPU against the core here"),
    "blob": Figure(0.115, "", "measured", "bytes of a blob per byte of a block of 5 MiB"),
    "blob_growth": Figure(
        -0.33, "", "measured", "exponent by which that changes with the size of a block: up to 6 MB, beyond assumed"
    ),
    "largest_part": Figure(2.72, "", "measured", "the largest part's line against the mean of all"),
    "word": Figure(12.8, "bytes", "measured", "a distinct word and its count in a line"),
    "parts": Figure(20, "", "code", "parts, one reducer each"),
    "distinct": Figure(4_000_000, "", "code", "distinct words that a reducer sums in one pass"),
    # Lambda.
    "environment": Figure(0.35, "s", "published", "to create an environment: 0.2 to 0.5 s, of which the middle"),
    "init": Figure(0.082, "s", "published", "INIT of Python 3.13 on arm64 without imports, median"),
    "init_p99": Figure(0.123, "s", "published", "the slowest of a hundred"),
    "imports_map": Figure(0.075, "s", "measured", "imports of parse_block without bytecode"),
    "imports_other": Figure(0.1, "s", "measured", "imports of the other functions without bytecode"),
    "warmed": Figure(1, "", "code", "1: the second stage's functions are warmed while the first is at work"),
    "connect": Figure(0.02, "s", "assumed", "an environment's first connection to S3: DNS, TCP and TLS"),
    "overhead": Figure(0.015, "s", "assumed", "of an invocation, to its handler and back"),
    "burst": Figure(1000, "", "published", "environments that a function may have at once"),
    "scaling": Figure(100, "1/s", "published", "more of them: 1,000 each 10 s"),
    "network": Figure(80, "MB/s", "published", "between a Lambda and S3: 75 to 90"),
    "memory": Figure(ONE_VCPU_MB, "MB", "code", "of parse_file, parse_block, get_occurrences; half for the others"),
    "log": Figure(1000, "bytes", "assumed", "what Lambda itself logs of an invocation"),
    # The fan-out.
    "invoke": Figure(0.0003, "s", "measured", "processor time of one invoke, under one GIL"),
    "first_window": Figure(FIRST_WINDOW, "", "code", "calls at once at the beginning; one more with each answer"),
    "reads_at_once": Figure(32, "", "code", "GETs at once by a reducer"),
    "read": Figure(0.0003, "s", "measured", "processor time of one GET in a reducer"),
    "window": Figure(8 * MIB, "bytes", "code", "of a block, read by one GET; the next one follows when it is counted"),
    # S3 and DynamoDB.
    "get": Figure(0.027, "s", "published", "first byte of a GET from S3, median"),
    "get_p99": Figure(0.103, "s", "published", "the slowest of a hundred"),
    "put": Figure(0.041, "s", "published", "a PUT to S3, median"),
    "put_p99": Figure(0.125, "s", "published", "the slowest of a hundred"),
    "gets": Figure(5500, "1/s", "published", "GETs that S3 serves per partition of keys"),
    "puts": Figure(3500, "1/s", "published", "PUTs that it does"),
    "partitions": Figure(1, "", "assumed", "partitions of blobs/, by the hash behind it: S3 splits it when it is used"),
    "table_get": Figure(0.004, "s", "published", "a read from DynamoDB, median"),
    "table_put": Figure(0.006, "s", "published", "a write to it, median"),
    "record": Figure(2, "units", "assumed", "that a write of the run's record takes"),
}

BEFORE = {
    **FIGURES,
    "imports_other": Figure(0.45, "s", "measured", "with boto3"),
    "warmed": Figure(0, "", "code", "each function starts when it is called"),
    "invoke": Figure(0.001, "s", "measured", "by boto3: 0.8 to 1.3 ms"),
}
"""What was, before the functions did without boto3 and the second stage's were warmed."""

Figures = Mapping[str, Figure]


class Stage(NamedTuple):
    """``used`` and ``dollars`` are by the names of ``prices.ITEMS``."""

    name: str
    seconds: float
    used: dict[str, float]
    dollars: dict[str, float]


class Modelled(NamedTuple):
    """One run. Its stages are those of ``RunRecord.seconds``, after the start of ``parse_file``."""

    input_bytes: int
    block_bytes: int
    blocks: int
    concurrency: int
    cold: bool
    passes: int
    stages: tuple[Stage, ...]

    @property
    def seconds(self) -> float:
        """From invoking to the answer."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def dollars(self) -> float:
        """Of all items and stages."""
        return sum(sum(stage.dollars.values()) for stage in self.stages)

    @property
    def dollars_by_item(self) -> dict[str, float]:
        """Of all stages, by the names of ``prices.ITEMS``."""
        return {item: sum(stage.dollars[item] for stage in self.stages) for item in self.stages[0].dollars}


class Suggestion(NamedTuple):
    """What to ask for, and why; what it takes, and what the defaults take; the curve over block sizes."""

    block_bytes: int
    max_concurrency: int
    reason: str
    modelled: Modelled
    default: Modelled
    curve: tuple[Modelled, ...]


def model(
    input_bytes: int,
    concurrency: int,
    *,
    cold: bool,
    block_bytes: int | None = None,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
) -> Modelled:
    """One run, in blocks of ``block_bytes``, or of what the engine chooses."""
    raise NotImplementedError


def curve(
    input_bytes: int,
    concurrency: int,
    *,
    cold: bool,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
) -> tuple[Modelled, ...]:
    """Runs by block size, from 1/4 MiB doubling to 1 GiB, as far as the input has that many blocks and the
    engine allows them."""
    raise NotImplementedError


def suggest(
    input_bytes: int,
    concurrency_quota: int,
    *,
    cold: bool = True,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
) -> Suggestion:
    """The cheapest of the block sizes that are about as fast as the fastest, in an account of that quota."""
    raise NotImplementedError


def athena_dollars(input_bytes: int, prices: Prices = PRICES[REFERENCE, "arm64"]) -> float:
    """What Athena charges for one scan.

    >>> athena_dollars(10**12), athena_dollars(1)
    (5.0, 5e-05)
    """
    return max(input_bytes, ATHENA_LEAST_BYTES) / 1e12 * prices.athena_tb
