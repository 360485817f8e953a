"""The figures of AWS and of the engine, which every run's time and cost depend on. Jobs bring their own."""

from collections.abc import Mapping
from typing import Any

from lambda_src.figures import UNKNOWN, Figure, Figures
from lambda_src.job import Job
from lambda_src.settings import ONE_VCPU_MB

LISTED_AT_ONCE = 1000
"""Objects in one answer to LIST."""

INLINE_OBJECTS = 64
"""A block's request names up to about this many; a block with more looks them up in the stored listing."""

MIB = 1 << 20

ENGINE: Figures = {
    "arm": Figure(1.0, "", "assumed", "speed of one arm64 vCPU against the core here"),
    # Lambda.
    "environment": Figure(0.35, "s", "published", "to create an environment: the middle of 0.2 to 0.5 s"),
    "environment_spread": Figure(0.3, "s", "published", "between the slowest of many and the fastest"),
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
    "network": Figure(80, "MB/s", "published", "between a Lambda and S3, for long: 75 to 90"),
    "burst_budget": Figure(0, "MB", "published", "that it moves faster at first: 0 to 300 (not relied on)"),
    "burst_network": Figure(300, "MB/s", "published", "the rate of these: 300 to 1,200"),
    "memory": Figure(
        ONE_VCPU_MB, "MB", "code", "of parse_file, parse_block, get_occurrences; half for the others"
    ),
    "report": Figure(370, "bytes", "measured", "of the manifest, for each block"),
    "report_shard": Figure(36, "bytes", "measured", "more of it for each shard of each block"),
    "log": Figure(1000, "bytes", "assumed", "what Lambda itself logs of an invocation"),
    # The fan-out.
    "invoke": Figure(
        0.0002, "s", "measured", "processor time of one invoke, by a single thread: 0.1 to 0.2 ms"
    ),
    "connect_call": Figure(
        0.0009, "s", "measured", "more for the first call on each connection: 0.3 to 1.2 ms"
    ),
    "reads_at_once": Figure(32, "", "code", "GETs at once by a reducer"),
    "read": Figure(0.0003, "s", "measured", "processor time of one GET in a reducer"),
    "window": Figure(256 * MIB, "bytes", "code", "of a plain object, read by one GET, at most"),
    "archive_window": Figure(8 * MIB, "bytes", "code", "the same of an archive"),
    "payload": Figure(
        4_000_000, "bytes", "code", "of a manifest that travels in requests; reducers read a larger one"
    ),
    "merge": Figure(0.0002, "s", "assumed", "to merge what one shard has"),
    "keep": Figure(
        40, "MB/s", "measured", "of rows that a reducer sorts and compresses to keep them, per core"
    ),
    "keep_ratio": Figure(0.3, "", "measured", "bytes of rows as they are kept per byte: 0.2 to 0.35"),
    "keep_object": Figure(32 * MIB, "bytes", "code", "of kept rows in one PUT"),
    "largest_shard": Figure(1.05, "", "assumed", "the largest shard of keys against the mean"),
    "piece": Figure(16 * MIB, "bytes", "code", "of what a block stores beside its lines, in one PUT"),
    # Archives. The first bytes of the input say what one Lambda must unpack.
    "unpack_gzip": Figure(280, "MB/s", "measured", "unpacking, of the archive's bytes, per core: 258 to 304"),
    "unpack_bzip2": Figure(3.6, "MB/s", "measured", "the same: 3.6 to 10.8"),
    "unpack_xz": Figure(20, "MB/s", "measured", "the same: 20 to 24"),
    "unpack_zstd": Figure(200, "MB/s", "assumed", "the same; Lambda's Python reads no zstd before 3.14"),
    "ratio": Figure(4, "", "assumed", "bytes of text per byte of an archive, before anybody looks"),
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


def figures_of(job: Job, options: Mapping[str, Any] | None = None) -> Figures:
    """All figures of a run of ``job`` with these ``options``, or with those that it has by default. Raises
    InvalidRequest if there are no such options."""
    parts = Figure(len(job.parts), "", "code", "parts of the result")
    of_job = job.figures(job.read_options(options or {})) if callable(job.figures) else job.figures
    return {**ENGINE, **(of_job or UNKNOWN), "parts": parts}
