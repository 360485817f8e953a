"""What a run of ``top_words`` would take on AWS, modelled: python -m benchmarks.model

Nobody ran it there. Each figure is marked as measured (here, on one x86 core, by benchmarks/kernels.py and
benchmarks/jobs.py), published (by AWS or by people who measured it), or assumed. Change one and see.
"""

import math
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from lambda_src.blocks import bounded_block_units, fitting_block_bytes
from lambda_src.map_reduce import FIRST_WINDOW
from lambda_src.messages import MAX_CONCURRENCY
from lambda_src.reduce_part import READS_AT_ONCE
from lambda_src.settings import ONE_VCPU_MB

PARTS = 20


class Figure(NamedTuple):
    """``kind`` is measured, published or assumed."""

    value: float
    unit: str
    kind: str
    what: str


FIGURES = {
    "count": Figure(300, "MB/s", "measured", "counting in C, per core"),
    "reduce": Figure(190, "MB/s", "measured", "summing lines in C, per core"),
    "blob": Figure(0.08, "", "measured", "bytes of a blob per byte of a block of 5 MiB; less of larger ones"),
    "arm": Figure(1.0, "", "assumed", "speed of one arm64 vCPU against the core here"),
    "environment": Figure(
        0.35, "s", "published", "to create an environment: 0.2 to 0.5 s, of which the middle"
    ),
    "init": Figure(0.082, "s", "published", "INIT of Python 3.13 on arm64 without imports, median"),
    "imports": Figure(0.075, "s", "measured", "imports of parse_block without bytecode"),
    "imports_boto3": Figure(
        0.2, "s", "assumed", "imports of the functions with boto3, bytecode in the runtime"
    ),
    "burst": Figure(1000, "", "published", "environments that a function may have at once"),
    "scaling": Figure(100, "1/s", "published", "more of them: 1,000 each 10 s"),
    "invoke": Figure(0.001, "s", "published", "processor time of one invoke under one GIL: 0.8 to 1.3 ms"),
    "get": Figure(0.027, "s", "published", "first byte of a GET from S3, median"),
    "put": Figure(0.041, "s", "published", "a PUT to S3, median"),
    "connection": Figure(80, "MB/s", "published", "per connection to S3: 75 to 90"),
    "gets": Figure(5500, "1/s", "published", "GETs per partitioned prefix; keys begin with a hash"),
    "prefixes": Figure(16, "", "assumed", "prefixes that S3 has partitioned by then, for a large run"),
    "dollars_gb_s": Figure(0.0000133334, "$", "published", "Lambda on arm64, us-east-1"),
    "dollars_invoke": Figure(0.2e-6, "$", "published", "an invocation"),
    "dollars_put": Figure(5e-6, "$", "published", "a PUT to S3"),
    "dollars_get": Figure(0.4e-6, "$", "published", "a GET from S3"),
    "dollars_write": Figure(0.625e-6, "$", "published", "a write to DynamoDB"),
    "dollars_athena": Figure(5.0, "$", "published", "a TB scanned by Athena"),
}


def of(name: str) -> float:
    """The figure of that name."""
    return FIGURES[name].value


class Modelled(NamedTuple):
    """Seconds by stage, what limits the first two, and the dollars of all."""

    block_bytes: int
    blocks: int
    parse_s: float
    reduce_s: float
    rest_s: float
    limit: str
    dollars: float

    @property
    def seconds(self) -> float:
        """From invoking to the answer."""
        return self.parse_s + self.reduce_s + self.rest_s


