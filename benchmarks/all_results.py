"""Complete sums of many distinct keys: the time that reducers take to store them, the size, and the time and
memory that the client takes to merge them into a file.

python -m benchmarks.all_results [--keys=N] [--shards=N] [--format=csv]
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.peak import own_peak_kib
from fanfold.cli.all_export import write_all_rows
from fanfold.cli.formats import Format
from fanfold.cli.output import Output
from fanfold.here.blobs import FolderBlobs
from fanfold.here.libraries import add_libraries
from fanfold.runs.complete import CompleteSums
from lambda_src.counts import table_type
from lambda_src.job import Line, Shards, load
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.run.reduce_shards import finish_shards
from lambda_src.store.blobs import HEADER_STEP_BYTES
from lambda_src.store.digests import digest_of
from lambda_src.wire.reports import PartReport, Range, ShardReport
from lambda_src.wire.requests import GetAllOccurrencesRequest, GetOccurrencesRequest, RunContext

JOB = "access_log"
KEYS, SHARDS = 10_000_000, 8
LINE_KEYS = 500_000
RUN = "run"


def main(arguments: list[str]) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--shards", type=int, default=SHARDS)
    parser.add_argument("--format", type=Format, default=Format.CSV)
    parser.add_argument("--merge", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.merge:
        merge(given.merge, given.format)
        return
    with tempfile.TemporaryDirectory(prefix="fanfold-") as folder:
        add_libraries(print)
        parts, reduce_s, plain_s = stored(Path(folder), given.keys, given.shards)
        size = sum(section.size for part in parts for section in part.complete)
        print(f"{given.keys:,} distinct paths of 33 bytes in 24 hours, {given.shards} shards, one core:")
        print(f"reducers, each by itself: {plain_s:.1f} s, with all sums stored {reduce_s:.1f} s")
        command = [
            sys.executable,
            "-m",
            "benchmarks.all_results",
            "--merge",
            folder,
            "--format",
            given.format,
        ]
        merged = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        written = (Path(folder) / "all").stat().st_size
        print(
            f"stored: {size / 1e6:.0f} MB, {100 * size / written:.0f} % of the file of {written / 1e6:.0f} MB"
        )
        print(f"merged into {given.format}, in another process: {merged.strip()}")


def stored(folder: Path, keys: int, shards_count: int) -> tuple[list[PartReport], float, float]:
    """Complete sums of paths, and the seconds of their reducers; the second ones keep nothing."""
    job, shards = load(JOB), Shards("key", shards_count, RUN)
    blobs, context = FolderBlobs(folder, RUN), RunContext(JOB, shards, {}, {})
    ranges: list[list[Range]] = [[] for _ in range(shards_count)]
    for block, first in enumerate(range(0, keys, LINE_KEYS)):
        lines = lines_of(len(job.parts), range(first, min(first + LINE_KEYS, keys)), shards)
        blobs.put(block, b"", HEADER_STEP_BYTES, [line.data for line in lines])
        start = HEADER_STEP_BYTES
        for shard, (line, observed) in enumerate(lines):
            ranges[shard].append(Range(block, start, len(line), digest_of(line), "", sum(observed)))
            start += len(line) + 1
    seconds = []
    for keep in (None, "all"):
        began_at, reports = time.monotonic(), list[ShardReport]()
        for shard in range(shards_count):
            request = GetOccurrencesRequest(
                RUN, "me", shard, job.rules, context, None, ranges[shard], keep="all" if keep else None
            )
            report = reduce_shard(job, request, blobs)
            assert isinstance(report, ShardReport)
            reports.append(report)
        seconds.append(time.monotonic() - began_at)
    everything = GetAllOccurrencesRequest(RUN, "me", 1, job.rules, context, keep="all")
    parts = finish_shards(job, everything, reports)
    (folder / "parts.json").write_bytes(msgspec.json.encode(parts))
    return parts, seconds[1], seconds[0]


def lines_of(parts: int, numbers: range, shards: Shards) -> list[Line]:
    """The lines of a block that has a path for each of ``numbers``: those of a site with a thousand sections,
    in random order."""
    chance = random.Random(numbers.start)
    found: list[dict[str, list[int]]] = [{} for _ in range(parts)]
    for number in numbers:
        path = f"/wiki/{number * 7919 % 1000:03d}/page-{number * 2654435761 % (1 << 32):010d}/index"
        found[number % 24][path] = [chance.randint(1, 999), 0]
    table = table_type()(parts, ["sum", "sum"])
    table.add(b"\n".join(msgspec.json.encode(keys) if keys else b"" for keys in found), 0, parts)
    return table.lines(shards)


def merge(folder: Path, format_: Format) -> None:
    """Print the seconds and the peak memory of the client."""
    parts = msgspec.json.decode((folder / "parts.json").read_bytes(), type=list[PartReport])
    began_at, before = time.monotonic(), own_peak_kib()
    rows = CompleteSums("the run", parts, FolderBlobs(folder, RUN).get_complete)
    write_all_rows(Output(folder / "all", format_), load(JOB), rows)
    seconds = time.monotonic() - began_at
    print(
        f"{seconds:.1f} s for {rows.keys:,} rows; {own_peak_kib() / 1024:.0f} MB, {before / 1024:.0f} before"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