def model(input_bytes: int, concurrency: int, *, cold: bool, block_bytes: int | None = None) -> Modelled:
    """One run."""
    block_bytes = bounded_block_units(
        input_bytes, block_bytes or fitting_block_bytes(input_bytes, concurrency)
    )
    blocks = math.ceil(input_bytes / block_bytes)
    start_s = of("environment") + of("init") if cold else 0.0
    mb = block_bytes / 1e6
    blob_mb = mb * of("blob")

    block_s = of("get") + mb / of("connection") + mb / of("count") / of("arm") + of("put")
    block_s += blob_mb / of("connection")
    at_once = min(blocks, concurrency)
    growing_s = math.log2(max(at_once / FIRST_WINDOW, 1)) * (block_s + of("invoke"))
    limits = {
        "work of the Lambdas": block_s * math.ceil(blocks / at_once) + growing_s,
        "invoking, under one GIL": blocks * of("invoke"),
    }
    if cold:
        limits["scaling of environments"] = max(at_once - of("burst"), 0) / of("scaling")
    limit = max(limits, key=lambda name: limits[name])
    parse_s = max(limits.values()) + (start_s + of("imports") if cold else 0.0)

    line_mb = input_bytes / 1e6 * of("blob") / PARTS * 3  # the largest part has three times the mean
    reads_s = blocks * (of("get") / READS_AT_ONCE)
    rate_s = blocks * PARTS / (of("gets") * min(of("prefixes"), max(blocks / 1000, 1)))
    reduce_limits = {
        "GETs of the reducers": max(reads_s, rate_s),
        "summing": line_mb / of("reduce") / of("arm"),
    }
    reduce_limit = max(reduce_limits, key=lambda name: reduce_limits[name])
    reduce_s = max(reduce_limits.values()) + 2 * of("get")
    reduce_s += 2 * (start_s + of("imports_boto3")) if cold else 0.0  # get_all_occurrences, then its own

    rest_s = 4 * of("get") + 0.05 + (2 * (start_s + of("imports_boto3")) if cold else 0.0)
    gb = ONE_VCPU_MB / 1024
    billed_s = blocks * block_s + at_once * (of("init") + of("imports")) * cold
    billed_s += PARTS * reduce_s + 1.5 * (parse_s + reduce_s + rest_s)
    dollars = (
        billed_s * gb * of("dollars_gb_s")
        + (blocks + PARTS + 3) * of("dollars_invoke")
        + (blocks + 2) * of("dollars_put")
        + (blocks * (1 + PARTS) + 30) * of("dollars_get")
        + (2 * PARTS + 2 * (parse_s + reduce_s + rest_s)) * of("dollars_write")
    )
    first = limit if parse_s >= reduce_s else reduce_limit
    return Modelled(block_bytes, blocks, parse_s, reduce_s, rest_s, first, dollars)


def main() -> None:
    """Print the figures, the runs, and the curve over block sizes."""
    console = Console(width=150)
    figures = Table(title="Figures")
    for heading in ("figure", "value", "kind", "what"):
        figures.add_column(heading)
    for name, figure in FIGURES.items():
        figures.add_row(name, f"{figure.value:g} {figure.unit}", figure.kind, figure.what)
    console.print(figures)

    runs = Table(title="Runs")
    for heading in (
        "input",
        "at once",
        "start",
        "block",
        "blocks",
        "parse",
        "reduce",
        "all",
        "limit",
        "$",
        "Athena $",
    ):
        runs.add_column(heading, justify="right")
    for size in (10**9, 10**10, 10**11, 10**12):
        for concurrency in (250, MAX_CONCURRENCY):
            for cold in (True, False):
                run = model(size, concurrency, cold=cold)
                runs.add_row(
                    f"{size / 1e9:,.0f} GB",
                    str(concurrency),
                    "cold" if cold else "warm",
                    f"{run.block_bytes / 1e6:.1f} MB",
                    f"{run.blocks:,}",
                    f"{run.parse_s:.1f} s",
                    f"{run.reduce_s:.1f} s",
                    f"{run.seconds:.1f} s",
                    run.limit,
                    f"{run.dollars:.4f}",
                    f"{size / 1e12 * of('dollars_athena'):.4f}",
                )
    console.print(runs)

    curve = Table(
        title="1 GB at 250, warm, by block size: too coarse gains nothing, too fine costs more than it saves"
    )
    for heading in ("block", "blocks", "all", "$"):
        curve.add_column(heading, justify="right")
    for mib in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 250):
        run = model(10**9, 250, cold=False, block_bytes=int(mib * (1 << 20)))
        curve.add_row(f"{mib:g} MiB", f"{run.blocks:,}", f"{run.seconds:.2f} s", f"{run.dollars:.4f}")
    console.print(curve)


if __name__ == "__main__":
    main()
